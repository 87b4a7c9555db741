"""A network that fails, in the three ways that one can: it is gone and says so, it keeps what it is given for later, and
it takes everything and passes nothing on, with nobody told that the other end is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

from deploy.local.ports import HOST


class State(Enum):
    WHOLE = "whole"
    REFUSED = "refused"
    HELD = "held"
    SWALLOWED = "swallowed"


class Line:
    """A TCP relay to one port."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._state = State.WHOLE
        self._whole = asyncio.Event()
        self._joined: set[_Joined] = set()
        self.port = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._join, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self.becomes(State.WHOLE)
        try:
            yield
        finally:
            server.close()
            for joined in tuple(self._joined):
                joined.cut()

    def becomes(self, state: State) -> None:
        self._state = state
        for joined in tuple(self._joined):
            if state is State.REFUSED or (state is State.WHOLE and joined.spoilt):
                joined.cut()
        if state is State.WHOLE:
            self._whole.set()
        else:
            self._whole.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        joined = _Joined(writer)
        self._joined.add(joined)
        try:
            if self._state is State.REFUSED:
                return
            if self._state is State.SWALLOWED:
                joined.spoilt = True
                while await reader.read(1 << 16):
                    pass
                return
            await self._whole.wait()
            far_reader, far = await asyncio.open_connection(HOST, self._far)
            joined.ends.append(far)
            await asyncio.gather(self._carry(joined, reader, far), self._carry(joined, far_reader, writer))
        except OSError:
            pass
        finally:
            joined.cut()
            self._joined.discard(joined)

    async def _carry(self, joined: _Joined, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self._state is State.SWALLOWED:
                joined.spoilt = True
                continue
            await self._whole.wait()
            if joined.spoilt:
                break
            writer.write(data)
            await writer.drain()
        joined.cut()


class _Joined:
    """The two ends of a connection. `spoilt` has lost bytes, and can never be whole again."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self.ends = [*ends]
        self.spoilt = False

    def cut(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                end.transport.abort()
