"""Where people are placed, told by names: identity shows it beside each account, and nobody decides by it.

Told in the transaction of whatever changes a name that is shown, with the organisation's revision: of one person the
newest revision is right, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz.store import placements as store
from services.authz.store import roles as role_store
from services.authz.store.placements import PlacementRow
from shared.db import Tx
from staffgate.contracts.authz import Placement, PlacementsChanged
from staffgate.decision.builtin import BUILT_IN

_AT_ONCE = 500  # people in one event


async def tell(tx: Tx, org: UUID, people: Collection[UUID], revision: int) -> None:
    """As it is at this revision, which the transaction has raised."""
    every, events = sorted(people), []
    for start in range(0, len(every), _AT_ONCE):
        rows = await store.placements(tx, org, every[start : start + _AT_ONCE], tx.database.clock.now())
        names = await _names(tx, org, rows)
        placements = [
            Placement(staff=row.staff, roles=sorted(names[role] for role in row.roles if role in names), team=row.team)
            for row in rows
        ]
        events.append(PlacementsChanged(org=org, revision=revision, placements=placements))
    await tx.emit_all(events)


async def _names(tx: Tx, org: UUID, rows: Collection[PlacementRow]) -> dict[str, str]:
    held = {role for row in rows for role in row.roles}
    custom = held - BUILT_IN.keys()
    found = await role_store.roles_of(tx, org, custom) if custom else {}
    return {id: role.name for id, role in {**BUILT_IN, **found}.items()}
