"""The servers that are compared over HTTP, all of them up at the same time, each on the core for servers.

authz is the real process, with PostgreSQL, RabbitMQ and what the network shows of identity; those, this process and the
load are on the other core. While it is measured it answers from memory, as it does in production: what it has read from
the database once, announcements and heartbeats keep right.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from benchmarks import roster
from benchmarks.fleet import IDS, Fleet, Organisation
from benchmarks.grid import Grid
from benchmarks.peers import cerbos
from benchmarks.peers.wrk import CHANGING
from benchmarks.results import Absent
from benchmarks.roster import Roster
from deploy.local.databases import Urls
from deploy.local.errors import PlatformError
from deploy.local.ports import HOST, answers, free_port
from deploy.local.process import Process, wait_until

ROOT = Path(__file__).parents[1]
_TICK = 1 / os.sysconf("SC_CLK_TCK")
AUTHZ, PLAIN, CERBOS, BARE = "authz", "authz without its fast path", "Cerbos", "bare aiohttp"


@dataclass(frozen=True)
class Cores:
    """One for the servers, another for everybody else; the same one where there is only one."""

    server: int
    load: int

    @classmethod
    def of_machine(cls) -> Cores:
        there = sorted(os.sched_getaffinity(0))
        return cls(there[0], there[-1])


@dataclass
class Server:
    """`pids` are the processes whose time counts. `token` makes what the caller authenticates with."""

    name: str
    port: int
    pids: list[int]
    fleet: Fleet | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What a product service sends to authz; the others know neither tokens nor request ids."""
        if self.fleet is None:
            return {}
        return {"Authorization": f"Bearer {self.fleet.product}", "X-Request-ID": f"{IDS.uuid().hex[:24]}{CHANGING}"}

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def cpu_seconds(self) -> float:
        return sum(_cpu_seconds(pid) for pid in self.pids)

    def answers(self, path: str, bodies: Iterable[object]) -> Iterator[Any]:
        """One after the other. Raises PlatformError at the first that is refused."""
        connection = HTTPConnection(HOST, self.port, timeout=30)
        headers = self.headers | {"Content-Type": "application/json"}
        for body in bodies:
            connection.request("POST", path, msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise PlatformError(f"{self.name} answered {answer.status} to {path}: {content[:500]!r}")
            yield msgspec.json.decode(content)
        connection.close()

    def remembered(self) -> int | None:
        """People of whom it answers from memory, none while it believes nothing of it. None where it keeps nobody."""
        if self.fleet is None:
            return None
        connection = HTTPConnection(HOST, self.port, timeout=30)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        people = next(line for line in lines if line.startswith('authz_mirror_remembered{kind="people"}'))
        return int(float(people.split()[-1])) if "authz_mirror_believed 1.0" in lines else 0


@dataclass
class Servers:
    """Those that are up, by name, and why the others are not."""

    up: dict[str, Server] = field(default_factory=dict)
    absent: list[Absent] = field(default_factory=list)


@asynccontextmanager
async def served(cores: Cores, grid: Grid, model: Roster) -> AsyncIterator[Servers]:
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores.load})
    servers, others = Servers(), list[Process]()
    try:
        async with _Both() as fleet:
            for name, port, process in zip((AUTHZ, PLAIN), fleet.ports, fleet.replicas, strict=True):
                servers.up[name] = Server(name, port, [_pid(process)], fleet)
            await _filled(fleet, grid, model)
            await _others(servers, fleet.folder, grid, others)
            for server in servers.up.values():
                for pid in server.pids:
                    pin(pid, cores.server)
            yield servers
    finally:
        for process in others:
            process.stop(patience=5)
        os.sched_setaffinity(0, here)


class _Both(Fleet):
    """Two processes of authz, with the fast path and without."""

    def __init__(self) -> None:
        super().__init__(2)

    def _environment(self, database: Urls, port: int) -> dict[str, str]:
        express = "0" if self.ports else "1"
        return super()._environment(database, port) | {"AUTHZ_EXPRESS": express}


async def _filled(fleet: Fleet, grid: Grid, model: Roster) -> None:
    """Two organisations: one that is the grid, one with the whole model in it."""
    manifest, token = msgspec.to_builtins(roster.manifest(grid)), fleet.identity.token(roster.PRODUCT)
    status, answer = await fleet.door(0).ask("PUT", f"/v1/catalogue/{roster.PRODUCT}", token, manifest)
    if status != 200:
        raise PlatformError(f"authz refused the grid's manifest: {answer}")
    owner = await asyncpg.connect(fleet.database.owner)
    for people in (roster.of_grid(grid), model):
        organisation = await Organisation(fleet).founded(0)
        await roster.write(owner, organisation.org, people)
    await owner.close()


async def _others(servers: Servers, folder: Path, grid: Grid, started: list[Process]) -> None:
    argv = [sys.executable, "-m", "benchmarks.peers.bare", str(port := free_port())]
    env = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}"}
    started.append(Process("bare", argv, log=folder / "bare.log", env=env, cwd=ROOT))
    await _start(servers, BARE, started[-1], port)
    try:
        started.append(cerbos.server(folder / "cerbos", grid, port := free_port(), free_port()))
    except PlatformError as reason:
        servers.absent.append(Absent(CERBOS, str(reason)))
    else:
        await _start(servers, CERBOS, started[-1], port)


async def _start(servers: Servers, name: str, process: Process, port: int) -> None:
    """Raises PlatformError where it does not listen within half a minute."""
    process.spawn()
    there = await asyncio.to_thread(wait_until, lambda: answers(port) or not process.alive, 30, 0.05)
    if not there or not process.alive:
        raise PlatformError(f"{name} did not start: {process.tail(4)}")
    servers.up[name] = Server(name, port, [_pid(process)])


def _pid(process: Process) -> int:
    if process.pid is None:
        raise PlatformError(f"{process.name} does not run")
    return process.pid


# --- processors -----------------------------------------------------------------------------------------------


def pin(pid: int, core: int) -> None:
    """Every thread of the process; those that they start afterwards are there too."""
    while any(_moved(int(task.name), core) for task in Path(f"/proc/{pid}/task").iterdir()):
        pass


def _moved(thread: int, core: int) -> bool:
    """False where it is there already, or has ended."""
    try:
        if os.sched_getaffinity(thread) == {core}:
            return False
        os.sched_setaffinity(thread, {core})
    except ProcessLookupError:
        return False
    return True


def _cpu_seconds(pid: int) -> float:
    """Of all its threads, in the kernel and out of it; to a hundredth of a second."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
    return (int(user) + int(system)) * _TICK
