"""The worker's part: takes imports that wait, and those whose worker has died. Any number may run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from services.identity.staff.imports.sending import KEPT
from services.identity.staff.imports.work import LEASE, Lost, Stopped, Work
from services.identity.store import imports as store
from services.identity.store.imports import ImportRow
from shared.db import Database
from shared.errors import Refusal, Unavailable
from staffgate.contracts.identity import ImportState

_POLL = 1.0  # seconds: what another process has staged, or a lease that ran out, is seen then
_AGAIN = timedelta(seconds=5)
_MOST_FAULTS = 5
_SWEEP_EVERY = 3600.0
_SWEPT = 20
log = structlog.get_logger()


class Importer:
    def __init__(self, db: Database, work: Work) -> None:
        self._db = db
        self._work = work
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """In the end the step at hand is finished; what is left is for whoever comes next."""
        task = asyncio.create_task(self._run(), name="importer")
        try:
            yield
        finally:
            self._stopping = True
            self._wake.set()
            await task

    async def _run(self) -> None:
        loop, swept = asyncio.get_running_loop(), float("-inf")
        while not self._stopping:
            self._wake.clear()
            try:
                if loop.time() - swept > _SWEEP_EVERY:
                    await self.sweep()
                    swept = loop.time()
                busy = await self._round()
            except Unavailable as fault:
                log.warning("importer.database_away", error=str(fault))
                busy = False
            except Exception:
                log.exception("importer.round_failed")
                busy = False
            if not busy:
                await self._woken()

    async def sweep(self) -> None:
        """Names and addresses of files are not kept for nothing."""
        before = self._db.clock.now() - KEPT
        swept = _SWEPT
        while swept == _SWEPT:
            async with self._db.begin_anywhere() as tx:
                swept = await store.sweep_anywhere(tx, before, _SWEPT)

    async def _round(self) -> bool:
        """One import, as far as it goes now; False where none waits."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            own = await store.claim_anywhere(tx, now, now + LEASE)
        if own is None:
            return False
        try:
            await self._work.do(own, lambda: self._stopping)
        except Lost:
            log.warning("import.taken_over", id=str(own.id))
        except Stopped:
            await self._put_back(own, None, timedelta(0), own.faults)
        except Unavailable as fault:
            await self._put_back(own, fault.code, _AGAIN, own.faults)
        except Refusal as refusal:
            await self._work.end(own, ImportState.REFUSED, refusal.code)
        except Exception as fault:
            # What it is, and not what it says: the text of an exception may hold somebody's address.
            log.error("import.fault", id=str(own.id), error=type(fault).__name__)
            await self._failed(own)
        return True

    async def _failed(self, own: ImportRow) -> None:
        """Tried again, for the next release may mend it; not for ever, unless people are there who have to be told of."""
        if own.faults + 1 >= _MOST_FAULTS and not await self._work.is_half_done(own):
            await self._work.end(own, ImportState.FAILED, "our_fault")
        else:
            wait = _AGAIN * 2 ** min(own.faults, _MOST_FAULTS)
            await self._put_back(own, "our_fault", wait, own.faults + 1)

    async def _put_back(self, own: ImportRow, reason: str | None, wait: timedelta, faults: int) -> None:
        async with self._db.begin(own.org) as tx:
            await store.put_back(tx, own.org, own, reason, self._db.clock.now() + wait, faults)

    async def _woken(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await self._wake.wait()
