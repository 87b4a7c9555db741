"""A product that asks authz without a pause, by the SDK's client: `python -m benchmarks.asking wire|aiohttp URL FILE CONNECTIONS`.

FILE has a question a line. Each line of standard input is a number of seconds and the token to ask with; what it came to
is a line of standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import aiohttp
import msgspec
import uvloop

from staffgate.client import AuthzClient, Wire
from staffgate.client.token import ServiceToken
from staffgate.contracts.decisions import Evaluation
from staffgate.contracts.identity import Tokens


class Outcome(msgspec.Struct):
    """`p50` and `p99` in microseconds."""

    count: int
    seconds: float
    cpu_seconds: float
    p50: float
    p99: float


async def main(kind: str, url: str, file: str, connections: int) -> None:
    lines = Path(file).read_bytes().splitlines()  # noqa: ASYNC240  # before anything is measured
    questions = [msgspec.json.decode(line, type=Evaluation) for line in lines]
    asked = [(UUID(one.subject.id), one.action.name, one.resource.type, one.resource.id) for one in questions]
    session = Wire() if kind == "wire" else aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))
    async with session:
        for line in sys.stdin:
            seconds, shown = line.split()
            outcome = await _asked(session, url, shown, asked, float(seconds), connections)
            print(msgspec.json.encode(outcome).decode(), flush=True)


async def _asked(
    session: Wire | aiohttp.ClientSession, url: str, shown: str, asked: list[tuple[UUID, str, str, str]], seconds: float,
    connections: int,
) -> Outcome:  # fmt: skip
    async def issued() -> Tokens:
        return Tokens(access_token=shown, token_type="Bearer", expires_in=300, refresh_token=None)

    client, took = AuthzClient(session, url, ServiceToken(issued)), list[float]()
    began, worked = time.perf_counter(), time.process_time()

    async def one(questions: Iterator[tuple[UUID, str, str, str]]) -> None:
        while (at := time.perf_counter()) - began < seconds:
            await client.decide(*next(questions))
            took.append(time.perf_counter() - at)

    turn = _round_and_round(asked)
    await asyncio.gather(*(one(turn) for _ in range(connections)))
    passed, worked = time.perf_counter() - began, time.process_time() - worked
    took.sort()
    return Outcome(len(took), passed, worked, took[len(took) // 2] * 1e6, took[len(took) * 99 // 100] * 1e6)


def _round_and_round(asked: list[tuple[UUID, str, str, str]]) -> Iterator[tuple[UUID, str, str, str]]:
    while True:
        yield from asked


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
