"""One attempt to send one message: opened, judged, given to a provider that is well, and what came of it written down.

Before a provider gets a message it is written down who gets it, and that from then on it may be there: whatever dies
after that, nobody else sends it until that provider has said that it was not taken.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

import msgspec
import structlog
from prometheus_client import Counter, Histogram

from services.notify.channels.gsm7 import segments
from services.notify.channels.port import Deferred, Down, Outgoing, Rejected, Unreachable, Unsure, Unusable
from services.notify.delivery.backoff import wait_after
from services.notify.delivery.deliveries import failed, outcomes
from services.notify.kinds import URGENT
from services.notify.limit.admission import Admitted, Held, Refused, Verdict
from services.notify.provider.routes import Route, Routes, Turns
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Claim, Finished
from shared import trace
from shared.db import Database, Tx
from shared.errors import Unavailable
from shared.sealing import Opener, Unopenable
from staffgate.contracts.notify import DeliveryState, Reason

LEASE = timedelta(seconds=30)  # more than an attempt takes, so that nobody takes over what is still on its way
TAKES_AT_MOST = 20.0  # seconds for one attempt, all told
SLOW = 2.5  # seconds without an answer are a failure of the provider's: the next message asks another one
_PAUSE = 0.5
_LONGEST_REFERENCE = 200  # characters, as receipts' are cut
_SOON = timedelta(seconds=1)
_PATIENT = 4  # as if it had been tried so often: four seconds and more

log = structlog.get_logger()
commit_to_sent = Histogram(
    "notify_commit_to_sent_seconds",
    "From the event that promised a message to the provider's acceptance",
    ["channel", "template"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
given_again = Counter(
    "notify_given_again_total",
    "Messages given once more to a provider that may have had them: doubles at worst",
    ["provider"],
)


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Not this time. Without a time it waits as its back-off says; `unsure`: it may be at its provider already. What nobody
    was asked for does not count as one of its tries."""

    answer: str
    at: datetime | None = None
    unsure: bool = False
    counts: bool = True


Outcome = Finished | Again


class Given(msgspec.Struct):
    """Whether somebody may have it."""

    unsure: bool


class Taken(Exception):
    """Somebody else has it, or it is over: superseded, or settled by what its provider told."""


class NobodyWell(Exception):
    def __init__(self, until: datetime) -> None:
        self.until = until


class Composes(Protocol):
    async def outgoing(self, claim: Claim, payload: bytes, now: datetime) -> Outgoing: ...


class Judges(Protocol):
    async def judge(self, tx: Tx, claim: Claim, message: Outgoing) -> Verdict: ...

    async def note_unreachable(self, tx: Tx, claim: Claim) -> None: ...


class Attempts:
    """`slow` is after how many seconds an answer that is still awaited counts against its provider."""

    def __init__(
        self, db: Database, opener: Opener, contents: Composes, admission: Judges, routes: Routes, slow: float = SLOW
    ) -> None:  # fmt: skip
        self._db = db
        self._opener = opener
        self._contents = contents
        self._admission = admission
        self._routes = routes
        self._slow = slow

    def room(self, channel: str) -> int:
        """How many of a channel's messages somebody would take now."""
        return self._routes.room(channel, self._db.clock.now())

    def shut(self, channel: str) -> list[str]:
        """Who is not asked now: a message that one of them may have is not touched."""
        return self._routes.shut(channel, self._db.clock.now())

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
        # Is that provider gone from the settings nobody can answer for it any more, and it is sent like any other.
        pinned = self._routes.named(claim.channel, claim.provider) if claim.unsure else None
        given, left = Given(unsure=pinned is not None), claim.deadline - self._db.clock.now()
        if left <= timedelta():
            return _EXPIRED
        seconds = min(TAKES_AT_MOST, left.total_seconds())
        try:
            async with asyncio.timeout(seconds):
                return await self._try(claim, given, [pinned] if pinned else None)
        except Unusable as fault:
            return _failed(Reason.UNUSABLE, str(fault))
        except Rejected as fault:
            gone = isinstance(fault, Unreachable)
            return _failed(Reason.REJECTED, str(fault), unreachable=gone, unsure=pinned is not None)
        except Unsure as fault:
            return Again(answer=str(fault), unsure=True)
        except (Deferred, Unopenable) as fault:
            return Again(answer=str(fault), unsure=given.unsure)
        except (Unavailable, Taken) as fault:
            return Again(answer=str(fault), unsure=given.unsure, counts=False)
        except NobodyWell as fault:
            return Again(answer="no provider is well", at=self._after(fault.until, claim), unsure=given.unsure, counts=False)  # fmt: skip
        except TimeoutError:
            return Again(answer=f"no answer within {seconds:.0f} s", unsure=given.unsure)
        except Exception as fault:
            # Where, and not what: the text of an exception may hold an address or a code, and so may its traceback.
            where = traceback.extract_tb(fault.__traceback__)[-1]
            log.error("delivery.fault", error=type(fault).__name__, at=f"{where.filename}:{where.lineno}")
            return Again(answer=f"our fault: {type(fault).__name__}", unsure=given.unsure)

    def _after(self, until: datetime, claim: Claim) -> datetime:
        """Not all at once when it is well again; and what nobody waits for keeps to its back-off."""
        wait = _wait(claim)
        return until + min(wait, _SOON) if claim.priority == URGENT else max(until, self._db.clock.now() + wait)

    async def _try(self, claim: Claim, given: Given, pinned: list[Route] | None) -> Outcome:
        payload = self._opener.open(claim.sealed, str(claim.id))
        message = await self._contents.outgoing(claim, payload, self._db.clock.now())
        turns: Turns | None = None
        try:
            async with self._db.begin_anywhere() as tx:
                verdict = await self._admission.judge(tx, claim, message)
                if not isinstance(verdict, Admitted):
                    return _kept_back(verdict, given)
                routes = pinned or self._routes.known(claim.channel, verdict.country)
                if not routes:
                    return _failed(Reason.NO_PROVIDER, "nobody is named who sends there")
                turns = Turns(routes, self._db.clock.now)
                await self._assign(tx, claim, turns.next() or _nobody(turns))
            return await self._ask(claim, message, turns, given)
        finally:
            if turns is not None:
                turns.end()

    async def _ask(self, claim: Claim, message: Outgoing, turns: Turns, given: Given) -> Outcome:
        """Give it to whose turn it is; to the next only if that one has surely not taken it."""
        if given.unsure:
            given_again.labels(claim.provider).inc()
        while self._db.clock.now() < claim.deadline:
            before, given.unsure = given.unsure, True
            try:
                accepted = await turns.ask(message, self._slow)
                return Finished(
                    state=DeliveryState.SENT,
                    answer=accepted.answer,
                    reference=_kept(accepted.reference),
                    segments=segments(message.text) if claim.channel == "sms" else None,
                )
            except Deferred as fault:
                given.unsure = before
                if not isinstance(fault, Down) or (route := turns.next()) is None:
                    raise
            async with self._db.begin_anywhere() as tx:
                await self._assign(tx, claim, route)
        return _EXPIRED

    async def _assign(self, tx: Tx, claim: Claim, route: Route) -> None:
        if not await store.assign_anywhere(tx, claim, route.name):
            raise Taken("somebody else has it, or it is over")

    # --- what came of it --------------------------------------------------------------------------------------

    async def _recorded(self, claim: Claim, outcome: Outcome) -> bool:
        try:
            async with self._db.begin_anywhere() as tx:
                word = await record(tx, claim, outcome)
                if isinstance(outcome, Finished) and outcome.unreachable and word == DeliveryState.FAILED:
                    await self._admission.note_unreachable(tx, claim)
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
    now, tried_out = tx.database.clock.now(), claim.last_attempt is not None and claim.attempts >= claim.last_attempt
    if isinstance(outcome, Again) and outcome.counts and tried_out:
        outcome = Finished(
            state=DeliveryState.DEAD, reason=Reason.EXHAUSTED, answer=outcome.answer, unsure=outcome.unsure
        )  # fmt: skip
    if isinstance(outcome, Again):
        at = outcome.at or now + _wait(claim, unsure=outcome.unsure)
        ours, word = await store.put_back_anywhere(
            tx, claim, outcome.answer, at, unsure=outcome.unsure, counts=outcome.counts
        ), "deferred"  # fmt: skip
    else:
        ours, word = await store.finish_anywhere(tx, claim, outcome, now), outcome.state.value
        if ours and outcome.reason and claim.staff:
            await tx.emit(failed(claim, outcome.reason, at=now))
    return word if ours else f"{word}_after_lease"


def _wait(claim: Claim, *, unsure: bool = False) -> timedelta:
    """Of one that may have been taken its provider may tell, so that waits some seconds from the first."""
    attempts = max(claim.attempts, _PATIENT) if unsure else claim.attempts
    return wait_after(attempts, urgent=claim.priority == URGENT, chance=random.random())  # noqa: S311 - jitter


def _kept(reference: str) -> str | None:
    """What PostgreSQL would refuse (NUL, or more than fits an index's row) could never be written down, and the message
    would be sent again at each lease. Without it a receipt that names nothing else finds no message."""
    return reference if 0 < len(reference) <= _LONGEST_REFERENCE and reference.isprintable() else None


def _failed(reason: Reason, answer: str, *, unreachable: bool = False, unsure: bool = False) -> Finished:
    """`unsure`: of an attempt before this one, so a receipt may still settle it."""
    return Finished(state=DeliveryState.FAILED, reason=reason, answer=answer, unreachable=unreachable, unsure=unsure)


def _nobody(turns: Turns) -> NoReturn:
    """What the judge has counted is taken back with the transaction."""
    raise NobodyWell(turns.again_at())


def _kept_back(verdict: Held | Refused, given: Given) -> Outcome:
    if isinstance(verdict, Held):
        return Again(answer=verdict.answer, at=verdict.until, unsure=given.unsure, counts=False)
    return _failed(verdict.reason, verdict.answer, unsure=given.unsure)


_EXPIRED = Finished(state=DeliveryState.EXPIRED, reason=Reason.TOO_LATE, answer="too late")
