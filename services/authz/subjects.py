"""People and organisations, as identity tells of them.

Each event carries the whole state and its version, so one that comes twice, late or before its time does no harm; and
an organisation is known from whichever event of it comes first. With it comes its root team, in which everybody is by
default.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz import revisions
from services.authz.store import subjects as store
from services.authz.store import teams as team_store
from services.authz.store.teams import TeamRow
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.identity import OrganisationEvent, StaffEvent

UNNAMED = "Company"  # what the root is called until the organisation's name has come


async def note_organisation(tx: Tx, event: OrganisationEvent, _envelope: Envelope) -> None:
    """Nobody's permissions change by it; it is told so that whoever waits for the organisation goes on."""
    added = await revisions.open_organisation(tx, event.org)
    root = await _root(tx, event.org, event.state.name)
    if root.name == UNNAMED != event.state.name:
        await team_store.put_team(tx, event.org, msgspec.structs.replace(root, name=event.state.name))
    if added:
        await revisions.raised(tx, event.org, [])


async def note_person(tx: Tx, event: StaffEvent, _envelope: Envelope) -> None:
    await revisions.open_organisation(tx, event.org)
    staff = event.state.staff
    if await store.note_subject(tx, event.org, event.state):
        await store.note_organisation(tx, event.org, staff)
        if not await team_store.teams_of(tx, event.org, [staff]):
            await team_store.place(tx, event.org, (await _root(tx, event.org, UNNAMED)).id, [staff])
        await revisions.raised(tx, event.org, [staff])


async def _root(tx: Tx, org: UUID, name: str) -> TeamRow:
    """Made by whoever needs it first; the organisation is held, so that is one."""
    root = await team_store.root(tx, org)
    if root is None:
        root = TeamRow(id=tx.database.ids.uuid(), parent=None, name=name)
        await team_store.add_team(tx, org, root)
    return root
