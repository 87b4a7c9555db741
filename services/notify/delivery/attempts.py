"""One attempt to send one message: opened, judged, given to a provider that is well, and what came of it written down.

Before a provider gets a message it is written down who gets it, and that from then on it may be there: whatever dies
after that, nobody else sends it until that provider has said that it was not taken.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
import structlog
from prometheus_client import Histogram

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Unsure
from services.notify.content.contents import Contents, Unusable
from services.notify.content.gsm7 import segments
from services.notify.delivery.backoff import wait_after
from services.notify.delivery.deliveries import URGENT, failed, outcomes
from services.notify.limit.admission import Admission, Admitted, Held, Refused
from services.notify.provider.routes import Route, Routes
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Claim, Finished
from shared import trace
from shared.db import Database, Tx
from shared.errors import Unavailable
from shared.sealing import Opener, Unopenable
from staffgate.contracts.notify import DeliveryState, Reason

LEASE = timedelta(seconds=30)  # more than an attempt takes, so that nobody takes over what is still on its way
TAKES_AT_MOST = 20.0  # seconds for one attempt, all told
_SLOW = 2.5  # seconds without an answer are a failure of the provider's: the next message asks another one
_PAUSE = 0.5

log = structlog.get_logger()
commit_to_sent = Histogram(
    "notify_commit_to_sent_seconds",
    "From the event that promised a message to the provider's acceptance",
    ["channel", "template"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Not this time. Without a time it waits as its back-off says; `unsure`: it may be at its provider already."""

    answer: str
    at: datetime | None = None
    unsure: bool = False


Outcome = Finished | Again


class Given(msgspec.Struct):
    """Whether somebody may have it."""

    unsure: bool


class Attempts:
    def __init__(
        self, db: Database, opener: Opener, contents: Contents, admission: Admission, routes: Routes
    ) -> None:  # fmt: skip
        self._db = db
        self._opener = opener
        self._contents = contents
        self._admission = admission
        self._routes = routes

    async def make(self, claim: Claim) -> None:
        """Try, and write down what came of it; if that can't be done before the lease is over, it is left to the next."""
        structlog.contextvars.bind_contextvars(trace_id=trace.begin(claim.traceparent), delivery=str(claim.id))
        give_up = asyncio.get_running_loop().time() + LEASE.total_seconds()
        outcome = await self._outcome(claim)
        while not await self._recorded(claim, outcome):
            if asyncio.get_running_loop().time() > give_up:
                log.error("delivery.unrecorded", channel=claim.channel)
                return
            await asyncio.sleep(_PAUSE * random.uniform(0.5, 1))  # noqa: S311 - jitter

    async def _outcome(self, claim: Claim) -> Outcome:
        """Never raises, save for cancellation. Faults of our own are tried again too: the next release may mend them."""
        given = Given(unsure=claim.unsure)
        try:
            async with asyncio.timeout(TAKES_AT_MOST):
                return await self._try(claim, given)
        except Unusable as fault:
            return _failed(Reason.UNUSABLE, str(fault))
        except Rejected as fault:
            return _failed(Reason.REJECTED, str(fault))
        except Unsure as fault:
            return Again(answer=str(fault), unsure=True)
        except (Deferred, Unopenable, Unavailable) as fault:
            return Again(answer=str(fault), unsure=given.unsure)
        except TimeoutError:
            return Again(answer=f"no answer within {TAKES_AT_MOST:g} s", unsure=given.unsure)
        except Exception as fault:
            # Where, and not what: the text of an exception may hold an address or a code, and so may its traceback.
            where = traceback.extract_tb(fault.__traceback__)[-1]
            log.error("delivery.fault", error=type(fault).__name__, at=f"{where.filename}:{where.lineno}")
            return Again(answer=f"our fault: {type(fault).__name__}", unsure=given.unsure)

    async def _try(self, claim: Claim, given: Given) -> Outcome:
        if self._db.clock.now() >= claim.deadline:
            return _EXPIRED
        payload = self._opener.open(claim.sealed, str(claim.id))
        message = await self._contents.outgoing(claim, payload, self._db.clock.now())
        async with self._db.begin_anywhere() as tx:
            verdict = await self._admission.judge(tx, claim, message)
            if not isinstance(verdict, Admitted):
                return _kept_back(verdict, given)
            asked = self._routes.of(claim.channel, verdict.country, claim.provider if claim.unsure else None)
            if not asked:
                return _failed(Reason.NO_PROVIDER, "nobody is named who sends there")
            well = self._routes.well(asked, self._db.clock.now)
            route = next(well, None)
            if not await store.assign_anywhere(tx, claim, route.name if route else None):
                return Again(answer="somebody else has it")
        return await self._ask(claim, message, route, well, given)

    async def _ask(
        self, claim: Claim, message: Outgoing, route: Route | None, others: Iterator[Route], given: Given
    ) -> Outcome:
        """Give it to this one; to the next only if this one has surely not taken it."""
        answer = "no provider is well"
        while route is not None:
            before, given.unsure = given.unsure, True
            try:
                accepted = await self._give(route, message)
                return Finished(
                    state=DeliveryState.SENT,
                    answer=accepted.answer,
                    reference=accepted.reference or None,
                    segments=segments(message.text) if claim.channel == "sms" else None,
                )
            except Deferred as fault:
                given.unsure = before
                if not isinstance(fault, Down) or before:
                    raise
                answer = str(fault)
            if self._db.clock.now() >= claim.deadline:
                return _EXPIRED
            if (route := next(others, None)) and not await self._assigned(claim, route):
                return Again(answer="somebody else has it")
        return Again(answer=answer, unsure=given.unsure)

    async def _assigned(self, claim: Claim, route: Route) -> bool:
        async with self._db.begin_anywhere() as tx:
            return await store.assign_anywhere(tx, claim, route.name)

    async def _give(self, route: Route, message: Outgoing) -> Accepted:
        """What comes of it is told to the route: that an answer takes too long is said while it is still awaited."""
        slow = asyncio.get_running_loop().call_later(_SLOW, lambda: route.failed(self._db.clock.now()))
        late = False
        try:
            accepted = await route.provider.send(message)
        except (Down, Unsure):
            late = slow.when() <= asyncio.get_running_loop().time()
            if not late:
                route.failed(self._db.clock.now())
            raise
        except (Deferred, Rejected):
            route.succeeded()
            raise
        finally:
            slow.cancel()
        if slow.when() > asyncio.get_running_loop().time():
            route.succeeded()
        return accepted

    # --- what came of it --------------------------------------------------------------------------------------

    async def _recorded(self, claim: Claim, outcome: Outcome) -> bool:
        try:
            async with self._db.begin_anywhere() as tx:
                word = await record(tx, claim, outcome)
        except Unavailable:
            return False
        except Exception:
            log.exception("delivery.record_failed", channel=claim.channel)
            return False
        self._tell(claim, word, outcome.answer)
        return True

    def _tell(self, claim: Claim, word: str, answer: str) -> None:
        outcomes.labels(claim.channel, claim.template, word).inc()
        seconds = (self._db.clock.now() - claim.issued_at).total_seconds()
        if word == DeliveryState.SENT:
            commit_to_sent.labels(claim.channel, claim.template).observe(seconds)
        log.info(
            f"delivery.{word}",
            channel=claim.channel,
            template=claim.template,
            attempt=claim.attempts,
            answer=answer,
            seconds=round(seconds, 3),
        )


async def record(tx: Tx, claim: Claim, outcome: Outcome) -> str:
    """One word for what became of it. `_after_lease`: taken over while we were sending; if it was sent, it may be sent
    twice, and that has to be seen."""
    now = tx.database.clock.now()
    if isinstance(outcome, Again) and claim.last_attempt is not None and claim.attempts >= claim.last_attempt:
        outcome = Finished(state=DeliveryState.DEAD, reason=Reason.EXHAUSTED, answer=outcome.answer)
    if isinstance(outcome, Again):
        urgent = claim.priority == URGENT
        wait = wait_after(claim.attempts, urgent=urgent, chance=random.random())  # noqa: S311 - jitter
        at = outcome.at or now + wait
        ours, word = await store.put_back_anywhere(tx, claim, outcome.answer, at, unsure=outcome.unsure), "deferred"
    else:
        ours, word = await store.finish_anywhere(tx, claim, outcome, now), outcome.state.value
        if ours and outcome.reason and claim.staff:
            await tx.emit(failed(claim, outcome.reason))
    return word if ours else f"{word}_after_lease"


def _failed(reason: Reason, answer: str) -> Finished:
    return Finished(state=DeliveryState.FAILED, reason=reason, answer=answer)


def _kept_back(verdict: Held | Refused, given: Given) -> Outcome:
    if isinstance(verdict, Held):
        return Again(answer=verdict.answer, at=verdict.until, unsure=given.unsure)
    return _failed(verdict.reason, verdict.answer)


_EXPIRED = Finished(state=DeliveryState.EXPIRED, reason=Reason.TOO_LATE, answer="too late")
