"""A file of staff: how long it takes until everybody is there, whether the loop is held up, and what it costs in memory.

./dev bench import            10,000 rows, good rows only, and all or nobody
./dev bench import --long     three of each
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.postgres import Postgres
from shared import log
from shared.bus.port import Message
from shared.clock import SystemClock
from staffgate.contracts import identity as contract
from tests.conftest import fresh_database
from tests.service.identity.conftest import Acme, Running, register, running
from tests.service.identity.imports import people, sent, state

ROWS = 10_000
_LOOK = 0.25  # seconds between two looks at the progress


@dataclass
class Watched:
    """What the process was like while something went on."""

    resident: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        yield
        task.cancel()

    async def _watch(self) -> None:
        pause, loop = 0.005, asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(pause)
            self.lags.append(loop.time() - before - pause)
            self.resident.append(resident())

    @property
    def lag(self) -> str:
        ordered = sorted(self.lags)
        return f"p99 {ordered[int(len(ordered) * 0.99)] * 1000:.1f} ms, longest {ordered[-1] * 1000:.1f} ms"


class Told:
    """Counts the people that are told of, and keeps nothing: a bus in memory would keep it all."""

    def __init__(self, identity: Running) -> None:
        self.count = 0
        identity.bus.publish = self._publish  # type: ignore[method-assign]

    async def _publish(self, messages: Sequence[Message]) -> list[bool]:
        self.count += sum(message.type == contract.StaffImported.type for message in messages)
        return [True for _ in messages]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def measured(acme: Acme, mode: str, number: int) -> None:
    content = people(ROWS, f"{mode}{number}x")
    gc.collect()
    before, watched, started = resident(), Watched(), time.perf_counter()
    async with watched.watching():
        answer = await sent(acme, content, mode=mode, key=f"{mode}{number}")
        assert answer.status == 202, answer.text
        staged = time.perf_counter() - started
        done, validated, steps = await followed(acme, answer.json["id"], started)
    took = time.perf_counter() - started
    assert (done["state"], done["created"]) == ("finished", ROWS), done
    gc.collect()
    grown = [(one - before) / (1 << 20) for one in (max(watched.resident), resident())]
    print(
        f"{mode:4} {ROWS} rows: sent {staged:.1f} s, judged after {validated:.1f} s, all there after {took:.1f} s;"
        f" {steps} steps of progress seen; loop lag {watched.lag};"
        f" resident {before / (1 << 20):.0f} MiB before, {grown[0]:+.0f} at most, {grown[1]:+.0f} afterwards",
        flush=True,
    )


async def followed(acme: Acme, id: str, started: float) -> tuple[Any, float, int]:
    """As it is in the end; when the judging was over; how often it was seen to have come further."""
    seen: set[tuple[str, int]] = set()
    validated = 0.0
    while (now := await state(acme, id))["state"] in ("waiting", "running"):
        seen.add((now["phase"], now["done"]))
        if now["phase"] == "create" and not validated:
            validated = time.perf_counter() - started
        await asyncio.sleep(_LOOK)
    return now, validated, len(seen)


async def main(times: int) -> None:
    log.configure("bench", "error")
    server = Postgres(Path(tempfile.mkdtemp(prefix="staffgate-bench-")))
    server.start()
    try:
        async with running(await fresh_database(server.url, "identity"), clock=SystemClock()) as identity:
            acme = await register(identity)
            told = Told(identity)
            await measured(acme, "good", 0)  # what a first time costs besides
            for number in range(1, times + 1):
                for mode in ("good", "all"):
                    await measured(acme, mode, number)
            print(f"{told.count} people told of, each once: {told.count == (2 * times + 1) * ROWS}")
    finally:
        server.stop()
        server.erase()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    asyncio.run(main(3 if parser.parse_args().long else 1))
