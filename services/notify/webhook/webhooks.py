"""Webhooks: an event becomes a delivery to each endpoint that wants it, and goes the way of every message.

No event tells what became of one: it would be posted, and be told of again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from services.notify.channels.port import Outgoing
from services.notify.delivery.deliveries import TRIES
from services.notify.kinds import NORMAL
from services.notify.limit.admission import Admitted
from services.notify.store import webhooks as store
from services.notify.store.deliveries import Claim
from services.notify.webhook.endpoints import Endpoint, wanting
from shared.bus.consumer import Handler
from shared.bus.envelope import Envelope
from shared.bus.topology import NOTIFY_WEBHOOKS
from shared.db import Tx
from shared.sealing import Sealer
from staffgate.contracts.event import Event, event_types

CHANNEL = "webhook"
_GOOD_FOR = timedelta(days=3)  # after its last try it can be replayed that long: a product's weekend
_SPACE = UUID("6a1c2f0e-5d0b-5c55-9a53-2d3c6a4f8b1e")


class Webhooks:
    def __init__(self, endpoints: Sequence[Endpoint], sealer: Sealer) -> None:
        self._endpoints = endpoints
        self._sealer = sealer

    def handlers(self) -> dict[type[Event], Handler]:
        known = event_types()
        return {known[type]: self.queue for type in NOTIFY_WEBHOOKS.types}

    async def queue(self, tx: Tx, event: Event, envelope: Envelope) -> None:
        """The event as it came. The same one again makes no second delivery: its id is of the endpoint and the event."""
        content, now = msgspec.json.encode(envelope), tx.database.clock.now()
        for name in wanting(self._endpoints, envelope.type):
            id = uuid5(_SPACE, f"{name} {envelope.id}")
            posted = store.NewPost(
                org=envelope.org,
                id=id,
                endpoint=name,
                type=envelope.type,
                priority=NORMAL,
                sealed=self._sealer.seal(content, str(id)),
                last_attempt=TRIES,
                issued_at=envelope.time,
                deadline=now + _GOOD_FOR,
                traceparent=envelope.traceparent,
            )
            await store.add(tx, posted, now)


class Posts:
    """What is sent is the event itself: nothing is composed."""

    async def outgoing(self, claim: Claim, payload: bytes, now: datetime) -> Outgoing:
        return Outgoing(id=claim.id, to="", text=payload.decode(), sent_at=now)


class Unlimited:
    """No limit is for products: they asked for it."""

    async def judge(self, tx: Tx, claim: Claim, message: Outgoing) -> Admitted:
        return Admitted()

    async def note_unreachable(self, tx: Tx, claim: Claim) -> None:
        """Which endpoints there are the operator says."""
