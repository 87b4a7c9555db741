"""Takes deliveries that are due, sends them, and writes down what came of it. Any number may run at once.

A delivery is taken and settled in transactions of their own; between them it is ours by a lease. If this process dies
there the lease runs out and somebody takes the delivery again. It then leaves with the same Message-ID: that it may
have arrived already is the one thing that nobody can know.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import msgspec
import structlog
from prometheus_client import Gauge, Histogram

from services.notify import store
from services.notify.backoff import wait_after
from services.notify.channels.port import Channel, Deferred, Outgoing, Rejected
from services.notify.deliveries import CODE, URGENT, notice_kind, outcomes, tell_ended
from services.notify.templates import Content, Templates, Unusable
from shared import trace
from shared.db import Database, Tx
from shared.errors import Unavailable
from shared.sealing import Opener, Unopenable
from staffgate.contracts.identity import CodeMessage, LinkMessage, NoticeMessage
from staffgate.contracts.notify import DeliveryState

_SLOTS = 8
_TAKES_AT_MOST = 20.0  # seconds for one sending, all told
_LEASE = timedelta(seconds=30)  # more than that, so that nobody takes over what is still on its way
_POLL = 0.5  # seconds: what another process has queued, or a lease that ran out, is seen then
_BREATH = 0.02
_GRACE = _TAKES_AT_MOST + 2
_SWEPT = 100

log = structlog.get_logger()
commit_to_sent = Histogram(
    "notify_commit_to_sent_seconds",
    "From the event that promised a message to the provider's acceptance",
    ["channel", "template"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
oldest_queued = Gauge("notify_oldest_queued_seconds", "Age of the oldest message that waits: the alarm", ["channel"])


class Outcome(msgspec.Struct, frozen=True):
    """What came of one attempt; QUEUED is to be tried again."""

    state: DeliveryState
    answer: str


class Dispatcher:
    """One channel's, so that a provider that hangs holds up nobody else's messages."""

    def __init__(self, db: Database, channel: Channel, opener: Opener, templates: Templates) -> None:
        self._db = db
        self._channel = channel
        self._opener = opener
        self._templates = templates
        self._wake = asyncio.Event()
        self._stopping = False
        self._sending: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._wake.set()

    async def ping(self) -> None:
        if self._task is None or self._task.done():
            raise RuntimeError("nobody sends")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """In the end what is being sent is finished; what can't be finished in time is left to its lease."""
        self._task = asyncio.create_task(self._run(), name=f"dispatcher.{self._channel.name}")
        try:
            yield
        finally:
            self._stopping = True
            self._wake.set()
            await self._task
            await self._finish()

    async def _finish(self) -> None:
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=_GRACE)
            for task in late:
                task.cancel()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                wait = await self._round()
            except Unavailable as fault:
                log.warning("dispatcher.database_away", channel=self._channel.name, error=str(fault))
                wait = _jittered(_POLL)
            except Exception:
                log.exception("dispatcher.round_failed", channel=self._channel.name)
                wait = _jittered(_POLL)
            await self._woken(wait)

    async def _round(self) -> float:
        """Start what is due, as far as there is room; the seconds until there is more to do."""
        room = _SLOTS - len(self._sending)
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            ended = await store.end_overdue_anywhere(tx, self._channel.name, now, _SWEPT)
            claims = await store.claim_anywhere(tx, self._channel.name, now, now + _LEASE, room)
            outlook = await store.outlook_anywhere(tx, self._channel.name)
        tell_ended(ended)
        oldest_queued.labels(self._channel.name).set(_seconds_since(outlook.oldest, now))
        for claim in claims:
            self._start(claim)
        if len(claims) < room:
            return self._until(outlook.next_due, now)
        return _POLL if len(self._sending) == _SLOTS else 0.0  # when all are busy, whoever finishes wakes us

    def _until(self, due: datetime | None, now: datetime) -> float:
        seconds = (due - now).total_seconds() if due else _POLL
        return min(_POLL, max(_BREATH, seconds))  # at least a breath: somebody else may have it in hand

    async def _woken(self, wait: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    # --- one delivery -----------------------------------------------------------------------------------------

    def _start(self, claim: store.Claim) -> None:
        task = asyncio.create_task(self._deliver(claim), name=f"delivery {claim.id}")
        self._sending.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[None]) -> None:
        if len(self._sending) == _SLOTS:
            self._wake.set()
        self._sending.discard(task)

    async def _deliver(self, claim: store.Claim) -> None:
        structlog.contextvars.bind_contextvars(trace_id=trace.begin(claim.traceparent), delivery=str(claim.id))
        give_up = asyncio.get_running_loop().time() + _LEASE.total_seconds()
        outcome = await self._attempt(claim)
        while not await self._recorded(claim, outcome):
            if asyncio.get_running_loop().time() > give_up:
                log.error("delivery.unrecorded", channel=claim.channel, outcome=outcome.state.value)
                return
            await asyncio.sleep(_jittered(_POLL))

    async def _attempt(self, claim: store.Claim) -> Outcome:
        """Never raises, save for cancellation. Faults of our own are tried again too: the next release may mend them."""
        now = self._db.clock.now()
        if now >= claim.deadline:
            return Outcome(DeliveryState.EXPIRED, "too late")
        try:
            async with asyncio.timeout(_TAKES_AT_MOST):
                return Outcome(DeliveryState.SENT, await self._channel.send(self._outgoing(claim, now)))
        except (Rejected, Unusable) as fault:
            return Outcome(DeliveryState.FAILED, str(fault))
        except (Deferred, Unopenable) as fault:
            return Outcome(DeliveryState.QUEUED, str(fault))
        except TimeoutError:
            return Outcome(DeliveryState.QUEUED, f"no answer within {_TAKES_AT_MOST:g} s")
        except Exception as fault:
            # Where, and not what: the text of an exception may hold an address or a code, and so may its traceback.
            where = traceback.extract_tb(fault.__traceback__)[-1]
            log.error("delivery.fault", error=type(fault).__name__, at=f"{where.filename}:{where.lineno}")
            return Outcome(DeliveryState.QUEUED, f"our fault: {type(fault).__name__}")

    def _outgoing(self, claim: store.Claim, now: datetime) -> Outgoing:
        to, content = self._content(claim, now)
        return Outgoing(
            id=claim.id, to=to, subject=content.subject, text=content.text, html=content.html, sent_at=now
        )  # fmt: skip

    def _content(self, claim: store.Claim, now: datetime) -> tuple[str, Content]:
        payload = self._opener.open(claim.sealed, str(claim.id))
        if claim.template == CODE:
            code = msgspec.json.decode(payload, type=CodeMessage)
            return code.to, self._templates.code(claim.channel, code, claim.deadline, now)
        if kind := notice_kind(claim.template):
            notice = msgspec.json.decode(payload, type=NoticeMessage)
            return notice.to, self._templates.notice(kind, notice)
        link = msgspec.json.decode(payload, type=LinkMessage)
        return link.to, self._templates.link(claim.template, link, claim.deadline, now)

    # --- what came of it --------------------------------------------------------------------------------------

    async def _recorded(self, claim: store.Claim, outcome: Outcome) -> bool:
        try:
            async with self._db.begin_anywhere() as tx:
                ours = await _record(tx, claim, outcome)
        except Unavailable:
            return False
        except Exception:
            log.exception("delivery.record_failed", channel=claim.channel)
            return False
        self._tell(claim, outcome, ours)
        return True

    def _tell(self, claim: store.Claim, outcome: Outcome, ours: bool) -> None:
        # Taken over while we were sending: if it was sent, it may be sent twice, and that has to be seen.
        word = "deferred" if outcome.state is DeliveryState.QUEUED else outcome.state.value
        word = word if ours else f"{word}_after_lease"
        outcomes.labels(claim.channel, claim.template, word).inc()
        seconds = _seconds_since(claim.issued_at, self._db.clock.now())
        if outcome.state is DeliveryState.SENT:
            commit_to_sent.labels(claim.channel, claim.template).observe(seconds)
        log.info(
            f"delivery.{word}",
            channel=claim.channel,
            template=claim.template,
            attempt=claim.attempts,
            answer=outcome.answer,
            seconds=round(seconds, 3),
        )


async def _record(tx: Tx, claim: store.Claim, outcome: Outcome) -> bool:
    now = tx.database.clock.now()
    if outcome.state is not DeliveryState.QUEUED:
        return await store.finish_anywhere(tx, claim, outcome.state, outcome.answer, now)
    urgent = claim.priority == URGENT
    again = now + wait_after(claim.attempts, urgent=urgent, chance=random.random())  # noqa: S311 - jitter
    return await store.put_back_anywhere(tx, claim, outcome.answer, again)


def _jittered(seconds: float) -> float:
    return seconds * (0.5 + random.random() / 2)  # noqa: S311


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment else 0.0
