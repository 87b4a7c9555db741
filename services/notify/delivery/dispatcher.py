"""Takes deliveries that are due, and has each attempted. Any number may run at once.

A delivery is taken and settled in transactions of their own; between them it is ours by a lease. If this process dies
there the lease runs out and somebody takes the delivery again. It then leaves with the same Message-ID: that it may
have arrived already is the one thing that nobody can know.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from services.notify.delivery.attempts import LEASE, SLOW, TAKES_AT_MOST, Attempts
from services.notify.delivery.deliveries import tell_ended
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Claim, Lane
from shared.db import Database, Tx
from shared.errors import Unavailable

_SLOTS = 8
_FEW = 2  # while somebody waits for something else
_SLOW_ONES = 16  # those that wait long for an answer leave their slots to others, so many of them
_ASIDE = SLOW + 0.5  # a moment after that has counted against their provider: the others go to the next one
_POLL = 0.5  # seconds: what another process has queued, or a lease that ran out, is seen then
_BREATH = 0.02
_GRACE = TAKES_AT_MOST + 2
_SWEEP = 0.5
_SWEPT = 100

log = structlog.get_logger()


class Dispatcher:
    """One lane's, with slots of its own: ten thousand invitations, or a provider that hangs, hold up no code."""

    def __init__(
        self, name: str, lane: Lane, db: Database, attempts: Attempts, gives_way_to: Sequence[Dispatcher] = ()
    ) -> None:  # fmt: skip
        self.name = name
        self._lane = lane
        self._db = db
        self._attempts = attempts
        self._gives_way_to = gives_way_to
        self._wake = asyncio.Event()
        self._stopping = False
        self._full = False  # the last look may have left something
        self._sweep_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._wake.set()

    async def ping(self) -> None:
        if self._task is None or self._task.done():
            raise RuntimeError("nobody sends")

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"dispatcher.{self.name}")

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._wake.set()

    async def stopped(self) -> None:
        """What is being sent is finished; what can't be finished in time is left to its lease."""
        if self._task is not None:
            await self._task
        await self._finish()

    async def _finish(self) -> None:
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                wait = await self._round()
            except Unavailable as fault:
                log.warning("dispatcher.database_away", channel=self.name, error=str(fault))
                wait = _jittered(_POLL)
            except Exception:
                log.exception("dispatcher.round_failed", channel=self.name)
                wait = _jittered(_POLL)
            await self._woken(wait)

    async def _round(self) -> float:
        """Start what is due, as far as there is room; the seconds until there is more to do."""
        channel, now = self._lane.channel, self._db.clock.now()
        room = min(self._free(), self._attempts.room(channel))
        shut = self._attempts.shut(channel)
        async with self._db.begin_anywhere() as tx:
            await self._sweep(tx, now)
            claims = await store.claim_anywhere(tx, self._lane, now, now + LEASE, room, shut) if room else []
            self._full = len(claims) == room
            due = None if self._full else await store.next_due_anywhere(tx, self._lane, shut)
        for claim in claims:
            self._start(claim)
        return _POLL if self._full else self._until(due, now)

    async def _sweep(self, tx: Tx, now: datetime) -> None:
        """Claiming passes over what is too late; to say so there is time."""
        if (time := asyncio.get_running_loop().time()) >= self._sweep_at:
            ended = await store.end_overdue_anywhere(tx, self._lane.channel, now, _SWEPT)
            await tell_ended(tx, ended)
            self._sweep_at = time if len(ended) == _SWEPT else time + _jittered(_SWEEP)

    def _until(self, due: datetime | None, now: datetime) -> float:
        seconds = (due - now).total_seconds() if due else _POLL
        return min(_POLL, max(_BREATH, seconds))  # at least a breath: somebody else may have it in hand

    async def _woken(self, wait: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    # --- one delivery -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return len(self._sending) > len(self._slow)

    def _slots(self) -> int:
        """They share one processor, so what nobody waits for stands back while there is something urgent."""
        return _FEW if any(other.busy for other in self._gives_way_to) else _SLOTS

    def _free(self) -> int:
        """Slots. Those that wait long for an answer have left theirs to what another provider may take at once."""
        quick = len(self._sending) - len(self._slow)
        return max(0, min(self._slots() - quick, _SLOTS + _SLOW_ONES - len(self._sending)))

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._attempts.make(claim), name=f"delivery {claim.id}")
        self._sending.add(task)
        timer = asyncio.get_running_loop().call_later(_ASIDE, self._step_aside, task)
        task.add_done_callback(lambda task: self._settled(task, timer))

    def _step_aside(self, task: asyncio.Task[None]) -> None:
        self._slow.add(task)
        self._go_on()

    def _settled(self, task: asyncio.Task[None], timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._sending.discard(task)
        self._slow.discard(task)
        self._go_on()

    def _go_on(self) -> None:
        """There is more where that came from; taken by the handful it costs a transaction less each."""
        if self._full and self._free() >= self._slots() // 2:
            self._wake.set()


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311


@asynccontextmanager
async def running(dispatchers: Sequence[Dispatcher]) -> AsyncIterator[None]:
    """All stop at once: one after the other, each would wait for what it sends while the next ones went on taking."""
    for dispatcher in dispatchers:
        dispatcher.start()
    try:
        yield
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop()
        await asyncio.gather(*(dispatcher.stopped() for dispatcher in dispatchers))
