"""People and organisations, as identity tells of them.

Each event carries the whole state and its version, so one that comes twice, late or before its time does no harm; and
an organisation is known from whichever event of it comes first.
"""

from __future__ import annotations

from services.authz import revisions
from services.authz.store import subjects as store
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.identity import OrganisationEvent, StaffEvent


async def note_organisation(tx: Tx, event: OrganisationEvent, _envelope: Envelope) -> None:
    """Nobody's permissions change by it; it is told so that whoever waits for the organisation goes on."""
    if await revisions.open_organisation(tx, event.org):
        await revisions.raised(tx, event.org, [])


async def note_person(tx: Tx, event: StaffEvent, _envelope: Envelope) -> None:
    await revisions.open_organisation(tx, event.org)
    if await store.note_subject(tx, event.org, event.state):
        await store.note_organisation(tx, event.org, event.state.staff)
        await revisions.raised(tx, event.org, [event.state.staff])
