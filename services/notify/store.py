"""Every query of notify."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.notify import Delivery, DeliveryState

_SHOWN = "id, staff, channel, template, state, attempts, created_at, deadline, finished_at, last_answer"


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID
    staff: UUID
    channel: str
    template: str
    priority: int
    sealed: str
    issued_at: datetime
    deadline: datetime
    traceparent: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours to send. `attempts` fences: whoever claims it after us raises it."""

    id: UUID
    org: UUID
    channel: str
    template: str
    priority: int
    sealed: str
    attempts: int
    issued_at: datetime
    created_at: datetime
    deadline: datetime
    traceparent: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that ended unsent."""

    id: UUID
    channel: str
    template: str
    superseded: bool


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """When there is something to do next, and since when the oldest waits."""

    next_due: datetime | None
    oldest: datetime | None


# --- receiving ------------------------------------------------------------------------------------------------


async def hold_messages_to(tx: Tx, org: UUID, staff: UUID, template: str) -> None:
    """Until the end of this transaction, nobody else adds such a message to this person.

    Of two links that arrive at once neither transaction sees the other's, and both would be sent.
    """
    await tx.run("SELECT pg_advisory_xact_lock(726401, hashtext($1))", f"{org} {staff} {template}")


async def add(tx: Tx, new: NewDelivery, now: datetime) -> bool:
    """False if it is there already."""
    added = await tx.run(
        "INSERT INTO delivery (org, id, staff, channel, template, priority, state, sealed, next_attempt_at, issued_at,"
        " created_at, deadline, traceparent)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $8, $10, $11) ON CONFLICT (id) DO NOTHING",
        new.org, new.id, new.staff, new.channel, new.template, new.priority, new.sealed, now, new.issued_at,
        new.deadline, new.traceparent,
    )  # fmt: skip
    return added == 1


async def end_superseded(tx: Tx, org: UUID, staff: UUID, template: str, now: datetime) -> list[Ended]:
    """End every such message to this person but the newest, in whatever order they came.

    One that is being sent right now is only marked: what comes of it is the sender's to say, but it is not tried again.
    """
    rows = await tx.all(
        Ended,
        "UPDATE delivery AS old SET superseded = true,"
        " sealed = CASE state WHEN 'queued' THEN NULL ELSE sealed END,"
        " finished_at = CASE state WHEN 'queued' THEN $4::timestamptz END,"
        " last_answer = CASE state WHEN 'queued' THEN 'superseded' ELSE last_answer END,"
        " state = CASE state WHEN 'queued' THEN 'expired' ELSE state END"
        " WHERE org = $1 AND staff = $2 AND template = $3 AND state IN ('queued', 'sending') AND NOT superseded"
        " AND EXISTS (SELECT FROM delivery AS new WHERE new.org = $1 AND new.staff = $2 AND new.template = $3"
        "  AND (new.issued_at, new.id) > (old.issued_at, old.id))"
        " RETURNING id, channel, template, state = 'expired' AS superseded",
        org, staff, template, now,
    )  # fmt: skip
    return [row for row in rows if row.superseded]


# --- sending, for every organisation ---------------------------------------------------------------------------


async def end_overdue_anywhere(tx: Tx, channel: str, now: datetime, count: int) -> list[Ended]:
    """End what is past its deadline or superseded, unless somebody is sending it."""
    return await tx.all(
        Ended,
        "WITH overdue AS MATERIALIZED (SELECT id FROM delivery WHERE channel = $1 AND state IN ('queued', 'sending')"
        "  AND (claimed_until IS NULL OR claimed_until <= $2) AND (deadline <= $2 OR superseded)"
        "  LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " UPDATE delivery SET state = 'expired', sealed = NULL, claimed_until = NULL, finished_at = $2,"
        " last_answer = CASE WHEN superseded THEN 'superseded' ELSE concat_ws('; before: ', 'too late', last_answer) END"
        " FROM overdue WHERE delivery.id = overdue.id"
        " RETURNING delivery.id, channel, template, superseded",
        channel, now, count,
    )  # fmt: skip


async def claim_anywhere(tx: Tx, channel: str, now: datetime, until: datetime, count: int) -> list[Claim]:
    """Take what is due, the most urgent first. What was taken and not settled by then may be taken again."""
    claims = await tx.all(
        Claim,
        "WITH due AS MATERIALIZED (SELECT id FROM delivery WHERE channel = $1 AND state IN ('queued', 'sending')"
        "  AND next_attempt_at <= $2 AND (claimed_until IS NULL OR claimed_until <= $2) AND deadline > $2"
        "  AND NOT superseded ORDER BY priority, created_at LIMIT $4 FOR UPDATE SKIP LOCKED)"
        " UPDATE delivery SET state = 'sending', claimed_until = $3, attempts = attempts + 1"
        " FROM due WHERE delivery.id = due.id"
        " RETURNING delivery.id, org, channel, template, priority, sealed, attempts, issued_at, created_at, deadline,"
        " traceparent",
        channel, now, until, count,
    )  # fmt: skip
    return sorted(claims, key=lambda claim: (claim.priority, claim.created_at))


async def outlook_anywhere(tx: Tx, channel: str) -> Outlook:
    outlook = await tx.one(
        Outlook,
        "SELECT min(greatest(least(next_attempt_at, deadline), claimed_until)) AS next_due,"
        " min(created_at) FILTER (WHERE state = 'queued') AS oldest"
        " FROM delivery WHERE channel = $1 AND state IN ('queued', 'sending')",
        channel,
    )
    assert outlook is not None
    return outlook


async def finish_anywhere(tx: Tx, claim: Claim, state: DeliveryState, answer: str, now: datetime) -> bool:
    """It is over, one way or another. False if it is not ours any more."""
    finished = await tx.run(
        "UPDATE delivery SET state = $3, last_answer = $4, finished_at = $5, sealed = NULL, claimed_until = NULL"
        " WHERE id = $1 AND attempts = $2 AND state = 'sending'",
        claim.id, claim.attempts, state, answer, now,
    )  # fmt: skip
    return finished == 1


async def put_back_anywhere(tx: Tx, claim: Claim, answer: str, next_attempt_at: datetime) -> bool:
    """To be tried again. False if it is not ours any more."""
    put_back = await tx.run(
        "UPDATE delivery SET state = 'queued', last_answer = $3, next_attempt_at = $4, claimed_until = NULL"
        " WHERE id = $1 AND attempts = $2 AND state = 'sending'",
        claim.id, claim.attempts, answer, next_attempt_at,
    )  # fmt: skip
    return put_back == 1


# --- looking --------------------------------------------------------------------------------------------------


async def newest_to(tx: Tx, org: UUID, staff: UUID, limit: int) -> list[Delivery]:
    return await tx.all(
        Delivery,
        f"SELECT {_SHOWN} FROM delivery WHERE org = $1 AND staff = $2 ORDER BY created_at DESC, id DESC LIMIT $3",
        org, staff, limit,
    )  # fmt: skip


async def newest(tx: Tx, org: UUID, limit: int) -> list[Delivery]:
    return await tx.all(
        Delivery,
        f"SELECT {_SHOWN} FROM delivery WHERE org = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        org, limit,
    )  # fmt: skip
