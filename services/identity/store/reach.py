"""Whom messages reach, and when administrators were told of whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx

_COLUMN = {"email": "email", "sms": "mobile"}
_A_DAY = timedelta(days=1)


async def mark(tx: Tx, org: UUID, staff: UUID, channel: str, failure: str, now: datetime) -> bool:
    """False where it was known before: the first failure says since when."""
    column = _COLUMN[channel]
    return await tx.run(
        f"UPDATE staff SET {column}_failure = $3, {column}_failed_at = $4"
        f" WHERE org = $1 AND id = $2 AND {column}_failure IS NULL",
        org, staff, failure, now,
    ) == 1  # fmt: skip


async def clear(tx: Tx, org: UUID, staff: UUID, channel: str) -> bool:
    """False where nothing was wrong."""
    column = _COLUMN[channel]
    return await tx.run(
        f"UPDATE staff SET {column}_failure = NULL, {column}_failed_at = NULL"
        f" WHERE org = $1 AND id = $2 AND {column}_failure IS NOT NULL",
        org, staff,
    ) == 1  # fmt: skip


async def take_telling(tx: Tx, org: UUID, staff: UUID, now: datetime, most: int) -> bool:
    """Whether administrators may be told of this person now: once a day, and of so many people of the organisation."""
    return await tx.run(
        "UPDATE staff SET unreachable_told_at = $3 WHERE org = $1 AND id = $2"
        " AND (unreachable_told_at IS NULL OR unreachable_told_at <= $4)"
        " AND (SELECT count(*) FROM staff WHERE org = $1 AND unreachable_told_at > $4) < $5",
        org, staff, now, now - _A_DAY, most,
    ) == 1  # fmt: skip


async def administrators(tx: Tx, org: UUID) -> list[StaffRow]:
    """Who can do something about it. They are read and not held."""
    return await tx.all(
        StaffRow,
        f"SELECT {COLUMNS} FROM staff WHERE org = $1 AND type IN ('owner', 'administrator') AND status = 'active'"
        " AND portal ORDER BY id",
        org,
    )  # fmt: skip
