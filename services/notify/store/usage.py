"""What was let through: counted by key over sliding windows, and by organisation and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from shared.db import Tx

_SUITE = 726402  # the first half of advisory locks is the space that they are in; 726401 is deliveries'
_KEYS = 726403


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that slide, side by side: `most[n]` of `keys[n]` within `within[n]`."""

    keys: list[bytes]
    within: list[timedelta]
    most: list[int]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a message takes of its part of the day, and how much of that there is. A budget binds what costs something."""

    org: UUID
    day: date
    channel: str
    family: str
    part: int
    most: int
    price: int
    budget: int
    suite_budget: int


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it was counted. If not: the window that is full longest (from 0) and until when, or what the day has seen."""

    counted: bool
    full: int | None
    until: datetime | None
    messages: int
    spent: int
    suite_spent: int


async def hold_suite(tx: Tx) -> None:
    """Until the end of this transaction nobody else counts anything that costs money. The whole suite has one budget: who
    would spend at the same time would spend the same remainder."""
    await tx.run("SELECT pg_advisory_xact_lock($1, 0)", _SUITE)


async def hold_keys(tx: Tx, keys: Sequence[int]) -> None:
    """Until the end of this transaction nobody else counts these. `keys` are in order, of 32 bits each."""
    await tx.run("SELECT pg_advisory_xact_lock($1, key) FROM unnest($2::int[]) AS key", _KEYS, [*keys])


async def count(tx: Tx, windows: Windows, share: Share, now: datetime) -> Counted:
    """Count one message, if it fits into everything; else nothing. The caller holds the keys: what another one has counted
    and not yet committed is not seen here."""
    counted = await tx.one(
        Counted,
        "WITH full_window AS (SELECT rule.no, older.at + rule.within AS until"
        "  FROM unnest($1::bytea[], $2::interval[], $3::int[]) WITH ORDINALITY AS rule (key, within, most, no)"
        "  CROSS JOIN LATERAL (SELECT at FROM counted WHERE key = rule.key AND at > $4::timestamptz - rule.within"
        "   ORDER BY at DESC LIMIT 1 OFFSET rule.most - 1) AS older),"
        " today AS (SELECT coalesce(sum(spent), 0)::bigint AS spent,"
        "  coalesce(sum(messages) FILTER (WHERE channel = $7 AND family = $8 AND part = $13), 0)::int AS messages"
        "  FROM usage_day WHERE org = $5 AND day = $6),"
        " suite AS (SELECT coalesce((SELECT spent FROM suite_day WHERE day = $6), 0) AS spent),"
        " taken AS (INSERT INTO usage_day AS d (org, day, channel, family, part, messages, spent)"
        "  SELECT $5::uuid, $6::date, $7::text, $8::text, $13::smallint, 1, $10::bigint FROM today, suite WHERE NOT EXISTS (SELECT FROM full_window)"
        "   AND ($10 = 0 OR (today.spent + $10 <= $11::bigint AND suite.spent + $10 <= $12::bigint))"
        "  ON CONFLICT (org, day, channel, family, part) DO UPDATE SET messages = d.messages + 1,"
        "   spent = d.spent + excluded.spent WHERE d.messages < $9::int RETURNING 1),"
        " kept AS (INSERT INTO counted (key, at) SELECT DISTINCT key, $4::timestamptz FROM unnest($1::bytea[]) AS key, taken),"
        " paid AS (INSERT INTO suite_day AS s (day, spent) SELECT $6::date, $10::bigint FROM taken WHERE $10 > 0"
        "  ON CONFLICT (day) DO UPDATE SET spent = s.spent + excluded.spent)"
        " SELECT EXISTS (SELECT FROM taken) AS counted, longest.no - 1 AS full, longest.until, today.messages,"
        "  today.spent, suite.spent AS suite_spent FROM today CROSS JOIN suite"
        "  LEFT JOIN (SELECT no, until FROM full_window ORDER BY until DESC LIMIT 1) AS longest ON true",
        windows.keys, windows.within, windows.most, now, share.org, share.day, share.channel, share.family,
        share.most, share.price, share.budget, share.suite_budget, share.part,
    )  # fmt: skip
    assert counted is not None
    return counted


# --- blocked ----------------------------------------------------------------------------------------------------


async def is_blocked(tx: Tx, keys: Sequence[bytes], now: datetime) -> bool:
    found: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM blocked WHERE key = ANY($1::bytea[]) AND until > $2)", [*keys], now
    )
    return found


async def block(tx: Tx, key: bytes, kind: str, now: datetime, until: datetime) -> bool:
    """True if that is news."""
    return await tx.run(
        "INSERT INTO blocked AS b (key, kind, since, until) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (key) DO UPDATE SET since = $3, until = $4 WHERE b.until <= $3",
        key, kind, now, until,
    ) == 1  # fmt: skip


# --- looking, and forgetting ------------------------------------------------------------------------------------


class BlockedCount(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    count: int


async def blocked_counts(tx: Tx, now: datetime) -> list[BlockedCount]:
    return await tx.all(BlockedCount, "SELECT kind, count(*) AS count FROM blocked WHERE until > $1 GROUP BY kind", now)


async def spent(tx: Tx, day: date) -> int:
    spent: int | None = await tx.value("SELECT spent FROM suite_day WHERE day = $1", day)
    return spent or 0


async def forget_anywhere(tx: Tx, before: datetime, days_before: date, unproven: datetime, batch: int) -> int:
    """What no window reaches back to, a batch of each; how many rows that were."""
    return (
        await tx.run(
            "DELETE FROM counted WHERE ctid = ANY(ARRAY(SELECT ctid FROM counted WHERE at < $1 LIMIT $2"
            " FOR UPDATE SKIP LOCKED))", before, batch,
        )
        + await tx.run(
            "DELETE FROM sent_code WHERE delivery IN (SELECT delivery FROM sent_code WHERE at < $1 LIMIT $2"
            " FOR UPDATE SKIP LOCKED)", before, batch,
        )
        + await tx.run(
            "DELETE FROM proven_number WHERE number IN (SELECT number FROM proven_number WHERE used_at < $1 LIMIT $2"
            " FOR UPDATE SKIP LOCKED)", unproven, batch,
        )
        + await tx.run(
            "DELETE FROM blocked WHERE key IN (SELECT key FROM blocked WHERE until < $1 LIMIT $2"
            " FOR UPDATE SKIP LOCKED)", before, batch,
        )
        + await tx.run(
            "DELETE FROM usage_day WHERE ctid = ANY(ARRAY(SELECT ctid FROM usage_day WHERE day < $1 LIMIT $2"
            " FOR UPDATE SKIP LOCKED))", days_before, batch,
        )
        + await tx.run("DELETE FROM suite_day WHERE day < $1", days_before)
    )  # fmt: skip
