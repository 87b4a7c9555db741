"""Roles in the hands of people and of groups (permission model, sections 1 and 2, tier 2)."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz import delegation, naming
from services.authz.grants import EDIT, VIEW
from services.authz.store import assignments as store
from services.authz.store import groups as group_store
from services.authz.store import roles as role_store
from services.authz.store.assignments import AssignmentRow
from services.authz.store.groups import GroupRow
from services.authz.work import Result, Rule, Rules, Work, require_others
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.administration import AssignmentList, AssignmentView
from staffgate.contracts.authz import Role
from staffgate.contracts.changes import AssignRole, UnassignRole
from staffgate.decision.builtin import BUILT_IN, PBX
from staffgate.decision.model import Holding

# --- what is there --------------------------------------------------------------------------------------------


async def assignments(work: Work, staff: UUID) -> AssignmentList:
    """A person's own, and those that come through their groups."""
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    return await _listed(work, staff)


async def _listed(work: Work, staff: UUID) -> AssignmentList:
    held = await store.holdings_of(work.tx, work.org, [staff])
    return AssignmentList(
        assignments=[
            AssignmentView(
                id=row.id,
                role=row.role,
                staff=None if row.staff_group else row.holder,
                group=row.staff_group,
                contract=row.contract,
                tenant=row.tenant,
                expires_at=row.expires_at,
            )
            for row in held
            if row.expires_at is None or row.expires_at > work.now
        ]
    )


def shown(row: AssignmentRow) -> AssignmentView:
    return AssignmentView(
        id=row.id,
        role=row.role,
        staff=row.staff,
        group=row.staff_group,
        contract=row.contract,
        tenant=row.tenant,
        expires_at=row.expires_at,
    )


# --- who may --------------------------------------------------------------------------------------------------


async def require_over_group(work: Work, group: GroupRow, people: Collection[UUID]) -> None:
    """What a group holds its members hold: it takes the action over each of them, and over everybody's while it is
    empty."""
    if not people:
        work.require(EDIT, str(group.id), tenant=group.tenant)
    rows = await work.people(EDIT, people, tenant=group.tenant)
    require_others(work, [row for row in rows.values() if row.staff != work.caller.staff])


async def the_group(work: Work, id: UUID) -> GroupRow:
    found = await group_store.group(work.tx, work.org, id)
    if found is None:
        raise NotFound("not_found", "Your organisation has no such group.")
    return found


async def _gate_assign(work: Work, change: AssignRole) -> None:
    if (change.staff is None) == (change.group is None):
        raise Invalid("one_holder", "Name either a person or a group to assign the role to.")
    if change.group is not None:
        group = await the_group(work, change.group)
        if group.tenant is not None and change.tenant not in (None, group.tenant):
            raise Invalid("other_tenant", f"This group is in the tenant {group.tenant!r}; its roles count there.")
        await require_over_group(work, group, await group_store.members(work.tx, work.org, group.id))
    if change.staff is not None:
        rows = await work.people(EDIT, [change.staff], contract=change.contract, tenant=change.tenant)
        require_others(work, rows.values())


async def _gate_unassign(work: Work, change: UnassignRole) -> None:
    row = await _found(work, change.assignment)
    if row.staff_group is not None:
        members = await group_store.members(work.tx, work.org, row.staff_group)
        await require_over_group(work, await the_group(work, row.staff_group), members)
    if row.staff is not None:
        rows = await work.people(EDIT, [row.staff], contract=row.contract, tenant=row.tenant)
        require_others(work, rows.values())


async def _found(work: Work, id: UUID) -> AssignmentRow:
    row = await store.assignment(work.tx, work.org, id)
    if row is None or (row.expires_at is not None and row.expires_at <= work.now):
        raise NotFound("not_found", "There is no such assignment.")
    return row


# --- what is changed ------------------------------------------------------------------------------------------


async def _assigned(work: Work, change: AssignRole) -> list[UUID]:
    return await _holders(work, change.staff, change.group)


async def _unassigned(work: Work, change: UnassignRole) -> list[UUID]:
    row = await _found(work, change.assignment)
    return await _holders(work, row.staff, row.staff_group)


async def _holders(work: Work, staff: UUID | None, group: UUID | None) -> list[UUID]:
    if staff is not None:
        return [staff]
    assert group is not None
    return await group_store.members(work.tx, work.org, group)


async def _shown(work: Work, change: AssignRole) -> AssignmentList:
    return await _of(work, change.staff, change.group)


async def _shown_there(work: Work, change: UnassignRole) -> AssignmentList:
    row = await store.assignment(work.tx, work.org, change.assignment)
    return AssignmentList(assignments=[]) if row is None else await _of(work, row.staff, row.staff_group)


async def _of(work: Work, staff: UUID | None, group: UUID | None) -> AssignmentList:
    if staff is not None:
        return await _listed(work, staff)
    rows = await store.assignments_to(work.tx, work.org, staff=None, group=group)
    return AssignmentList(assignments=[shown(row) for row in rows])


async def _assign(work: Work, change: AssignRole) -> Result:
    """The same again changes nothing but the end."""
    group = None if change.group is None else await the_group(work, change.group)
    tenant = change.tenant if group is None else group.tenant or change.tenant
    role = await _role(work, change.role)
    await naming.context(work, change.contract, tenant)
    wanted = AssignmentRow(
        id=work.tx.database.ids.uuid(),
        staff=change.staff,
        staff_group=change.group,
        role=role.id,
        contract=change.contract,
        tenant=tenant,
        expires_at=naming.end(work, change.expires_at),
    )
    before = await _present(work, wanted)
    if before is None or before.expires_at != wanted.expires_at:
        _claim(work, role, wanted)
        wanted = await store.put_assignment(work.tx, work.org, wanted)
        await require_one_scope(work, await _holders(work, change.staff, change.group))
        return None if before is None else shown(before), shown(wanted)
    return shown(before), shown(before)


async def _present(work: Work, wanted: AssignmentRow) -> AssignmentRow | None:
    """The same one, if it counts still."""
    for row in await store.assignments_to(work.tx, work.org, staff=wanted.staff, group=wanted.staff_group):
        same = (row.role, row.contract, row.tenant) == (wanted.role, wanted.contract, wanted.tenant)
        if same and (row.expires_at is None or row.expires_at > work.now):
            return row
    return None


async def _unassign(work: Work, change: UnassignRole) -> Result:
    row = await _found(work, change.assignment)
    await store.remove_assignments(work.tx, work.org, [row.id])
    return shown(row), None


async def _role(work: Work, id: str) -> Role:
    found = BUILT_IN.get(id) or (await role_store.roles_of(work.tx, work.org, [id])).get(id)
    if found is None:
        raise Invalid("unknown_role", f"There is no role {id!r}; name it by its id.")
    return found


def _claim(work: Work, role: Role, wanted: AssignmentRow) -> None:
    """The role as such, whatever its holders have already, and whoever joins the group later."""
    held = Holding(id=delegation.NOBODY, role=role, contract=wanted.contract, tenant=wanted.tenant)
    work.claims.append((delegation.holding(work), delegation.holding(work, held, until=wanted.expires_at)))


async def require_one_scope(work: Work, people: Collection[UUID]) -> None:
    """A person has at most one PBX scope (section 5), through groups too."""
    scopes: dict[UUID, str] = {}
    for row in await store.holdings_of(work.tx, work.org, people):
        live = row.expires_at is None or row.expires_at > work.now
        if live and row.role.startswith(PBX) and scopes.setdefault(row.holder, row.role) != row.role:
            raise Conflict("one_scope", "A person has one PBX scope at most; take the other one away before.")


RULES: Rules = {
    AssignRole: Rule(_gate_assign, _assigned, _assign, _shown, renames=_assigned),
    UnassignRole: Rule(_gate_unassign, _unassigned, _unassign, _shown_there, renames=_unassigned),
}
