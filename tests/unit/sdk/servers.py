"""Servers to speak to: one of aiohttp, and one that answers with whatever bytes it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Script = Callable[["Visit"], Awaitable[None]]
BODY = b'{"decision":true}'


def answer(body: bytes = BODY, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass
class Visit:
    """One connection, from the server's side."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        """Its first line, its headers in small letters, and its body. Raises IncompleteReadError at the end."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), f"a header stands there twice: {lines}"
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return first, headers, body

    async def say(self, *parts: bytes) -> None:
        """Each part by itself, as far as that can be had."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def gone(self) -> None:
        """Until the other end has closed."""
        with suppress(OSError):
            while await self.reader.read(65536):
                pass


@dataclass
class Raw:
    """`visits` are the connections that there were, `open` those that there are."""

    url: str = ""
    visits: int = 0
    open: int = 0
    faults: list[BaseException] = field(default_factory=list)


@asynccontextmanager
async def raw(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """The script for every connection; at its end the connection is closed."""
    server = Raw()
    tasks: set[asyncio.Task[Any]] = set()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.visits += 1
        server.open += 1
        try:
            await script(Visit(server.visits, reader, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except Exception as fault:
            server.faults.append(fault)
        finally:
            server.open -= 1
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(visited, "127.0.0.1", 0, ssl=tls)
    host, port = listening.sockets[0].getsockname()
    server.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        listening.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert server.faults == []


async def again_and_again(visit: Visit) -> None:
    while True:
        await visit.request()
        await visit.say(answer())


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """One handler for everything, in aiohttp."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()
