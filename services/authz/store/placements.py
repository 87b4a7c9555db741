"""Where people are placed: their roles and their team, to be shown."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class PlacementRow(msgspec.Struct, frozen=True, kw_only=True):
    """`roles` are ids, each once; `team` is a name."""

    staff: UUID
    roles: list[str]
    team: str | None


async def placements(tx: Tx, org: UUID, staff: Collection[UUID], now: datetime) -> list[PlacementRow]:
    """By id. What has expired is left out."""
    return await tx.all(
        PlacementRow,
        "SELECT s.staff, t.name AS team, ARRAY("
        "SELECT a.role FROM assignment a WHERE a.org = $1 AND a.staff = s.staff"
        " AND (a.expires_at IS NULL OR a.expires_at > $3) UNION"
        " SELECT a.role FROM group_member g JOIN assignment a ON a.org = g.org AND a.staff_group = g.staff_group"
        " WHERE g.org = $1 AND g.staff = s.staff AND (a.expires_at IS NULL OR a.expires_at > $3)) AS roles"
        " FROM subject s LEFT JOIN team_member m ON m.org = s.org AND m.staff = s.staff"
        " LEFT JOIN team t ON t.org = m.org AND t.id = m.team"
        " WHERE s.org = $1 AND s.staff = ANY($2) ORDER BY s.staff",
        org, list(staff), now,
    )  # fmt: skip


async def leave_root(tx: Tx, org: UUID, staff: UUID, team: UUID) -> UUID | None:
    """Into that team; the root that they were in. None where they are elsewhere, or there is no such team beside it."""
    found: UUID | None = await tx.value(
        "UPDATE team_member m SET team = t.id FROM team t, team root WHERE m.org = $1 AND m.staff = $2"
        " AND t.org = $1 AND t.id = $3 AND t.parent IS NOT NULL"
        " AND root.org = $1 AND root.parent IS NULL AND m.team = root.id RETURNING root.id",
        org, staff, team,
    )  # fmt: skip
    return found


async def remove_everything(tx: Tx, org: UUID, staff: UUID) -> None:
    """What a person was given: permissions, roles, memberships and links. The audit log keeps how it was."""
    await tx.run(
        "WITH grants AS (DELETE FROM permission_grant WHERE org = $1 AND staff = $2),"
        " roles AS (DELETE FROM assignment WHERE org = $1 AND staff = $2),"
        " levels AS (DELETE FROM product_access WHERE org = $1 AND staff = $2),"
        " memberships AS (DELETE FROM tenant_member WHERE org = $1 AND staff = $2),"
        " joined AS (DELETE FROM group_member WHERE org = $1 AND staff = $2),"
        " links AS (DELETE FROM subscriber_link WHERE org = $1 AND staff = $2)"
        " DELETE FROM team_member WHERE org = $1 AND staff = $2",
        org, staff,
    )  # fmt: skip
