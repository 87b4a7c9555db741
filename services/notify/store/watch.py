"""What is to be seen of all deliveries at once."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.db import Tx


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """`oldest` is when the event came that promised the oldest of them."""

    channel: str
    provider: str | None
    count: int
    oldest: datetime


class DeadCount(msgspec.Struct, frozen=True, kw_only=True):
    channel: str
    template: str
    count: int


async def waiting_anywhere(tx: Tx) -> list[Waiting]:
    return await tx.all(
        Waiting,
        "SELECT channel, provider, count(*) AS count, min(issued_at) AS oldest FROM delivery"
        " WHERE state IN ('queued', 'sending') GROUP BY channel, provider",
    )


async def dead_anywhere(tx: Tx) -> list[DeadCount]:
    """Those that something can still be done about."""
    return await tx.all(
        DeadCount,
        "SELECT channel, template, count(*) AS count FROM delivery WHERE state = 'dead' AND sealed IS NOT NULL"
        " GROUP BY channel, template",
    )
