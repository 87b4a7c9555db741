"""Recoveries of owners that wait: one an organisation."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class RecoveryRow(msgspec.Struct, frozen=True, kw_only=True):
    staff: UUID
    email: str
    reason: str
    operator: str
    asked_at: datetime
    due_at: datetime


_COLUMNS = "staff, email, reason, operator, asked_at, due_at"


async def add_recovery(tx: Tx, org: UUID, new: RecoveryRow) -> bool:
    """False where one waits already."""
    return await tx.run(
        f"INSERT INTO owner_recovery (org, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        org, new.staff, new.email, new.reason, new.operator, new.asked_at, new.due_at,
    ) == 1  # fmt: skip


async def recovery(tx: Tx, org: UUID) -> RecoveryRow | None:
    return await tx.one(RecoveryRow, f"SELECT {_COLUMNS} FROM owner_recovery WHERE org = $1", org)


async def take_recovery(tx: Tx, org: UUID, now: datetime) -> RecoveryRow | None:
    """The one that is due, for the one of many replicas who gets it. Call with its person held."""
    return await tx.one(
        RecoveryRow, f"DELETE FROM owner_recovery WHERE org = $1 AND due_at <= $2 RETURNING {_COLUMNS}", org, now
    )


async def stop_recovery(tx: Tx, org: UUID) -> bool:
    """False where there is none, or it has been carried out. Call with its person held."""
    return await tx.run("DELETE FROM owner_recovery WHERE org = $1", org) == 1


async def due_anywhere(tx: Tx, now: datetime, limit: int) -> list[UUID]:
    """Organisations whose owner's recovery is to be carried out, the first that was due first."""
    return await tx.column("SELECT org FROM owner_recovery WHERE due_at <= $1 ORDER BY due_at LIMIT $2", now, limit)


async def owner(tx: Tx, org: UUID) -> UUID | None:
    """There is one at most, active or not yet."""
    found: UUID | None = await tx.value(
        "SELECT id FROM staff WHERE org = $1 AND type = 'owner' AND status IN ('invited', 'active')", org
    )
    return found
