"""Who somebody was is forgotten once they have been deleted for some time: name, addresses, numbers, where they came from.

What is left is an id that the audit log speaks of, with the organisation, the type and the dates. That the username was
somebody's stays known by its digest alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from services.identity import audit
from services.identity.audit import Act
from services.identity.store import erasure as store
from shared.db import Database
from shared.errors import Unavailable

_BATCH = 200
_EVERY = 900.0  # seconds; what counts is days

log = structlog.get_logger()


class Erasure:
    def __init__(self, db: Database, days: int) -> None:
        self._db = db
        self._after = timedelta(days=days)

    async def sweep(self) -> int:
        """Erase everybody whose time has come, in small transactions; how many they were."""
        erased = batch = await self._erase()
        while batch == _BATCH:
            batch = await self._erase()
            erased += batch
        return erased

    async def _erase(self) -> int:
        """One replica at a time: while another is at it there is nothing to do here."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            if not await store.take_turn(tx):
                return 0
            people = await store.erase_staff_anywhere(tx, now - self._after, now, _BATCH)
            await store.erase_traces_anywhere(tx, [one.id for one in people])
            for one in people:
                audit.note(tx, one.org, Act.USER_ERASED, about=one.id)
        return len(people)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run(), name="erasure")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                if erased := await self.sweep():
                    log.info("erasure.done", people=erased)
            except Unavailable as fault:
                log.warning("erasure.database_away", error=str(fault))
            except Exception:
                log.exception("erasure.failed")
            await asyncio.sleep(_EVERY * random.uniform(0.8, 1.2))  # noqa: S311 - nothing is secret about when
