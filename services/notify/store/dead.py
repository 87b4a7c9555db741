"""Dead deliveries: found, put back once, given up; and what is kept of those that are over."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from services.notify.store.deliveries import Ended
from shared.db import Tx
from staffgate.contracts.notify import DeliveryState, Reason


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether one can be replayed or dropped."""

    staff: UUID | None
    channel: str
    template: str
    state: DeliveryState
    sealed: bool
    deadline: datetime
    replayed_at: datetime | None


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """As an operator sees it."""

    id: UUID
    org: UUID
    channel: str
    template: str
    provider: str | None
    attempts: int
    finished_at: datetime
    deadline: datetime
    last_answer: str | None
    replayable: bool


class Among(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead ones an operator means, in every organisation. None: whichever."""

    id: UUID | None = None
    org: UUID | None = None
    channel: str | None = None
    template: str | None = None
    provider: str | None = None
    since: datetime | None = None  # dead since then


# --- of one organisation --------------------------------------------------------------------------------------


async def standing(tx: Tx, org: UUID, id: UUID) -> Standing | None:
    """Held until the end of the transaction: what is decided of it stays true."""
    return await tx.one(
        Standing,
        "SELECT staff, channel, template, state, sealed IS NOT NULL AS sealed, deadline, replayed_at FROM delivery"
        " WHERE org = $1 AND id = $2 FOR UPDATE",
        org, id,
    )  # fmt: skip


async def replay(tx: Tx, org: UUID, id: UUID, now: datetime, tries: int) -> None:
    """With as many tries as at first. Its provider stays named: where that may have it, nobody else gets it."""
    await tx.run(
        "UPDATE delivery SET state = 'queued', reason = NULL, finished_at = NULL, replayed_at = $3, next_attempt_at = $3,"
        " last_attempt = attempts + $4 WHERE org = $1 AND id = $2",
        org, id, now, tries,
    )  # fmt: skip


async def drop(tx: Tx, org: UUID, id: UUID, now: datetime) -> Ended | None:
    return await tx.one(
        Ended,
        "UPDATE delivery SET state = 'dropped', reason = $4, finished_at = $3, sealed = NULL WHERE org = $1 AND id = $2"
        " RETURNING org, id, staff, channel, template, reason, contact",
        org, id, now, Reason.DROPPED,
    )  # fmt: skip


# --- of every organisation: an operator's ----------------------------------------------------------------------


async def list_anywhere(tx: Tx, among: Among, now: datetime, limit: int) -> list[Dead]:
    """Those that died first come first."""
    asked: list[tuple[str, object]] = [
        ("id =", among.id),
        ("org =", among.org),
        ("channel =", among.channel),
        ("template =", among.template),
        ("provider =", among.provider),
        ("finished_at >=", among.since),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    conditions = "".join(f" AND {condition} ${n}" for n, (condition, _) in enumerate(given, 3))
    return await tx.all(
        Dead,
        "SELECT id, org, channel, template, provider, attempts, finished_at, deadline, last_answer,"
        " replayed_at IS NULL AND sealed IS NOT NULL AND deadline > $1 AS replayable FROM delivery"
        f" WHERE state = 'dead'{conditions} ORDER BY finished_at, id LIMIT $2",
        now, limit, *(value for _, value in given),
    )  # fmt: skip


async def erase_overdue_anywhere(tx: Tx, now: datetime, count: int) -> int:
    """What is past its deadline is not replayed any more, so nobody needs to know what it said."""
    return await tx.run(
        "UPDATE delivery SET sealed = NULL WHERE id IN (SELECT id FROM delivery"
        " WHERE state = 'dead' AND sealed IS NOT NULL AND deadline <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now, count,
    )  # fmt: skip


async def remove_finished_anywhere(tx: Tx, before: datetime, count: int) -> int:
    """Whatever ended before then, but for a dead one that can still be replayed."""
    return await tx.run(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery"
        " WHERE finished_at < $1 AND sealed IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before, count,
    )  # fmt: skip
