"""Waiting for what identity has just made and this service has not heard of yet.

Whoever adds a person may grant to them in the next request, and the event may be a few milliseconds behind. Every
change is told to every replica, so the wait ends with the hint, and there is no polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from shared.errors import Refusal

T = TypeVar("T")


class NotArrived(Exception):
    """It is not here; `refusal` is the answer unless it comes in time."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Arrivals:
    def __init__(self, seconds: float) -> None:
        """`seconds` is how long anybody is kept waiting."""
        self._seconds = seconds
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def note(self, ids: Iterable[UUID]) -> None:
        """Something has changed about these organisations and people."""
        for id in ids:
            for news in self._waiting.get(id, ()):
                news.set()

    async def until_here(
        self, ids: Iterable[UUID], attempt: Callable[[], Awaitable[T]], *, seconds: float | None = None
    ) -> T:
        """What `attempt` gives; while it raises NotArrived it is made again at each news of any of the ids.

        At the end of the time once more: the news may have been lost while the bus was away.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._seconds if seconds is None else seconds)
        with self._listening(frozenset(ids)) as news:
            over = False
            while True:
                news.clear()  # before the attempt: what comes during it is not missed
                try:
                    return await attempt()
                except NotArrived as missing:
                    if over:
                        raise missing.refusal from None
                over = not await _came(news, deadline - loop.time())

    @contextmanager
    def _listening(self, ids: frozenset[UUID]) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        for id in ids:
            self._waiting.setdefault(id, set()).add(news)
        try:
            yield news
        finally:
            for id in ids:
                self._waiting[id].discard(news)
                if not self._waiting[id]:
                    del self._waiting[id]


async def _came(news: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return False
    return True
