"""Deliveries: a message that was promised becomes a row, and the row says what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from prometheus_client import Counter

from services.notify.delivery import places
from services.notify.kinds import CODE, NORMAL, NOTICE, URGENT, is_security
from services.notify.store import deliveries as store
from services.notify.store.listing import Wanted, page
from shared.bus.envelope import Envelope
from shared.db import Database, Tx
from shared.errors import Invalid, NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import CodeIssued, LinkIssued, NoticeIssued
from staffgate.contracts.notify import DeliveryList, DeliveryQuery, MessageFailed, Reason

# With pauses of ten minutes at most this is about seven hours: a provider's bad day, and not a week of knocking.
TRIES = 48

log = structlog.get_logger()
outcomes = Counter("notify_deliveries_total", "What became of messages", ["channel", "template", "outcome"])


class Deliveries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(self, caller: Person, asked: DeliveryQuery) -> DeliveryList:
        """A person's own, and to those who administer the organisation everybody's."""
        if asked.staff not in (None, caller.staff) and not caller.administers:
            raise NotFound("not_found", "There is nobody of that id whose deliveries you may see.")
        wanted = Wanted(
            staff=asked.staff if caller.administers else caller.staff,
            state=asked.state,
            channel=asked.channel,
            template=asked.template,
            provider=asked.provider,
            since=_moment(asked.since) if asked.since else None,
        )
        after = places.read(asked.after) if asked.after else None
        async with self._db.begin(caller.org) as tx:
            found = await page(tx, caller.org, wanted, after, asked.limit + 1)
        shown, now = found[: asked.limit], self._db.clock.now()
        for one in shown:
            one.replayable = one.replayable and one.deadline > now
        more = len(found) > len(shown)
        return DeliveryList(
            deliveries=shown, next=places.written(shown[-1].created_at, shown[-1].id) if more else None
        )  # fmt: skip


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise Invalid(
            "no_such_time", "There is no such time; write it like 2026-11-22T09:00:00Z.", at="$.since"
        ) from fault


# --- what the bus brings --------------------------------------------------------------------------------------


async def queue_link(tx: Tx, event: LinkIssued, envelope: Envelope) -> None:
    """A new link kills the older ones of its purpose, so they need not arrive any more."""
    template, now = event.purpose.value, tx.database.clock.now()
    await store.hold_messages_to(tx, event.org, event.staff, template)
    await store.add(tx, _new(event, envelope, event.link, "email", template, NORMAL), now)
    await tell_ended(tx, await store.end_superseded(tx, event.org, event.staff, template, now))


async def queue_code(tx: Tx, event: CodeIssued, envelope: Envelope) -> None:
    """Codes don't supersede one another: a person may be logging in at two places."""
    await store.add(tx, _new(event, envelope, event.code, event.channel, CODE, URGENT), tx.database.clock.now())


async def queue_notice(tx: Tx, event: NoticeIssued, envelope: Envelope) -> None:
    """Each by itself: the second of a kind tells of something else than the first."""
    new = _new(event, envelope, event.notice, "email", NOTICE + event.kind, NORMAL)
    await store.add(tx, new, tx.database.clock.now())


def _new(
    event: LinkIssued | CodeIssued | NoticeIssued, envelope: Envelope, id: UUID, channel: str, template: str, priority: int
) -> store.NewDelivery:  # fmt: skip
    """A code is tried until it is too late; the others so many times."""
    return store.NewDelivery(
        org=event.org,
        id=id,
        staff=event.staff,
        channel=channel,
        template=template,
        priority=priority,
        sealed=event.sealed,
        last_attempt=None if priority == URGENT else TRIES,
        issued_at=envelope.time,
        deadline=event.expires_at,
        traceparent=envelope.traceparent,
        contact=event.contact,
    )


# --- what became of them --------------------------------------------------------------------------------------


async def tell_ended(tx: Tx, ended: Sequence[store.Ended]) -> None:
    """Of messages that ended unsent: one line, one count and one event each, all with the change itself."""
    told, now = [one for one in ended if one.staff and one.reason is not Reason.SUPERSEDED], tx.database.clock.now()
    await tx.emit_all([failed(one, one.reason, at=now) for one in told])
    for delivery in ended:
        outcome = "superseded" if delivery.reason is Reason.SUPERSEDED else "expired"
        outcomes.labels(delivery.channel, delivery.template, outcome).inc()
        log.info(f"delivery.{outcome}", delivery=str(delivery.id), channel=delivery.channel, template=delivery.template)


def failed(
    delivery: store.Ended | store.Claim, reason: Reason, *, at: datetime, by: UUID | None = None
) -> MessageFailed:  # fmt: skip
    assert delivery.staff is not None
    return MessageFailed(
        org=delivery.org,
        staff=delivery.staff,
        message=delivery.id,
        channel=delivery.channel,
        template=delivery.template,
        security=is_security(delivery.template),
        contact=delivery.contact,
        at=at,
        reason=reason,
        by=by,
    )
