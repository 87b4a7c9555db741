"""Deliveries: a message that was promised becomes a row, and the row says what became of it."""

from __future__ import annotations

from uuid import UUID

import structlog
from prometheus_client import Counter

from services.notify import store
from shared.bus.envelope import Envelope
from shared.db import Database, Tx
from shared.errors import NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import CodeIssued, LinkIssued, NoticeIssued
from staffgate.contracts.notify import DeliveryList

CODE = "code"
_NOTICE = "notice."
# Somebody sits and waits for a code; nobody for a link.
URGENT, NORMAL = 0, 10

log = structlog.get_logger()
outcomes = Counter("notify_deliveries_total", "What became of messages", ["channel", "template", "outcome"])


class Deliveries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self, caller: Person, staff: UUID | None, limit: int) -> DeliveryList:
        """A person's own, and to those who administer the organisation everybody's."""
        if staff not in (None, caller.staff) and not caller.administers:
            raise NotFound("not_found", "There is nobody of that id whose deliveries you may see.")
        async with self._db.begin(caller.org) as tx:
            if staff is None and caller.administers:
                return DeliveryList(deliveries=await store.newest(tx, caller.org, limit))
            return DeliveryList(deliveries=await store.newest_to(tx, caller.org, staff or caller.staff, limit))


# --- what the bus brings --------------------------------------------------------------------------------------


async def queue_link(tx: Tx, event: LinkIssued, envelope: Envelope) -> None:
    """A new link kills the older ones of its purpose, so they need not arrive any more."""
    template, now = event.purpose.value, tx.database.clock.now()
    await store.hold_messages_to(tx, event.org, event.staff, template)
    await store.add(
        tx,
        store.NewDelivery(
            org=event.org,
            id=event.link,
            staff=event.staff,
            channel="email",
            template=template,
            priority=NORMAL,
            sealed=event.sealed,
            issued_at=envelope.time,
            deadline=event.expires_at,
            traceparent=envelope.traceparent,
        ),
        now,
    )
    tell_ended(await store.end_superseded(tx, event.org, event.staff, template, now))


async def queue_code(tx: Tx, event: CodeIssued, envelope: Envelope) -> None:
    """Codes don't supersede one another: a person may be logging in at two places."""
    new = store.NewDelivery(
        org=event.org,
        id=event.code,
        staff=event.staff,
        channel=event.channel,
        template=CODE,
        priority=URGENT,
        sealed=event.sealed,
        issued_at=envelope.time,
        deadline=event.expires_at,
        traceparent=envelope.traceparent,
    )
    await store.add(tx, new, tx.database.clock.now())


async def queue_notice(tx: Tx, event: NoticeIssued, envelope: Envelope) -> None:
    """Each by itself: the second of a kind tells of something else than the first."""
    new = store.NewDelivery(
        org=event.org,
        id=event.notice,
        staff=event.staff,
        channel="email",
        template=_NOTICE + event.kind,
        priority=NORMAL,
        sealed=event.sealed,
        issued_at=envelope.time,
        deadline=event.expires_at,
        traceparent=envelope.traceparent,
    )
    await store.add(tx, new, tx.database.clock.now())


def notice_kind(template: str) -> str | None:
    """Of a notice's template, else None."""
    return template.removeprefix(_NOTICE) if template.startswith(_NOTICE) else None


def tell_ended(ended: list[store.Ended]) -> None:
    """Of messages that ended unsent: one line and one count each."""
    for delivery in ended:
        outcome = "superseded" if delivery.superseded else "expired"
        outcomes.labels(delivery.channel, delivery.template, outcome).inc()
        log.info(f"delivery.{outcome}", delivery=str(delivery.id), channel=delivery.channel, template=delivery.template)
