"""Groups of staff, some of them a tenant's (permission model, section 1). Who joins a group gets its roles."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz import naming
from services.authz.assignments import require_one_scope, require_over_group, shown, the_group
from services.authz.grants import EDIT
from services.authz.store import assignments as assignment_store
from services.authz.store import groups as store
from services.authz.store import tenants as tenant_store
from services.authz.store.groups import GroupRow
from services.authz.work import Result, Rule, Rules, Work, nobody, require_others
from shared.errors import Conflict, NotFound
from staffgate.contracts.administration import GroupDetail, GroupList, GroupView
from staffgate.contracts.caller import StaffType
from staffgate.contracts.changes import AddGroup, AddGroupMembers, DeleteGroup, RemoveGroupMembers, RenameGroup

SECTION = "core.organisation"
OfMembers = AddGroupMembers | RemoveGroupMembers


# --- what is there --------------------------------------------------------------------------------------------


async def groups(work: Work) -> GroupList:
    """Those that the caller may view: a tenant's groups for those who may view the organisation in that tenant."""
    rows = await store.groups(work.tx, work.org)
    return GroupList(groups=[_view(row) for row in rows if work.may(f"{SECTION}.view", str(row.id), tenant=row.tenant)])


async def group(work: Work, id: UUID) -> GroupDetail:
    row = await the_group(work, id)
    work.require(f"{SECTION}.view", str(id), tenant=row.tenant)
    return await _detail(work, id)


async def _detail(work: Work, id: UUID) -> GroupDetail:
    held = await assignment_store.assignments_to(work.tx, work.org, staff=None, group=id)
    return GroupDetail(
        group=_view(await the_group(work, id)),
        members=await store.members(work.tx, work.org, id),
        roles=[shown(row) for row in held if row.expires_at is None or row.expires_at > work.now],
    )


def _view(row: GroupRow) -> GroupView:
    return GroupView(id=row.id, tenant=row.tenant, name=row.name)


# --- what is changed ------------------------------------------------------------------------------------------


async def _gate_add(work: Work, change: AddGroup) -> None:
    work.require(f"{SECTION}.create", "new", tenant=change.tenant)


async def _gate_rename(work: Work, change: RenameGroup) -> None:
    row = await the_group(work, change.group)
    work.require(f"{SECTION}.edit", str(row.id), tenant=row.tenant)


async def _gate_delete(work: Work, change: DeleteGroup) -> None:
    row = await the_group(work, change.group)
    work.require(f"{SECTION}.delete", str(row.id), tenant=row.tenant)
    if await assignment_store.assignments_to(work.tx, work.org, staff=None, group=row.id):
        await require_over_group(work, row, await store.members(work.tx, work.org, row.id))


async def _gate_members(work: Work, change: OfMembers) -> None:
    row = await the_group(work, change.group)
    require_others(work, (await work.people(EDIT, change.staff, tenant=row.tenant)).values())


async def _members(_work: Work, change: OfMembers) -> Collection[UUID]:
    return change.staff


async def _all_members(work: Work, change: DeleteGroup) -> Collection[UUID]:
    return await store.members(work.tx, work.org, change.group)


async def _shown(work: Work, change: RenameGroup | DeleteGroup | OfMembers) -> GroupDetail:
    return await _detail(work, change.group)


async def _add(work: Work, change: AddGroup) -> Result:
    await naming.context(work, None, change.tenant)
    row = GroupRow(id=work.tx.database.ids.uuid(), tenant=change.tenant, name=change.name)
    await _require_free(work, row)
    await store.add_group(work.tx, work.org, row)
    return None, _view(row)


async def _rename(work: Work, change: RenameGroup) -> Result:
    before = await the_group(work, change.group)
    after = GroupRow(id=before.id, tenant=before.tenant, name=change.name)
    await _require_free(work, after)
    await store.rename_group(work.tx, work.org, after.id, after.name)
    return _view(before), _view(after)


async def _require_free(work: Work, row: GroupRow) -> None:
    if await store.namesake(work.tx, work.org, row.tenant, row.name) not in (None, row.id):
        raise Conflict("name_taken", "There is a group of this name; choose another.")


async def _delete(work: Work, change: DeleteGroup) -> Result:
    before = await _detail(work, change.group)
    await store.remove_group(work.tx, work.org, change.group)
    return before, None


async def _add_members(work: Work, change: AddGroupMembers) -> Result:
    """A group of a tenant takes members of the tenant; owners and administrators are, of all."""
    row = await the_group(work, change.group)
    before = await store.members(work.tx, work.org, row.id)
    if row.tenant is not None:
        await _require_members(work, row.tenant, change)
    await store.add_members(work.tx, work.org, row.id, change.staff)
    await require_one_scope(work, change.staff)
    return before, await store.members(work.tx, work.org, row.id)


async def _require_members(work: Work, tenant: str, change: AddGroupMembers) -> None:
    members = set(await tenant_store.members(work.tx, work.org, tenant))
    rows = await work.people(EDIT, change.staff, tenant=tenant)
    if any(row.staff not in members and row.type is StaffType.STANDARD for row in rows.values()):
        raise Conflict("not_a_member", f"Members of this group have to be members of the tenant {tenant!r}.")


async def _remove_members(work: Work, change: RemoveGroupMembers) -> Result:
    before = await store.members(work.tx, work.org, change.group)
    if not set(change.staff) <= set(before):
        raise NotFound("not_found", "Not all of them are members of this group.")
    await store.remove_members(work.tx, work.org, change.group, change.staff)
    return before, await store.members(work.tx, work.org, change.group)


RULES: Rules = {
    AddGroup: Rule(_gate_add, nobody, _add),
    RenameGroup: Rule(_gate_rename, nobody, _rename, _shown),
    DeleteGroup: Rule(_gate_delete, _all_members, _delete, _shown, renames=_all_members),
    AddGroupMembers: Rule(_gate_members, _members, _add_members, _shown, renames=_members),
    RemoveGroupMembers: Rule(_gate_members, _members, _remove_members, _shown, renames=_members),
}
