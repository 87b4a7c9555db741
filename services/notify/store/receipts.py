"""What providers told: the messages that are settled by it, and what was told before its time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from services.notify.channels.port import Told
from shared.db import Tx
from staffgate.contracts.notify import DeliveryState, Reason


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose fate is known now, and when it had left. Without `address` it was given away by somebody who didn't
    write it down yet."""

    org: UUID
    id: UUID
    staff: UUID | None
    channel: str
    template: str
    contact: str
    address: bytes | None
    masked: str | None
    finished_at: datetime


class Early(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt that waits for its message's reference to be written down."""

    id: UUID
    provider: str
    reference: str
    state: DeliveryState
    reason: Reason | None
    permanent: bool
    answer: str
    told_at: datetime


async def settle_anywhere(tx: Tx, told: Told, now: datetime) -> Settled | None:
    """None where it is not this provider's message, or nothing new. One statement, so that of two at once one is first.

    What a provider says of a message that was given to it settles that message, recorded or not: the sender that is still
    at it finds it taken. Delivered comes before bounced, whichever is told first; from there it goes nowhere. Of a
    reference that was given twice (those of SMPP servers begin anew) the newest message is meant.
    """
    return await tx.one(
        Settled,
        "UPDATE delivery SET state = $4, reason = $5, last_answer = $6, settled_at = $7,"
        " finished_at = coalesce(finished_at, $7), sealed = NULL, unsure = false"
        " WHERE provider = $1 AND id = coalesce($2::uuid, (SELECT id FROM delivery WHERE provider = $1 AND reference = $3"
        "  ORDER BY created_at DESC LIMIT 1))"
        " AND (state IN ('queued', 'sending', 'sent', 'expired', 'dead') OR (state = 'delivered' AND $4 = 'bounced')"
        "  OR (state = 'failed' AND unsure))"
        " RETURNING org, id, staff, channel, template, contact, address, masked, finished_at",
        told.provider, told.delivery, told.reference, told.state, told.reason, told.answer, now,
    )  # fmt: skip


async def is_known_anywhere(tx: Tx, told: Told) -> bool:
    found: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM delivery"
        " WHERE provider = $1 AND CASE WHEN $2::uuid IS NULL THEN reference = $3 ELSE id = $2 END)",
        told.provider, told.delivery, told.reference,
    )  # fmt: skip
    return found


# --- what is told before its time -----------------------------------------------------------------------------


async def keep_early(tx: Tx, id: UUID, told: Told, now: datetime) -> None:
    await tx.run(
        "INSERT INTO early_receipt (id, provider, reference, state, reason, permanent, answer, told_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        id, told.provider, told.reference, told.state, told.reason, told.permanent, told.answer, now,
    )  # fmt: skip


async def take_early_anywhere(tx: Tx, limit: int) -> list[Early]:
    """Those whose message has its reference by now; they are gone with the commit. The order is the one they came in."""
    found = await tx.all(
        Early,
        "DELETE FROM early_receipt WHERE id IN (SELECT early.id FROM early_receipt AS early"
        "  JOIN delivery ON delivery.provider = early.provider AND delivery.reference = early.reference"
        "  ORDER BY early.told_at, early.id LIMIT $1 FOR UPDATE OF early SKIP LOCKED)"
        " RETURNING id, provider, reference, state, reason, permanent, answer, told_at",
        limit,
    )
    return sorted(found, key=lambda early: (early.told_at, early.id))


async def forget_early(tx: Tx, before: datetime, limit: int) -> int:
    """What is nobody's: another program's messages at the same provider."""
    return await tx.run(
        "DELETE FROM early_receipt WHERE id IN (SELECT id FROM early_receipt WHERE told_at < $1 LIMIT $2)",
        before, limit,
    )  # fmt: skip
