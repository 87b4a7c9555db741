"""What has to be looked at again and again: work that falls due by the clock, and by nobody's request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from shared.errors import Unavailable

log = structlog.get_logger()


class Round:
    """`work` answers how much it has done; while that is something, it is done again at once."""

    def __init__(self, name: str, seconds: float, work: Callable[[], Awaitable[int]]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._due = asyncio.Event()

    def wake(self) -> None:
        """There is something to do now."""
        self._due.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run(), name=self._name)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        """Nothing may end it: work that quietly stops being done is missed by nobody."""
        while True:
            self._due.clear()
            try:
                while done := await self._work():
                    log.info(f"{self._name}.done", count=done)
            except Unavailable as fault:
                log.warning(f"{self._name}.database_away", error=str(fault))
            except Exception:
                log.exception(f"{self._name}.failed")
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                    await self._due.wait()
