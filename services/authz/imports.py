"""What a file names for somebody who was added from it: a role and a team (identity has asked before whether they are
its importer's to give).

Given once and never again, however often and late it is told: what somebody has changed since stays so. What is not
there any more is left out; the person is there all the same.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz import placements, revisions, subjects
from services.authz.store import assignments as assignment_store
from services.authz.store import audit as audit_store
from services.authz.store import placements as placement_store
from services.authz.store import roles as role_store
from services.authz.store import subjects as store
from services.authz.store.assignments import AssignmentRow
from services.authz.store.audit import AuditRow
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.administration import AssignmentView
from staffgate.contracts.changes import AssignRole, Change, PlaceMembers
from staffgate.contracts.identity import StaffImported
from staffgate.decision.builtin import BUILT_IN, PBX

Given = tuple[Change, object, object]  # the change, how it was, and what it became


async def note_imported(tx: Tx, event: StaffImported, _envelope: Envelope) -> None:
    """Everything in one transaction: nobody sees the person without what they were added with."""
    await revisions.open_organisation(tx, event.org)
    staff = event.state.staff
    noted = await store.note_subject(tx, event.org, event.state)
    placed = noted is not None and await subjects.placed_in_root(tx, event, noted)
    given: list[Given] = []
    if await store.note_imported(tx, event.org, staff):
        given = [one for one in (await _moved(tx, event), await _assigned(tx, event)) if one is not None]
    if noted is None and not given:
        return
    revision = await revisions.raised(tx, event.org, [staff])
    if placed or given:
        await placements.tell(tx, event.org, [staff], revision)
    for one in given:
        await audit_store.add_entry(tx, event.org, _entry(tx, event.by, staff, one, revision))


async def _moved(tx: Tx, event: StaffImported) -> Given | None:
    """Out of the root, where they are as long as nobody has placed them elsewhere."""
    staff, team = event.state.staff, event.team
    root = None if team is None else await placement_store.leave_root(tx, event.org, staff, team)
    if team is None or root is None:
        return None
    return PlaceMembers(team=team, staff=(staff,)), {str(staff): root}, {str(staff): team}


async def _assigned(tx: Tx, event: StaffImported) -> Given | None:
    role = event.role
    if role is None or not (role in BUILT_IN or await role_store.roles_of(tx, event.org, [role])):
        return None
    if role.startswith(PBX) and await _has_scope(tx, event.org, event.state.staff):
        return None
    wanted = AssignmentRow(
        id=tx.database.ids.uuid(),
        staff=event.state.staff,
        staff_group=None,
        role=role,
        contract=None,
        tenant=None,
        expires_at=None,
    )
    if not await assignment_store.add_assignment(tx, event.org, wanted):
        return None
    change = AssignRole(role=role, staff=wanted.staff)
    return change, None, AssignmentView(id=wanted.id, role=role, staff=wanted.staff)


async def _has_scope(tx: Tx, org: UUID, staff: UUID) -> bool:
    """A person has one PBX scope at most (permission model, section 5); they were given another meanwhile."""
    return any(held.role.startswith(PBX) for held in await assignment_store.holdings_of(tx, org, [staff]))


def _entry(tx: Tx, by: UUID, staff: UUID, given: Given, revision: int) -> AuditRow:
    """As if its importer had made the change; from where is in the log of the import."""
    change, before, after = given
    return AuditRow(
        at=tx.database.clock.now(),
        actor=by,
        ip="",
        kind=str(change.__struct_config__.tag),
        people=[staff],
        change=msgspec.json.encode(change).decode(),
        before=None if before is None else msgspec.json.encode(before).decode(),
        after=msgspec.json.encode(after).decode(),
        refusal=None,
        revision=revision,
    )
