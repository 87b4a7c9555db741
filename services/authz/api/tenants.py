"""Tenants and groups over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz import groups, tenants
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import Key, Revised
from staffgate.contracts.caller import Person

api = Api()


# --- tenants --------------------------------------------------------------------------------------------------


@api.get("/v1/tenants")
async def list_tenants(authz: Authz, caller: Person) -> Tagged[contract.TenantList]:
    """The organisation's tenants; for those who may not view the organisation, their own."""
    return Tagged(*await authz.views.tagged(caller, tenants.tenants))


@api.post("/v1/tenants", status=201)
async def add_tenant(authz: Authz, caller: Person, source: Source, body: contract.NewTenant) -> contract.TenantSet:
    """Add a tenant under a key of your own choice."""
    one = await authz.changes.one(caller, source.ip, changes.AddTenant(key=body.key, label=body.label))
    return contract.TenantSet(tenant=one.after, revision=one.revision)


@api.get("/v1/tenants/{tenant}")
async def show_tenant(authz: Authz, caller: Person, tenant: Key) -> Tagged[contract.TenantDetail]:
    """A tenant and its members. Owners and administrators are members of each, and not listed."""
    return Tagged(*await authz.views.tagged(caller, lambda work: tenants.tenant(work, tenant)))


@api.put("/v1/tenants/{tenant}")
async def rename_tenant(
    authz: Authz, caller: Person, source: Source, tenant: Key, body: contract.NewLabel, if_match: str | None
) -> Tagged[contract.TenantSet]:
    """Give a tenant another label; the key stays."""
    change = changes.RenameTenant(tenant=tenant, label=body.label)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.TenantSet(tenant=one.after, revision=one.revision), one.etag)


@api.delete("/v1/tenants/{tenant}")
async def remove_tenant(
    authz: Authz, caller: Person, source: Source, tenant: Key, if_match: str | None
) -> Tagged[Revised]:
    """Remove a tenant with its groups, and everything that was granted or assigned in it."""
    one = await authz.changes.one(caller, source.ip, changes.RemoveTenant(tenant=tenant), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.put("/v1/tenants/{tenant}/members")
async def add_tenant_members(
    authz: Authz, caller: Person, source: Source, tenant: Key, body: contract.Members, if_match: str | None
) -> Tagged[Revised]:
    """Make these people members of the tenant as well."""
    change = changes.AddTenantMembers(tenant=tenant, staff=body.staff)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/tenants/{tenant}/members/{staff}")
async def remove_tenant_member(
    authz: Authz, caller: Person, source: Source, tenant: Key, staff: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Take a person out of a tenant and of its groups."""
    change = changes.RemoveTenantMembers(tenant=tenant, staff=(staff,))
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


# --- groups ---------------------------------------------------------------------------------------------------


@api.get("/v1/groups")
async def list_groups(authz: Authz, caller: Person) -> Tagged[contract.GroupList]:
    """The groups that you may see, those of tenants too."""
    return Tagged(*await authz.views.tagged(caller, groups.groups))


@api.post("/v1/groups", status=201)
async def add_group(authz: Authz, caller: Person, source: Source, body: contract.NewGroup) -> contract.GroupSet:
    """Add a group, of the organisation or of a tenant."""
    one = await authz.changes.one(caller, source.ip, changes.AddGroup(name=body.name, tenant=body.tenant))
    return contract.GroupSet(group=one.after, revision=one.revision)


@api.get("/v1/groups/{group}")
async def show_group(authz: Authz, caller: Person, group: UUID) -> Tagged[contract.GroupDetail]:
    """A group, its members and its roles."""
    return Tagged(*await authz.views.tagged(caller, lambda work: groups.group(work, group)))


@api.put("/v1/groups/{group}")
async def rename_group(
    authz: Authz, caller: Person, source: Source, group: UUID, body: contract.NewName, if_match: str | None
) -> Tagged[contract.GroupSet]:
    """Rename a group."""
    one = await authz.changes.one(caller, source.ip, changes.RenameGroup(group=group, name=body.name), if_match)
    return Tagged(contract.GroupSet(group=one.after, revision=one.revision), one.etag)


@api.delete("/v1/groups/{group}")
async def delete_group(
    authz: Authz, caller: Person, source: Source, group: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Delete a group; its members lose the roles that they had by it."""
    one = await authz.changes.one(caller, source.ip, changes.DeleteGroup(group=group), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.put("/v1/groups/{group}/members")
async def add_group_members(
    authz: Authz, caller: Person, source: Source, group: UUID, body: contract.Members, if_match: str | None
) -> Tagged[Revised]:
    """Make these people members of the group as well; they get its roles."""
    change = changes.AddGroupMembers(group=group, staff=body.staff)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/groups/{group}/members/{staff}")
async def remove_group_member(
    authz: Authz, caller: Person, source: Source, group: UUID, staff: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Take a person out of a group; they lose the roles that they had by it."""
    change = changes.RemoveGroupMembers(group=group, staff=(staff,))
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)
