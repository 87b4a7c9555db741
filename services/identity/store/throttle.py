"""How often was failed lately; one statement to look, one to count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.db import Tx

KEPT = timedelta(days=2)  # without a failure; then it is forgotten what there was


class FailureRow(msgspec.Struct, frozen=True, kw_only=True):
    key: bytes
    failures: int
    level: float
    failed_at: datetime


async def failures(tx: Tx, keys: Sequence[bytes]) -> list[FailureRow]:
    return await tx.all(
        FailureRow, "SELECT key, failures, level, failed_at FROM throttle WHERE key = ANY($1::bytea[])", [*keys]
    )


async def count_failure(
    tx: Tx, keys: Sequence[bytes], forgets: Sequence[float], now: datetime, in_a_row: int
) -> list[FailureRow]:
    """One more for each. The keys in one order, whoever counts: two orders of locking are a deadlock. What nobody has
    failed at for long goes with it, a few rows each time."""
    return await tx.all(
        FailureRow,
        "WITH swept AS (DELETE FROM throttle WHERE key IN (SELECT key FROM throttle WHERE failed_at < $4"
        " AND key <> ALL($1::bytea[]) ORDER BY failed_at LIMIT 10 FOR UPDATE SKIP LOCKED))"
        " INSERT INTO throttle AS t (key, failures, level, forgets, failed_at)"
        " SELECT new.key, $5, 1, new.forgets, $3 FROM unnest($1::bytea[], $2::float8[]) AS new (key, forgets)"
        " ORDER BY new.key ON CONFLICT (key) DO UPDATE SET failures = t.failures + excluded.failures,"
        " level = greatest(0, t.level - t.forgets * extract(epoch FROM excluded.failed_at - t.failed_at) / 3600) + 1,"
        " forgets = excluded.forgets, failed_at = excluded.failed_at RETURNING key, failures, level, failed_at",
        [*keys], [*forgets], now, now - KEPT, in_a_row,
    )  # fmt: skip


async def forget(tx: Tx, keys: Sequence[bytes]) -> None:
    await tx.run("DELETE FROM throttle WHERE key = ANY($1::bytea[])", [*keys])


async def begin_anew(tx: Tx, key: bytes) -> None:
    """The next failure is the first in a row; what there has been still holds up."""
    await tx.run("UPDATE throttle SET failures = 0 WHERE key = $1", key)
