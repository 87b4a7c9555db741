"""People and organisations, as identity tells of them.

Each event carries the whole state and its version, so one that comes twice, late or before its time does no harm; and
an organisation is known from whichever event of it comes first. With it comes its root team, in which everybody is by
default. Who was deleted stays so, and what was closed, whatever else comes.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz import placements, revisions
from services.authz.store import organisations as organisation_store
from services.authz.store import placements as placement_store
from services.authz.store import subjects as store
from services.authz.store import teams as team_store
from services.authz.store.subjects import Noted
from services.authz.store.teams import TeamRow
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.identity import OrganisationClosed, OrganisationEvent, StaffDeleted, StaffEvent, StaffStatus

UNNAMED = "Company"  # what the root is called until the organisation's name has come


async def note_organisation(tx: Tx, event: OrganisationEvent, _envelope: Envelope) -> None:
    """Nobody's permissions change by it; it is told so that whoever waits for the organisation goes on."""
    added = await revisions.open_organisation(tx, event.org)
    root = await root_team(tx, event.org, event.state.name)
    named = root.name == UNNAMED != event.state.name
    if named:
        await team_store.put_team(tx, event.org, msgspec.structs.replace(root, name=event.state.name))
    if added or named:
        revision = await revisions.raised(tx, event.org, [])
        if named:
            members = await team_store.members_of(tx, event.org, [root.id])
            await placements.tell(tx, event.org, [member.staff for member in members], revision)


async def note_closed(tx: Tx, event: OrganisationClosed, _envelope: Envelope) -> None:
    """From now on everybody is denied everything."""
    await revisions.open_organisation(tx, event.org)
    if await organisation_store.close_organisation(tx, event.org):
        await revisions.raised(tx, event.org, None)


async def note_person(tx: Tx, event: StaffEvent, _envelope: Envelope) -> None:
    await revisions.open_organisation(tx, event.org)
    noted = await store.note_subject(tx, event.org, event.state)
    if noted is not None:
        placed = await placed_in_root(tx, event, noted)
        revision = await revisions.raised(tx, event.org, [event.state.staff])
        if placed:
            await placements.tell(tx, event.org, [event.state.staff], revision)


async def note_deleted(tx: Tx, event: StaffDeleted, _envelope: Envelope) -> None:
    """Denied everything, found nowhere, and without all that they were given. Kept, so that nothing revives them."""
    await revisions.open_organisation(tx, event.org)
    staff = event.state.staff
    deleted = msgspec.structs.replace(event.state, status=StaffStatus.DELETED)
    if await store.note_subject(tx, event.org, deleted) is not None:
        await placement_store.remove_everything(tx, event.org, staff)
        revision = await revisions.raised(tx, event.org, [staff])
        await placements.tell(tx, event.org, [staff], revision)


async def placed_in_root(tx: Tx, event: StaffEvent, noted: Noted) -> bool:
    """Are they there since now? The root is made for the first one who comes."""
    if not noted.rooted:
        root = await root_team(tx, event.org, UNNAMED)
        await team_store.place(tx, event.org, root.id, [event.state.staff])
    return noted.placed or not noted.rooted


async def root_team(tx: Tx, org: UUID, name: str) -> TeamRow:
    """Made by whoever needs it first; the organisation is held, so that is one."""
    root = await team_store.root(tx, org)
    if root is None:
        root = TeamRow(id=tx.database.ids.uuid(), parent=None, name=name)
        await team_store.add_team(tx, org, root)
    return root
