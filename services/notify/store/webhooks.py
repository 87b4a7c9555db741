"""Deliveries to products' endpoints, as events bring them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID
    endpoint: str
    type: str
    priority: int
    sealed: str
    last_attempt: int
    issued_at: datetime
    deadline: datetime
    traceparent: str


async def add(tx: Tx, new: NewPost, now: datetime) -> bool:
    """To nobody in particular, and through this endpoint alone. False if it is there already."""
    added = await tx.run(
        "INSERT INTO delivery (org, id, channel, provider, template, priority, state, sealed, next_attempt_at, issued_at,"
        " created_at, deadline, last_attempt, traceparent)"
        " VALUES ($1, $2, 'webhook', $3, $4, $5, 'queued', $6, $7, $8, $7, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
        new.org, new.id, new.endpoint, new.type, new.priority, new.sealed, now, new.issued_at, new.deadline,
        new.last_attempt, new.traceparent,
    )  # fmt: skip
    return added == 1
