"""The connections to one address: so many at most, taken by one request at a time, given back while they are good."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

_KEPT = 15.0  # seconds that an idle one is kept: shorter than any server waits


class Closed(OSError):
    """Nothing is taken any more."""


class Pooled(Protocol):
    alive: bool

    def drop(self) -> None: ...


C = TypeVar("C", bound=Pooled)


class Pool(Generic[C]):
    """`connect` makes one more. What is given back goes to whoever waits longest, and else to the next who comes: the one
    that was used last is used first, so that those too many grow old."""

    def __init__(self, connect: Callable[[], Awaitable[C]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._count = 0  # those that are open, being opened, or promised to somebody who waits
        self._idle: deque[tuple[float, C]] = deque()
        self._waiting: deque[asyncio.Future[C | None]] = deque()
        self._open: set[C] = set()
        self._closed = False

    def idle(self) -> C | None:
        """One that is open and not in use, without waiting."""
        if not self._idle:
            return None
        since, connection = self._idle.pop()
        if time.monotonic() - since > _KEPT:  # and so are the others: the server may be closing them at this moment
            connection.drop()
            self.forget_idle()
            return None
        return connection

    async def take(self) -> C:
        """Raise OSError."""
        while True:
            connection = self.idle() or await self._next()
            if connection.alive:
                return connection

    def give_back(self, connection: C) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        now = time.monotonic()
        self._idle.append((now, connection))
        while self._idle and now - self._idle[0][0] > _KEPT:
            self._idle.popleft()[1].drop()

    def lost(self, connection: C) -> None:
        """It is closed, and not to be given back."""
        if connection not in self._open:  # its opening has failed, which is told by that
            return
        self._open.discard(connection)
        if self._idle:
            self._idle = deque(one for one in self._idle if one[1] is not connection)
        self._make_room()

    def forget_idle(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop()[1].drop()

    def close(self) -> None:
        self._closed = True
        for connection in [*self._open]:
            connection.drop()
        self._idle.clear()

    # --- waiting ----------------------------------------------------------------------------------------------

    async def _next(self) -> C:
        if self._closed:
            raise Closed("the wire is closed")
        if self._count < self._most:
            self._count += 1
            return await self._opened()
        waiting: asyncio.Future[C | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            connection = await waiting
        except asyncio.CancelledError:
            self._pass_on(waiting)
            raise
        return connection if connection is not None else await self._opened()

    def _pass_on(self, waiting: asyncio.Future[C | None]) -> None:
        """Whoever waited is gone; what they were given in the same moment is for the next."""
        if waiting.cancelled() or not waiting.done():
            return
        connection = waiting.result()
        if connection is None:
            self._make_room()
        elif connection.alive:
            self.give_back(connection)

    async def _opened(self) -> C:
        """In a place that is counted already."""
        try:
            if self._closed:
                raise Closed("the wire is closed")
            connection = await self._connect()
            if not connection.alive:
                raise ConnectionResetError("it was closed at once")
        except BaseException:
            self._make_room()
            raise
        self._open.add(connection)
        if self._closed:
            connection.drop()
            raise Closed("the wire is closed")
        return connection

    def _make_room(self) -> None:
        """A place has become free: for the next who waits, or for whoever comes."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._count -= 1
