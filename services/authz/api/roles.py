"""Roles, and who holds them, over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz import assignments, roles
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import Key, Revised
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/roles")
async def list_roles(authz: Authz, caller: Person) -> Tagged[contract.RoleList]:
    """All roles, built in and custom."""
    return Tagged(*await authz.views.tagged(caller, roles.roles))


@api.post("/v1/roles", status=201)
async def create_role(authz: Authz, caller: Person, source: Source, body: contract.NewRole) -> contract.RoleSet:
    """Create a custom role: a data access level, and what it allows where."""
    change = changes.CreateRole(name=body.name, data_access=body.data_access, entries=body.entries)
    one = await authz.changes.one(caller, source.ip, change)
    return contract.RoleSet(role=one.after, revision=one.revision)


@api.get("/v1/roles/{role}")
async def show_role(authz: Authz, caller: Person, role: Key) -> Tagged[contract.RoleDetail]:
    """A role and who holds it."""
    return Tagged(*await authz.views.tagged(caller, lambda work: roles.role(work, role)))


@api.put("/v1/roles/{role}")
async def edit_role(
    authz: Authz, caller: Person, source: Source, role: Key, body: contract.NewRole, if_match: str | None
) -> Tagged[contract.RoleSet]:
    """Change a custom role for everybody who holds it."""
    change = changes.EditRole(role=role, name=body.name, data_access=body.data_access, entries=body.entries)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.RoleSet(role=one.after, revision=one.revision), one.etag)


@api.post("/v1/roles/{role}/reset")
async def reset_role(
    authz: Authz, caller: Person, source: Source, role: Key, if_match: str | None
) -> Tagged[contract.RoleSet]:
    """Put a custom role back into the state in which it was created."""
    one = await authz.changes.one(caller, source.ip, changes.ResetRole(role=role), if_match)
    return Tagged(contract.RoleSet(role=one.after, revision=one.revision), one.etag)


@api.delete("/v1/roles/{role}")
async def delete_role(authz: Authz, caller: Person, source: Source, role: Key, if_match: str | None) -> Tagged[Revised]:
    """Delete a custom role that nobody holds."""
    one = await authz.changes.one(caller, source.ip, changes.DeleteRole(role=role), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.get("/v1/staff/{staff}/roles")
async def list_assignments(authz: Authz, caller: Person, staff: UUID) -> Tagged[contract.AssignmentList]:
    """The roles of one person, those of their groups too."""
    return Tagged(*await authz.views.tagged(caller, lambda work: assignments.assignments(work, staff), staff))


@api.post("/v1/staff/{staff}/roles")
async def assign_role(
    authz: Authz, caller: Person, source: Source, staff: UUID, body: contract.NewAssignment, if_match: str | None
) -> Tagged[contract.AssignmentSet]:
    """Assign a role to a person: everywhere, or in a contract or tenant; for good, or until a time."""
    change = changes.AssignRole(
        staff=staff, role=body.role, contract=body.contract, tenant=body.tenant, expires_at=body.expires_at
    )
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.AssignmentSet(assignment=one.after, revision=one.revision), one.etag)


@api.post("/v1/groups/{group}/roles")
async def assign_group_role(
    authz: Authz, caller: Person, source: Source, group: UUID, body: contract.NewAssignment, if_match: str | None
) -> Tagged[contract.AssignmentSet]:
    """Assign a role to everybody in a group, those who will join it too."""
    change = changes.AssignRole(
        group=group, role=body.role, contract=body.contract, tenant=body.tenant, expires_at=body.expires_at
    )
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.AssignmentSet(assignment=one.after, revision=one.revision), one.etag)


@api.delete("/v1/assignments/{assignment}")
async def unassign_role(
    authz: Authz, caller: Person, source: Source, assignment: UUID, if_match: str | None
) -> Revised:
    """Take a role from a person or a group. The ETag is the one of the list of their roles."""
    change = changes.UnassignRole(assignment=assignment)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Revised(revision=one.revision)
