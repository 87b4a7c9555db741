"""Whom messages reach, and when administrators were told of whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx

_A_DAY = timedelta(days=1)


async def hear(tx: Tx, org: UUID, staff: UUID, channel: str, at: datetime) -> bool:
    """Note that a message of that time has shown whether the address is good; False where a later one has."""
    return await tx.run(
        "UPDATE staff SET email_heard_at = CASE $3 WHEN 'email' THEN $4 ELSE email_heard_at END,"
        " mobile_heard_at = CASE $3 WHEN 'sms' THEN $4 ELSE mobile_heard_at END"
        " WHERE org = $1 AND id = $2"
        " AND coalesce(CASE $3 WHEN 'email' THEN email_heard_at ELSE mobile_heard_at END < $4, true)",
        org, staff, channel, at,
    ) == 1  # fmt: skip


async def mark(tx: Tx, org: UUID, staff: UUID, channel: str, failure: str, now: datetime) -> bool:
    """False where it was known before: the first failure says since when."""
    return await _set(tx, org, staff, channel, failure, now)


async def clear(tx: Tx, org: UUID, staff: UUID, channel: str) -> bool:
    """False where nothing was wrong."""
    return await _set(tx, org, staff, channel, None, None)


async def _set(tx: Tx, org: UUID, staff: UUID, channel: str, failure: str | None, at: datetime | None) -> bool:
    return await tx.run(
        "UPDATE staff SET email_failure = CASE $3 WHEN 'email' THEN $4 ELSE email_failure END,"
        " email_failed_at = CASE $3 WHEN 'email' THEN $5 ELSE email_failed_at END,"
        " mobile_failure = CASE $3 WHEN 'sms' THEN $4 ELSE mobile_failure END,"
        " mobile_failed_at = CASE $3 WHEN 'sms' THEN $5 ELSE mobile_failed_at END"
        " WHERE org = $1 AND id = $2"
        " AND (CASE $3 WHEN 'email' THEN email_failure ELSE mobile_failure END IS NULL) <> ($4::text IS NULL)",
        org, staff, channel, failure, at,
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
