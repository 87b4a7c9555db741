"""Receipts: a provider tells what became of a message, and the message says so from then on.

A message is sent, then delivered, then bounced: whoever took it may send it back later, and a complaint comes after it
has arrived. Each receipt can only lead further, so it does no harm how often they come and in which order, and of each
step there is one event, with the step itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from services.notify.channels.port import Told
from services.notify.channels.tokens import Tokens
from services.notify.kinds import is_security
from services.notify.provider.settings import Settings
from services.notify.receipt.readings import read
from services.notify.receipt.signatures import signatures
from services.notify.store import receipts as store
from services.notify.store.receipts import Settled
from services.notify.store.suppressions import Address
from services.notify.suppression.suppressions import Suppressions
from shared.db import Database, Tx
from shared.errors import Unauthenticated
from shared.http.head import Head
from shared.rounds import Round
from staffgate.contracts.notify import DeliveryState, MessageBounced, MessageDelivered, Reason

_EVERY = 2.0  # seconds
_BATCH = 100
_KEPT = timedelta(hours=1)  # so long a reference may take to be written down

log = structlog.get_logger()
receipts_total = Counter("notify_receipts_total", "What providers told after they had taken a message", ["provider", "outcome"])  # fmt: skip


class Receipts:
    def __init__(
        self, db: Database, suppressions: Suppressions, providers: Sequence[Settings], public_url: str, tokens: Tokens
    ) -> None:  # fmt: skip
        self._db = db
        self._suppressions = suppressions
        self._tokens = tokens
        self._providers = {one.name: (one, signatures(one, public_url)) for one in providers}
        self.round = Round("receipts", _EVERY, self.sweep)

    async def take(self, provider: str, head: Head, content: bytes, delivery: UUID | None) -> None:
        """What was sent to us over HTTP. Raise Unauthenticated for all that is not proved to be this provider's."""
        found = read(self._proved(provider, head, content), head.content_type, content, delivery, self._tokens)
        if isinstance(found, Told):
            await self.tell(found)
        else:
            receipts_total.labels(provider, found).inc()

    async def tell(self, told: Told) -> None:
        """What is known to be a provider's word: from here, or from the connection that it keeps with us."""
        async with self._db.begin_anywhere() as tx:
            outcome = await self._settle(tx, told)
            if outcome == "unknown" and told.delivery is None:
                await store.keep_early(tx, self._db.ids.uuid(), told, self._db.clock.now())
                outcome = "early"
        receipts_total.labels(told.provider, outcome).inc()

    async def sweep(self) -> int:
        """Receipts that came before the reference that they name; how many have found their message by now.

        A provider's connection can be faster than our commit. It is not asked to repeat itself: not all of them do.
        """
        async with self._db.begin_anywhere() as tx:
            found = await store.take_early_anywhere(tx, _BATCH)
            for early in found:
                told = Told(
                    provider=early.provider,
                    reference=early.reference,
                    state=DeliveryState.DELIVERED if early.reason is None else DeliveryState.BOUNCED,
                    reason=early.reason,
                    permanent=early.permanent,
                    answer=early.answer,
                )
                receipts_total.labels(early.provider, await self._settle(tx, told)).inc()
            forgotten = await store.forget_early(tx, self._db.clock.now() - _KEPT, _BATCH)
        return len(found) + forgotten

    # --- whose word it is -------------------------------------------------------------------------------------

    def _proved(self, provider: str, head: Head, content: bytes) -> Settings:
        """The same answer for all that is wrong: which providers there are is nobody's business."""
        settings, known = self._providers.get(provider, (None, None))
        if settings is None or known is None or not known.match(head, content, self._db.clock.now()):
            receipts_total.labels(provider if settings else "unknown", "refused").inc()
            raise Unauthenticated("receipt_refused", "This receipt has no signature of a provider that is known here.")
        return settings

    # --- what it changes --------------------------------------------------------------------------------------

    async def _settle(self, tx: Tx, told: Told) -> str:
        """One word for what came of it."""
        settled = await store.settle_anywhere(tx, told, self._db.clock.now())
        if settled is None:
            return "repeated" if await store.is_known_anywhere(tx, told) else "unknown"
        if told.state is DeliveryState.BOUNCED:
            await self._suppress(tx, settled, told)
        if settled.staff is not None:
            await tx.emit(_event(settled, settled.staff, told))
        word = told.reason or told.state
        log.info(f"receipt.{word}", delivery=str(settled.id), provider=told.provider, channel=settled.channel)
        return word.value

    async def _suppress(self, tx: Tx, settled: Settled, told: Told) -> None:
        if settled.address is None or settled.masked is None:
            return
        to = Address(org=settled.org, channel=settled.channel, address=settled.address, masked=settled.masked)
        if told.reason is Reason.COMPLAINED:
            await self._suppressions.suppress(tx, to, "complained", settled.staff)
        else:
            await self._suppressions.note_bounce(tx, to, settled.staff, permanent=told.permanent)


def _event(settled: Settled, staff: UUID, told: Told) -> MessageDelivered | MessageBounced:
    delivered = MessageDelivered(
        org=settled.org,
        staff=staff,
        message=settled.id,
        channel=settled.channel,
        template=settled.template,
        security=is_security(settled.template),
        contact=settled.contact,
        at=settled.finished_at,
    )
    if told.state is DeliveryState.DELIVERED:
        return delivered
    return MessageBounced(**msgspec.structs.asdict(delivered), reason=told.reason or Reason.BOUNCED)
