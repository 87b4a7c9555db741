"""What everybody may do, remembered by this replica, and never older than what has been announced.

Announcements come over the bus to every replica. A load that is on its way while one comes is not kept unless it has
seen that revision. While nothing can be heard nothing is remembered: each question goes to the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter, Gauge

from services.authz.cache import Cache
from services.authz.facts import Standing
from shared.clock import Clock

_LIFETIME = timedelta(seconds=30)  # bounds what a connection costs that is dead and does not know it

asked = Counter("authz_snapshots_asked_total", "Where the snapshot of a question came from", ["source"])
invalidated = Counter("authz_snapshots_invalidated_total", "Snapshots dropped because something newer was announced")
remembered = Gauge("authz_snapshots_remembered", "Snapshots in memory")

Read = Callable[[UUID], Awaitable[Standing | None]]


class _Load:
    """One on its way from the database, and what it has to have seen to be kept."""

    def __init__(self, staff: UUID, *, kept: bool) -> None:
        self.staff = staff
        self.kept = kept
        self._demands: dict[UUID, int] = {}
        self.task: asyncio.Task[Standing | None]

    def demand(self, org: UUID, revision: int) -> None:
        self._demands[org] = max(revision, self._demands.get(org, 0))

    def keeps(self, standing: Standing) -> bool:
        return self.kept and standing.snapshot.revision >= self._demands.get(standing.org, 0)


class Snapshots:
    def __init__(self, read: Read, clock: Clock, *, size: int) -> None:
        self._read = read
        self._clock = clock
        self._cache = Cache(size)
        self._deaf = True  # until the bus says otherwise
        self._running: set[_Load] = set()
        self._joinable: dict[UUID, _Load] = {}

    async def of(self, staff: UUID) -> Standing | None:
        """None where nobody of that id is known."""
        if self._deaf:
            asked.labels("bypassed").inc()
            return await self._read(staff)
        known = self._cache.get(staff, self._clock.now())
        if known is not None:
            asked.labels("memory").inc()
            return known
        asked.labels("database").inc()
        return await self._result(self._joinable.get(staff) or self._begin(staff))

    async def anew(self, staff: UUID) -> Standing | None:
        """As the database has it now, for those who know that what is remembered is too old."""
        asked.labels("database").inc()
        return await self._result(self._begin(staff))

    # --- loading ----------------------------------------------------------------------------------------------

    def _begin(self, staff: UUID) -> _Load:
        load = _Load(staff, kept=not self._deaf)
        self._running.add(load)
        self._joinable[staff] = load
        load.task = asyncio.create_task(self._run(load), name="snapshot")
        return load

    async def _result(self, load: _Load) -> Standing | None:
        # Shielded: one who gives up does not take the others' answer along.
        return await asyncio.shield(load.task)

    async def _run(self, load: _Load) -> Standing | None:
        until = self._clock.now() + _LIFETIME
        try:
            standing = await self._read(load.staff)
        finally:
            self._running.discard(load)
            self._detach(load)
        if standing is not None and load.keeps(standing):
            self._cache.put(load.staff, standing, until)
            remembered.set(len(self._cache))
        return standing

    def _detach(self, load: _Load) -> None:
        """Whoever asks from now on gets a load that begins from now on."""
        if self._joinable.get(load.staff) is load:
            del self._joinable[load.staff]

    # --- forgetting -------------------------------------------------------------------------------------------

    def announced(self, org: UUID, previous: int, revision: int, people: Collection[UUID] | None) -> None:
        """The bus told of a change. Where one before it is missing, everybody older than that one is dropped."""
        if self._cache.missed(org, previous, revision):
            self._forget(org, None, previous)
        for load in self._running:
            load.demand(org, previous)
        self._forget(org, people, revision)

    def changed(self, org: UUID, people: Collection[UUID] | None, revision: int) -> None:
        """This process committed a change, and does not wait for the bus to tell it so."""
        self._forget(org, people, revision)

    def _forget(self, org: UUID, people: Collection[UUID] | None, revision: int) -> None:
        invalidated.inc(self._cache.drop(org, people, revision))
        remembered.set(len(self._cache))
        for load in self._running:
            if people is None or load.staff in people:
                load.demand(org, revision)
                self._detach(load)

    def forget_everything(self) -> None:
        self._cache.clear()
        remembered.set(0)
        self._joinable.clear()
        for load in self._running:
            load.kept = False

    def deaf(self) -> None:
        """Nothing can be heard from now on: anything may change unnoticed."""
        self._deaf = True
        self.forget_everything()

    def hearing(self) -> None:
        self.forget_everything()
        self._deaf = False
