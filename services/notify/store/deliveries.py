"""Deliveries: received, claimed, given to a provider, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.notify import DeliveryState, Reason

_OPEN = "state IN ('queued', 'sending')"
SHOWN = (
    "id, staff, channel, template, state, reason, attempts, provider, segments, created_at, deadline,"
    f" CASE WHEN {_OPEN} THEN next_attempt_at END AS next_attempt_at, finished_at, settled_at, last_answer,"
    " state = 'dead' AND sealed IS NOT NULL AND replayed_at IS NULL AS replayable"
)


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID
    staff: UUID | None
    channel: str
    template: str
    priority: int
    sealed: str
    last_attempt: int | None
    issued_at: datetime
    deadline: datetime
    traceparent: str
    contact: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours to send. `attempts` fences: whoever claims it after us raises it."""

    id: UUID
    org: UUID
    staff: UUID | None
    channel: str
    template: str
    priority: int
    sealed: str
    attempts: int
    last_attempt: int | None
    admitted: bool
    provider: str | None
    unsure: bool
    issued_at: datetime
    created_at: datetime
    deadline: datetime
    traceparent: str
    contact: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that ended unsent."""

    org: UUID
    id: UUID
    staff: UUID | None
    channel: str
    template: str
    reason: Reason
    contact: str = ""


_ENDED = (
    "delivery.org, delivery.id, delivery.staff, delivery.channel, delivery.template, delivery.reason, delivery.contact"
)


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What one dispatcher takes: a channel's messages from one priority to another, both included. Of webhooks it is one
    endpoint's, so that one with a hundred thousand waiting holds up no other."""

    channel: str
    first: int
    last: int
    endpoint: str | None = None


def _endpoints(lane: Lane, place: int) -> str:
    """The channel as a word, for the index of endpoints holds webhooks only."""
    return f"AND channel = 'webhook' AND provider = ${place}" if lane.endpoint else ""


def _endpoint(lane: Lane) -> tuple[str, ...]:
    return (lane.endpoint,) if lane.endpoint else ()


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
        " created_at, deadline, last_attempt, traceparent, contact)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $8, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING",
        new.org, new.id, new.staff, new.channel, new.template, new.priority, new.sealed, now, new.issued_at,
        new.deadline, new.last_attempt, new.traceparent, new.contact,
    )  # fmt: skip
    return added == 1


async def end_superseded(tx: Tx, org: UUID, staff: UUID, template: str, now: datetime) -> list[Ended]:
    """End every such message to this person but the newest, in whatever order they came.

    One that is being sent right now is only marked: what comes of it is the sender's to say, but it is not tried again.
    """
    await tx.run(
        "UPDATE delivery AS old SET superseded = true"
        f" WHERE org = $1 AND staff = $2 AND template = $3 AND {_OPEN} AND NOT superseded"
        " AND EXISTS (SELECT FROM delivery AS new WHERE new.org = $1 AND new.staff = $2 AND new.template = $3"
        "  AND (new.issued_at, new.id) > (old.issued_at, old.id))",
        org, staff, template,
    )  # fmt: skip
    return await tx.all(
        Ended,
        "UPDATE delivery SET state = 'expired', reason = 'superseded', sealed = NULL, finished_at = $4,"
        " last_answer = 'superseded'"
        " WHERE org = $1 AND staff = $2 AND template = $3 AND state = 'queued' AND superseded"
        f" RETURNING {_ENDED}",
        org, staff, template, now,
    )  # fmt: skip


# --- sending, for every organisation ---------------------------------------------------------------------------


async def end_overdue_anywhere(tx: Tx, channel: str, now: datetime, count: int) -> list[Ended]:
    """End what is past its deadline or superseded, unless somebody is sending it."""
    return await tx.all(
        Ended,
        "WITH overdue AS MATERIALIZED (SELECT id FROM delivery WHERE channel = $1 AND sealed IS NOT NULL"
        f"  AND {_OPEN} AND (state = 'queued' OR next_attempt_at <= $2) AND deadline <= $2"
        "  LIMIT $3 FOR UPDATE SKIP LOCKED),"
        " idle AS MATERIALIZED (SELECT id FROM delivery WHERE channel = $1 AND superseded"
        f"  AND {_OPEN} AND (state = 'queued' OR next_attempt_at <= $2)"
        "  LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " UPDATE delivery SET state = 'expired', sealed = NULL, finished_at = $2,"
        " reason = CASE WHEN superseded THEN 'superseded' ELSE 'too_late' END,"
        " last_answer = CASE WHEN superseded THEN 'superseded' ELSE concat_ws('; before: ', 'too late', last_answer) END"
        " WHERE id IN (SELECT id FROM overdue UNION SELECT id FROM idle)"
        f" RETURNING {_ENDED}",
        channel, now, count,
    )  # fmt: skip


async def claim_anywhere(
    tx: Tx, lane: Lane, now: datetime, until: datetime, count: int, shut: Sequence[str] = ()
) -> list[Claim]:
    """Take what is due, the most urgent first. What was taken and not settled by then is due again. What one of the `shut`
    may have is for nobody else, and stays where it is."""
    claims = await tx.all(
        Claim,
        f"WITH due AS MATERIALIZED (SELECT id FROM delivery WHERE channel = $1 AND priority BETWEEN $2 AND $3 AND {_OPEN}"
        f"  {_endpoints(lane, 8)} AND next_attempt_at <= $4 AND deadline > $4 AND NOT superseded"
        "  AND NOT (unsure AND provider = ANY($7))"
        "  ORDER BY priority, next_attempt_at LIMIT $6 FOR UPDATE SKIP LOCKED)"
        " UPDATE delivery SET state = 'sending', next_attempt_at = $5, attempts = attempts + 1"
        " FROM due WHERE delivery.id = due.id"
        " RETURNING delivery.id, org, staff, channel, template, priority, sealed, attempts, last_attempt, admitted,"
        " provider, unsure, issued_at, created_at, deadline, traceparent, contact",
        lane.channel, lane.first, lane.last, now, until, count, shut, *_endpoint(lane),
    )  # fmt: skip
    return sorted(claims, key=lambda claim: (claim.priority, claim.created_at))


async def next_due_anywhere(tx: Tx, lane: Lane, shut: Sequence[str] = ()) -> datetime | None:
    due: datetime | None = await tx.value(
        f"SELECT least(next_attempt_at, deadline) FROM delivery WHERE channel = $1 AND priority BETWEEN $2 AND $3 AND {_OPEN}"
        f" {_endpoints(lane, 5)} AND NOT (unsure AND provider = ANY($4)) ORDER BY priority, next_attempt_at LIMIT 1",
        lane.channel, lane.first, lane.last, shut, *_endpoint(lane),
    )  # fmt: skip
    return due


async def assign_anywhere(tx: Tx, claim: Claim, provider: str) -> bool:
    """It is admitted, and about to be given to this provider: from here on it may be there. False if it is not ours any
    more, or needs not arrive any more."""
    assigned = await tx.run(
        "UPDATE delivery SET provider = $3, unsure = true, admitted = true"
        " WHERE id = $1 AND attempts = $2 AND state = 'sending' AND NOT superseded",
        claim.id, claim.attempts, provider,
    )  # fmt: skip
    return assigned == 1


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended for good. `segments` are an SMS's; `unreachable`: there is nobody at that address. A dead one
    may be at its provider all the same (`unsure`): it is remembered, since it may be replayed."""

    state: DeliveryState
    answer: str
    reason: Reason | None = None
    reference: str | None = None
    segments: int | None = None
    unsure: bool = False
    unreachable: bool = False


async def finish_anywhere(tx: Tx, claim: Claim, end: Finished, now: datetime) -> bool:
    """It is over, one way or another; a dead one keeps what it says. False if it is not ours any more.

    What its provider told before it was written down that it was sent stands: only what it calls the message is added.
    """
    finished = await tx.run(
        "UPDATE delivery SET reference = $6, segments = $7, finished_at = coalesce(finished_at, $8), unsure = $9,"
        " state = CASE state WHEN 'sending' THEN $3 ELSE state END,"
        " reason = CASE state WHEN 'sending' THEN $4 ELSE reason END,"
        " last_answer = CASE state WHEN 'sending' THEN $5 ELSE last_answer END,"
        " sealed = CASE $3 WHEN 'dead' THEN sealed END"
        " WHERE id = $1 AND attempts = $2"
        " AND (state = 'sending' OR ($3 = 'sent' AND state IN ('delivered', 'bounced')))",
        claim.id, claim.attempts, end.state, end.reason, end.answer, end.reference, end.segments, now, end.unsure,
    )  # fmt: skip
    return finished == 1


async def put_back_anywhere(
    tx: Tx, claim: Claim, answer: str, next_attempt_at: datetime, *, unsure: bool = False, counts: bool = True
) -> bool:
    """To be tried again; one that does not count leaves as many tries as before. False if it is not ours any more."""
    put_back = await tx.run(
        "UPDATE delivery SET state = 'queued', last_answer = $3, next_attempt_at = $4, unsure = $5,"
        " last_attempt = last_attempt + CASE WHEN $6 THEN 0 ELSE 1 END"
        " WHERE id = $1 AND attempts = $2 AND state = 'sending'",
        claim.id, claim.attempts, answer, next_attempt_at, unsure, counts,
    )  # fmt: skip
    return put_back == 1
