"""A product's process with a replica in it, which asks about people all the time:
`python -m benchmarks.product AUTHZ_URL AMQP_URL TOKEN`.

A line on its input names a change that is about to be made: its number, the person, the item, and the answer that
there will be. The question is put once a millisecond until it has that answer. At the end of the input it writes when
each had it, when each announcement was heard, and when each person was loaded.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from uuid import UUID

import aiohttp
import msgspec
import uvloop

from staffgate.client import AuthzClient
from staffgate.client.parts import PersonFacts
from staffgate.contracts.authz import PermissionsChanged
from staffgate.contracts.envelope import decode, open_envelope
from staffgate.replica import Replica

PACE = 0.001  # seconds between an answer and the next question
PATIENCE = 5.0  # seconds for what is not answered so at the end of the input
ACTION, TYPE = "sms.send", "inbox"


class Seen(msgspec.Struct):
    """Moments, by the number of the change; by organisation and revision; and by person."""

    answered: dict[int, float] = {}
    heard: list[tuple[str, int, float]] = []
    loaded: list[tuple[str, float, float]] = []
    asked: int = 0
    loads: int = 0
    remote: int = 0
    invalidated: int = 0
    gaps: int = 0


def observe(seen: Seen) -> list[tuple[bytes, float]]:
    heard: list[tuple[bytes, float]] = []
    plain_heard, plain_standing = Replica.heard, AuthzClient.standing

    def note_heard(replica: Replica, body: bytes) -> None:
        heard.append((body, time.monotonic()))
        plain_heard(replica, body)

    async def note_standing(client: AuthzClient, staff: UUID) -> PersonFacts:
        began = time.monotonic()
        found = await plain_standing(client, staff)
        seen.loaded.append((str(staff), began, time.monotonic()))
        return found

    Replica.heard = note_heard  # type: ignore[assignment,method-assign]
    AuthzClient.standing = note_standing  # type: ignore[assignment,method-assign]
    return heard


async def lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def main(authz_url: str, amqp_url: str, access: str) -> None:
    seen = Seen()
    heard = observe(seen)

    async def token() -> str:
        return access

    async with (
        aiohttp.ClientSession() as session,
        Replica(session, authz_url, token, amqp_url=amqp_url) as replica,
    ):
        probes: set[asyncio.Task[None]] = set()

        async def probe(number: int, staff: UUID, item: str, wanted: bool) -> None:
            while True:
                seen.asked += 1
                if await replica.allowed(staff, ACTION, TYPE, item) is wanted:
                    break
                await asyncio.sleep(PACE)
            seen.answered[number] = time.monotonic()

        while not (replica.stats.mirror.believed and replica.stats.catalogue is not None):
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        async for line in lines():
            number, staff, item, wanted = line.split()
            task = asyncio.create_task(probe(int(number), UUID(staff), item, wanted == "yes"))
            probes.add(task)
            task.add_done_callback(probes.discard)
        if probes:
            await asyncio.wait(probes, timeout=PATIENCE)
        for task in probes:
            task.cancel()
    stats = replica.stats
    seen.loads, seen.remote = stats.mirror.loads, stats.asked
    seen.invalidated, seen.gaps = stats.mirror.invalidated, stats.mirror.gaps
    for body, at in heard:
        event = decode(open_envelope(body))
        if isinstance(event, PermissionsChanged):
            seen.heard.append((str(event.org), event.revision, at))
    sys.stdout.buffer.write(msgspec.json.encode(seen) + b"\n")


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    uvloop.run(main(*sys.argv[1:]))
