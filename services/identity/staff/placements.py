"""Roles and team beside each account: authz's, shown here and decided by there.

authz tells where people are placed from a revision of the organisation on. Of each person the newest revision stays, so
what comes twice, late or before its time does no harm. It is nobody's change to an account: its version stays too.
"""

from __future__ import annotations

from services.identity.store import placements as store
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.authz import PlacementsChanged


async def note_placements(tx: Tx, event: PlacementsChanged, _envelope: Envelope) -> None:
    """Who is not known here is left out."""
    await store.lock_placed(tx, event.org, [one.staff for one in event.placements])
    await store.put_placements(tx, event.org, event.revision, event.placements)
