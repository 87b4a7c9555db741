"""Codes that were sent by SMS, and which of them were used."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class SentCode(msgspec.Struct, frozen=True, kw_only=True):
    """`proven`: its number had used one before."""

    delivery: UUID
    org: UUID
    number: bytes
    prefix: bytes
    source: bytes | None
    proven: bool


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Of codes to numbers that had used none before. Those of the last hour are used, old (nobody will use them any more)
    or still waited for; the day's are all that were sent, and those of them that are used or old."""

    kind: str
    used: int
    old: int
    waiting: int
    day_used: int
    day_old: int
    day_sent: int


async def note_sent(tx: Tx, code: SentCode, now: datetime) -> None:
    """It may have been used already, as far as is heard here."""
    await tx.run(
        "INSERT INTO sent_code (org, delivery, at, number, prefix, source, proven) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (delivery) DO UPDATE SET number = $4, prefix = $5, source = $6, proven = $7, at = $3",
        code.org, code.delivery, now, code.number, code.prefix, code.source, code.proven,
    )  # fmt: skip


async def note_used(tx: Tx, org: UUID, delivery: UUID, now: datetime) -> bytes | None:
    """The number that it was sent to, if that is known."""
    number: bytes | None = await tx.value(
        "INSERT INTO sent_code AS c (org, delivery, at, used_at) VALUES ($1, $2, $3, $3)"
        " ON CONFLICT (delivery) DO UPDATE SET used_at = coalesce(c.used_at, $3) WHERE c.org = $1 RETURNING number",
        org, delivery, now,
    )  # fmt: skip
    return number


async def prove(tx: Tx, number: bytes, now: datetime) -> None:
    await tx.run(
        "INSERT INTO proven_number (number, used_at) VALUES ($1, $2)"
        " ON CONFLICT (number) DO UPDATE SET used_at = excluded.used_at",
        number, now,
    )  # fmt: skip


async def is_proven(tx: Tx, number: bytes, since: datetime) -> bool:
    proven: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM proven_number WHERE number = $1 AND used_at > $2)", number, since
    )
    return proven


_TRIED = (
    " count(*) FILTER (WHERE at > $5 AND used_at IS NOT NULL) AS used,"
    " count(*) FILTER (WHERE at > $5 AND used_at IS NULL AND at <= $4) AS old,"
    " count(*) FILTER (WHERE at > $5 AND used_at IS NULL AND at > $4) AS waiting,"
    " count(used_at) AS day_used,"
    " count(*) FILTER (WHERE used_at IS NULL AND at <= $4) AS day_old,"
    " count(*) AS day_sent"
    " FROM sent_code WHERE NOT proven AND at > $6"
    # What no provider took was sent to nobody: an outage is no pumping.
    " AND NOT EXISTS (SELECT FROM delivery WHERE delivery.id = sent_code.delivery AND NOT delivery.unsure"
    "  AND delivery.state IN ('queued', 'expired', 'failed', 'dropped'))"
)


async def records_anywhere(
    tx: Tx, prefix: bytes, org: UUID, source: bytes | None, old: datetime, hour: datetime, day: datetime
) -> list[Record]:
    """Of the prefix and of where it was asked for across organisations, and of the organisation."""
    return await tx.all(
        Record,
        f"SELECT 'prefix' AS kind, {_TRIED} AND prefix = $1"
        f" UNION ALL SELECT 'organisation', {_TRIED} AND org = $2"
        f" UNION ALL SELECT 'source', {_TRIED} AND source = $3",
        prefix, org, source, old, hour, day,
    )  # fmt: skip
