"""Where authz has placed people, as it told last."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.authz import Placement


async def lock_placed(tx: Tx, org: UUID, staff: Sequence[UUID]) -> None:
    """In the order in which everybody locks: who administers first, then the others."""
    await tx.run(
        "SELECT id FROM staff WHERE org = $1 AND id = ANY($2)"
        " ORDER BY NOT (type IN ('owner', 'administrator') AND status = 'active' AND portal), id FOR UPDATE",
        org, staff,
    )  # fmt: skip


async def put_placements(tx: Tx, org: UUID, revision: int, placements: Sequence[Placement]) -> int:
    """Of each person, unless something newer is here. How many were written; who is not known is left out."""
    return await tx.run(
        "UPDATE staff SET role_names = placed.roles, team_name = placed.team, placed_revision = $2"
        " FROM jsonb_to_recordset($3::jsonb) AS placed (staff uuid, roles text[], team text)"
        " WHERE staff.org = $1 AND staff.id = placed.staff AND staff.placed_revision < $2",
        org, revision, msgspec.json.encode(placements).decode(),
    )  # fmt: skip
