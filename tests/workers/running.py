"""A service with workers as a process tree: started, asked, watched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.ports import HOST, free_port

ROOT = Path(__file__).parents[2]


class Running:
    """`python -m <module> --workers <count>`, its output in a file."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.seen: set[int] = set()  # all that were ever its workers
        self._log = log

    @property
    def workers(self) -> set[int]:
        """The processes that its keeper has now."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return set()
        found = {int(pid) for pid in children.split() if is_running(int(pid))}
        self.seen |= found
        return found

    @property
    def folder(self) -> Path:
        """Where the workers find each other."""
        (found,) = {Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2] for pid in self.workers}
        return Path(found)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was logged so far under this name."""
        said = [json.loads(line) for line in self.output.split("\n") if line.startswith("{") and line.endswith("}")]
        return [line for line in said if line["event"] == event]

    async def until(self, holds: Callable[[], object], seconds: float = 60) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    await asyncio.sleep(0.01)
        assert holds(), self.output

    async def ready(self, count: int) -> None:
        await self.until(lambda: len(self.lines("worker.ready")) >= count or self.process.returncode is not None)
        assert self.process.returncode is None, self.output

    async def ended(self, seconds: float = 60) -> int:
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def ask(self, path: str, method: str = "GET", seconds: float = 10) -> tuple[int, str]:
        """On a connection of its own, for each goes to whom the kernel picks."""
        timeout = aiohttp.ClientTimeout(seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, self.url + path, headers={"Connection": "close"}) as response,
        ):
            return response.status, await response.text()

    async def who(self) -> int:
        status, text = await self.ask("/who")
        assert status == 200
        return int(text)

    async def met(self, count: int) -> set[int]:
        """Ask until so many have answered."""
        found: set[int] = set()
        async with asyncio.timeout(60):
            while len(found) < count:
                found.add(await self.who())
        return found

    async def figures(self) -> dict[tuple[str, str], float]:
        """By sample and worker; of several with other labels the sum."""
        status, text = await self.ask("/metrics")
        assert status == 200
        return read(text)


def read(text: str) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, sample.labels.get("worker", "")
            found[key] = found.get(key, 0) + sample.value
    return found


@asynccontextmanager
async def running(
    folder: Path, count: int, *, module: str = "tests.workers.small", arguments: tuple[str, ...] = (), **settings: Any
) -> AsyncIterator[Running]:
    """Settings as keywords: `key="x"` is SMALL_KEY."""
    service = module.rpartition(".")[2]
    port = settings.pop("http_port", None) or free_port()
    told = {"database_url": "postgres://nowhere", "amqp_url": "amqp://nowhere", "http_port": port} | settings
    environ = {f"{service}_{name}".upper(): str(value) for name, value in told.items() if value is not None}
    log = folder / f"{service}-{port}.log"
    words = ["-m", module, "--workers", str(count), *arguments]
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=ROOT, env={"PATH": "/usr/bin:/bin"} | environ, stdout=out, stderr=out
        )
    tree = Running(process, port, log)
    try:
        yield tree
    finally:
        seen = tree.workers | tree.seen
        await _ended(process)
        for pid in filter(_is_worker, seen):
            os.kill(pid, signal.SIGKILL)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """As it would end by itself, which leaves nothing behind; else at once."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def _is_worker(pid: int) -> bool:
    """A number alone may be another's by now."""
    return is_running(pid) and "--as-worker" in Path(f"/proc/{pid}/cmdline").read_text()
