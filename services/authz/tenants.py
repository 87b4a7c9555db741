"""Tenants: separate client workspaces, and who is a member of each (permission model, sections 1 and 4).

A tenant as such gives nobody anything. To be a member does: it opens the gate to all that the tiers say there, and is
judged like a grant.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz.grants import EDIT
from services.authz.store import assignments as assignment_store
from services.authz.store import roles as role_store
from services.authz.store import tenants as store
from services.authz.store.tenants import TenantRow
from services.authz.work import Result, Rule, Rules, Work, everybody, nobody, require_others
from shared.errors import Conflict, NotFound
from staffgate.contracts.administration import TenantDetail, TenantList, TenantView
from staffgate.contracts.changes import AddTenant, AddTenantMembers, RemoveTenant, RemoveTenantMembers, RenameTenant

SECTION = "core.organisation"
OfMembers = AddTenantMembers | RemoveTenantMembers


# --- what is there --------------------------------------------------------------------------------------------


async def tenants(work: Work) -> TenantList:
    """All for those who may view the organisation, for others those that they are a member of."""
    rows = await store.tenants(work.tx, work.org)
    if not work.may(f"{SECTION}.view", "all"):
        rows = [row for row in rows if row.key in work.dossier.everything.tenants]
    return TenantList(tenants=[_view(row) for row in rows])


async def tenant(work: Work, key: str) -> TenantDetail:
    work.require(f"{SECTION}.view", key, tenant=key)
    return await _detail(work, key)


async def _detail(work: Work, key: str) -> TenantDetail:
    return TenantDetail(tenant=_view(await _found(work, key)), members=await store.members(work.tx, work.org, key))


def _view(row: TenantRow) -> TenantView:
    return TenantView(key=row.key, label=row.label)


async def _found(work: Work, key: str) -> TenantRow:
    row = await store.tenant(work.tx, work.org, key)
    if row is None:
        raise NotFound("not_found", f"Your organisation has no tenant {key!r}.")
    return row


# --- what is changed ------------------------------------------------------------------------------------------


async def _gate_add(work: Work, change: AddTenant) -> None:
    work.require(f"{SECTION}.create", change.key)


async def _gate_rename(work: Work, change: RenameTenant) -> None:
    work.require(f"{SECTION}.edit", change.tenant)


async def _gate_remove(work: Work, change: RemoveTenant) -> None:
    work.require(f"{SECTION}.delete", change.tenant)


async def _gate_members(work: Work, change: OfMembers) -> None:
    await _found(work, change.tenant)
    require_others(work, (await work.people(EDIT, change.staff, tenant=change.tenant)).values())


async def _members(_work: Work, change: OfMembers) -> Collection[UUID]:
    return change.staff


async def _holders(work: Work, change: RemoveTenant) -> Collection[UUID]:
    return await assignment_store.holders_where(work.tx, work.org, tenant=change.tenant)


async def _shown(work: Work, change: RenameTenant | RemoveTenant | OfMembers) -> TenantDetail:
    return await _detail(work, change.tenant)


async def _add(work: Work, change: AddTenant) -> Result:
    if await store.tenant(work.tx, work.org, change.key) is not None:
        raise Conflict("key_taken", f"There is a tenant {change.key!r} already.")
    row = TenantRow(key=change.key, label=change.label)
    await store.put_tenant(work.tx, work.org, row)
    return None, _view(row)


async def _rename(work: Work, change: RenameTenant) -> Result:
    before = await _found(work, change.tenant)
    after = TenantRow(key=before.key, label=change.label)
    await store.put_tenant(work.tx, work.org, after)
    return _view(before), _view(after)


async def _remove(work: Work, change: RemoveTenant) -> Result:
    before = await _detail(work, change.tenant)
    for role in await role_store.roles(work.tx, work.org):
        if any(entry.target.tenant == change.tenant for entry in role.entries):
            raise Conflict("tenant_in_use", f"The role {role.name!r} names this tenant; edit it before.")
    await store.remove_tenant(work.tx, work.org, change.tenant)
    return before, None


async def _add_members(work: Work, change: AddTenantMembers) -> Result:
    before = await store.members(work.tx, work.org, change.tenant)
    await store.add_members(work.tx, work.org, change.tenant, change.staff)
    return before, await store.members(work.tx, work.org, change.tenant)


async def _remove_members(work: Work, change: RemoveTenantMembers) -> Result:
    before = await store.members(work.tx, work.org, change.tenant)
    if not set(change.staff) <= set(before):
        raise NotFound("not_found", "Not all of them are members of this tenant.")
    await store.remove_members(work.tx, work.org, change.tenant, change.staff)
    return before, await store.members(work.tx, work.org, change.tenant)


RULES: Rules = {
    AddTenant: Rule(_gate_add, everybody, _add, judged=False),
    RenameTenant: Rule(_gate_rename, nobody, _rename, _shown),
    RemoveTenant: Rule(_gate_remove, everybody, _remove, _shown, judged=False, renames=_holders),
    AddTenantMembers: Rule(_gate_members, _members, _add_members, _shown),
    RemoveTenantMembers: Rule(_gate_members, _members, _remove_members, _shown, renames=_members),
}
