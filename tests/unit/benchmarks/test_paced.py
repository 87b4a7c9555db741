"""A load by pace goes on asking while a server does not answer, and counts from when each request was due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.paced import drive
from deploy.local.ports import HOST

REQUESTS = [b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n1", b"POST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\n2"]
WELL = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\nServer: x\r\n\r\n\r\n\r\n a body "


@asynccontextmanager
async def answering(answer: Callable[[int], bytes], pause_at: int = -1, pause: float = 0) -> AsyncIterator[int]:
    """A server whose answers come in pieces."""
    asked = 0

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await reader.read(len(REQUESTS[0])):
            asked += 1
            if asked == pause_at:
                await asyncio.sleep(pause)
            whole = answer(asked)
            for part in (whole[:20], whole[20:45], whole[45:]):
                writer.write(part)
                await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(served, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_each_answer_is_counted_once() -> None:
    async with answering(lambda _: WELL) as port:
        outcome = await drive(port, REQUESTS, 500, 0.2, 4)
    assert (len(outcome.took), outcome.failed) == (100, 0)
    assert all(took > 0 for took in outcome.took)


async def test_what_is_refused_failed() -> None:
    async with answering(lambda n: WELL.replace(b"200", b"503") if n % 10 == 0 else WELL) as port:
        outcome = await drive(port, REQUESTS, 500, 0.2, 4)
    assert (len(outcome.took), outcome.failed) == (90, 10)


async def test_who_is_held_up_is_asked_all_the_same_and_it_shows() -> None:
    """By a load that waits for each answer, one of a hundred would have been slow."""
    async with answering(lambda _: WELL, pause_at=20, pause=0.2) as port:
        outcome = await drive(port, REQUESTS, 500, 0.2, 1)
    assert outcome.failed == 0
    assert len([took for took in outcome.took if took > 50_000]) > 40
