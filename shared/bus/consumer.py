"""From a message to a handler: decode, begin, refuse what was seen before, handle, commit."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from prometheus_client import Histogram

from shared import trace
from shared.bus.envelope import Envelope, Undecodable, decode, open_envelope
from shared.bus.outbox import first_sight
from shared.bus.port import Message, Outcome, Queue, Verdict
from shared.db.pool import Database, Tx
from shared.errors import Refusal, Unavailable
from staffgate.contracts.event import Event

Handler = Callable[[Tx, Any, Envelope], Awaitable[None]]

log = structlog.get_logger()
handled_seconds = Histogram("bus_handled_seconds", "Time to handle a message", ["queue", "type", "outcome"])


class Consumer:
    """One queue's handlers, by event class. Each runs in a transaction of the event's organisation."""

    def __init__(self, queue: Queue, db: Database, handlers: Mapping[type[Event], Handler]) -> None:
        self._db = db
        self._handlers = {kind.type: handler for kind, handler in handlers.items()}
        self.queue = queue
        if set(queue.types) != set(self._handlers):
            raise ValueError(f"{queue.name} is bound to {queue.types}, but handled are {tuple(self._handlers)}")

    async def handle(self, message: Message) -> Verdict:
        """Never raises, save for cancellation: what became of the message is the answer."""
        started = time.perf_counter()
        structlog.contextvars.bind_contextvars(queue=self.queue.name, event_id=message.id, attempt=message.attempt)
        verdict = await self._judge(message)
        seconds = time.perf_counter() - started
        handled_seconds.labels(self.queue.name, message.type, verdict.outcome.value).observe(seconds)
        level = log.info if verdict.outcome is Outcome.DONE else log.warning
        level(
            message.type,
            outcome=verdict.outcome.value,
            error=verdict.error or None,
            ms=round(seconds * 1000, 2),
        )
        structlog.contextvars.unbind_contextvars("queue", "event_id", "attempt", "trace_id")
        return verdict

    async def _judge(self, message: Message) -> Verdict:
        try:
            await self._apply(message)
        except Undecodable as fault:
            return Verdict(Outcome.PARK, str(fault))
        except Unavailable as fault:
            return Verdict(Outcome.HOLD, str(fault))
        except Refusal as fault:
            return Verdict(Outcome.PARK, str(fault))
        except Exception as fault:
            log.exception("bus.handler_failed")
            return Verdict(Outcome.RETRY, f"{type(fault).__name__}: {fault}")
        return Verdict(Outcome.DONE)

    async def _apply(self, message: Message) -> None:
        envelope = open_envelope(message.body)
        structlog.contextvars.bind_contextvars(trace_id=trace.begin(envelope.traceparent))
        event = decode(envelope)
        handler = self._handlers.get(envelope.type)
        if handler is None:
            raise Undecodable(f"{envelope.type} is not for {self.queue.name}")
        async with self._db.begin(envelope.org) as tx:
            if await first_sight(tx, self.queue.name, envelope.id):
                await handler(tx, event, envelope)
