"""Waiting: for a condition that several things can make true, and for a decision no longer than somebody wants to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from staffgate.client import Patience, ServiceAway

T = TypeVar("T")


class Bell:
    """Rung whenever something has happened that somebody may be waiting for."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._rung.wait()


async def in_time(patience: Patience, find: Callable[[], Awaitable[T]]) -> T:
    """All that a decision takes, what has to be loaded for it included. Raises ServiceAway."""
    try:
        async with asyncio.timeout(patience.decision):
            return await find()
    except TimeoutError as fault:
        raise ServiceAway(f"authz gave no answer within {patience.decision:g} s") from fault
