"""Two workers on one port against one: `./dev bench workers`.

authz as it is, with PostgreSQL, RabbitMQ and an authenticated caller, once with `--workers 1` and once with `--workers 2`,
each worker on a core of its own. Three kinds of load:

- one decision a request, and 1,000 a request, from 32 connections that ask as fast as they are answered (wrk);
- one decision a request at a pace that neither is near to the end of: what a request costs when there is time to spare.

Two things are looked at. What a decision costs of the server's own processor time has to be the same with two: then two
cores do twice as much as one. And by the clock, twice as much has to come out. The second can only be seen where the load
does not take from the workers what is measured: with one decision a request it needs two cores of its own, so four in
all. With 1,000 a request it needs a few hundredths of one, and two will do. What the machine could not show is said.

With `--quick` three rounds of a second; with `--keep` the result is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog
import uvloop

from benchmarks import machine, paced, results, roster
from benchmarks.fleet import ROOT, Fleet, Http, Organisation
from benchmarks.grid import Grid, Question, grid
from benchmarks.peers import wrk
from benchmarks.results import Absent, Claim, Ratio
from benchmarks.rounds import TRIES, Sample, Spread, Table, Target, measure
from benchmarks.served import Server, pin
from deploy.local.errors import PlatformError
from deploy.local.ports import free_port
from deploy.local.process import Process

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
BODIES, BATCHES = 1000, 40
PACE = 2000  # requests a second: a tenth of what one worker can do, or less
SINGLE, BATCH, PACED = "one at a time", "1,000 at once", f"{PACE:,} a second"
NAMES = {1: "one worker", 2: "two workers"}
_PACKAGES = ("aiohttp", "uvloop", "msgspec")
_UP = b'worker_up{worker="2"} 1.0'


@dataclass(frozen=True)
class Cores:
    """`servers` has one for each worker. With fewer than four, the load is on the second worker's too."""

    servers: tuple[int, int]
    load: tuple[int, ...]

    @classmethod
    def of_machine(cls) -> Cores:
        there = sorted(os.sched_getaffinity(0))
        return cls((there[0], there[1]), tuple(there[-2:]) if len(there) >= 4 else (there[-1],))

    @property
    def apart(self) -> bool:
        """Whether the load takes nothing from the workers, and may be as large as they are."""
        return not set(self.servers) & set(self.load)


class Crews(Fleet):
    """authz twice, with one database: with one worker, and with two."""

    def __init__(self) -> None:
        super().__init__(2)

    def _start(self, number: int) -> None:
        port, count = free_port(), number + 1
        command = [sys.executable, "-m", "services.authz", "--workers", str(count)]
        log, env = self.folder / f"authz-{count}.log", self._environment(self.database, port)
        process = Process(f"authz-{count}", command, log=log, env=env, cwd=ROOT)
        process.spawn()
        self.ports.append(port)
        self.replicas.append(process)

    async def servers(self, cores: Cores) -> dict[int, Server]:
        """By how many workers they have, each worker on its core."""
        found = {}
        for count, port, process in zip((1, 2), self.ports, self.replicas, strict=True):
            pids = await _workers(process, port, count)
            for pid, core in zip(pids, cores.servers, strict=False):
                pin(pid, core)
            found[count] = Server(NAMES[count], port, pids, self)
        return found


async def _workers(process: Process, port: int, count: int) -> list[int]:
    """Those that answer: the process itself, or the children of one that answers nothing."""
    assert process.pid is not None
    if count == 1:
        return [process.pid]
    http = Http(port)
    async with asyncio.timeout(60):
        while _UP not in (await http.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))[1]:
            await asyncio.sleep(0.05)
    return _children(process.pid)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# --- what is asked --------------------------------------------------------------------------------------------


@dataclass
class Load:
    """`shares` is what the busier worker did of each window's work."""

    name: str
    path: str
    bodies: Sequence[object]
    expected: Sequence[list[bool]]
    size: int = 1
    shares: list[float] = field(default_factory=list)


def loads(world: Grid) -> list[Load]:
    single = world.questions(BODIES)
    groups = list(world.groups(BATCHES, 1000))
    bodies, allowed = [_body(one) for one in single], [[world.allows(one)] for one in single]
    return [
        Load(SINGLE, ONE, bodies, allowed),
        Load(PACED, ONE, bodies, allowed),
        Load(BATCH, MANY, [_batch(group) for group in groups], [[*map(world.allows, group)] for group in groups], 1000),
    ]


def _body(asked: Question) -> dict[str, Any]:
    subject = {"type": "staff", "id": str(asked.person)}
    resource = {"type": asked.kind, "id": asked.id}
    return {"subject": subject, "action": {"name": roster.action(asked.kind, asked.action)}, "resource": resource}


def _batch(group: Sequence[Question]) -> dict[str, Any]:
    parts = [_body(one) for one in group]
    shared = parts[0]["subject"]
    return {"subject": shared, "evaluations": [{"action": one["action"], "resource": one["resource"]} for one in parts]}


def agree(server: Server, load: Load) -> None:
    """Raises PlatformError at the first answer that is not the oracle's."""
    for found, expected in zip(server.answers(load.path, load.bodies), load.expected, strict=True):
        said = [one["decision"] for one in found["evaluations"]] if load.size > 1 else [found["decision"]]
        if said != expected:
            raise PlatformError(f"{server.name} answers otherwise than the oracle")


# --- how fast -------------------------------------------------------------------------------------------------


def target(load: Load, server: Server, cores: Cores, folder: Path) -> Target:
    file = folder / f"{load.name}.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(body) + b"\n" for body in load.bodies))
    drive = _by_pace if load.name == PACED else _by_wrk

    def run(seconds: float) -> Sample:
        for tries in range(1, TRIES + 1):
            before = _each(server)
            try:
                sample = drive(load, server, cores, file, seconds)
                break
            except PlatformError:  # a machine too busy to tell who is signed in, and authz denies: fit for no figure
                if tries == TRIES:
                    raise
        took = [after - then for after, then in zip(_each(server), before, strict=True)]
        if len(took) > 1:
            load.shares.append(max(took) / sum(took))
        return Sample(sample.count, sample.seconds, sum(took), sample.p50, sample.p99, sample.load_seconds)

    return Target(f"{server.name}, {load.name}", run, f"{load.size:,} decisions a request" if load.size > 1 else "")


def _each(server: Server) -> list[float]:
    return [Server(server.name, server.port, [pid]).cpu_seconds() for pid in server.pids]


def _by_wrk(load: Load, server: Server, cores: Cores, file: Path, seconds: float) -> Sample:
    """From each core of the load at once, with its share of the 32 connections."""
    share = wrk.CONNECTIONS // len(cores.load)
    asked = wrk.Load(server.url(load.path), file, server.headers, share)
    with ThreadPoolExecutor(len(cores.load)) as threads:
        outcomes = list(threads.map(lambda core: wrk.drive(asked, seconds, core), cores.load))
    if any(one.failed or not one.count for one in outcomes):
        told = [(one.count, one.failed) for one in outcomes]
        raise PlatformError(f"{server.name}, {load.name}: requests failed, or there were none: {told}")
    return Sample(
        count=sum(one.count for one in outcomes) * load.size,
        seconds=max(one.seconds for one in outcomes),
        cpu_seconds=0,
        p50=max(one.p50 for one in outcomes),
        p99=max(one.p99 for one in outcomes),
        load_seconds=sum(one.cpu_seconds for one in outcomes),
    )


def _by_pace(load: Load, server: Server, _cores: Cores, file: Path, seconds: float) -> Sample:
    requests = [_request(server, load.path, body) for body in file.read_bytes().splitlines()]
    outcome = uvloop.run(paced.drive(server.port, requests, PACE, seconds, wrk.CONNECTIONS))
    if outcome.failed:
        raise PlatformError(f"{server.name}, {load.name}: {outcome.failed} requests failed")
    cuts = statistics.quantiles(outcome.took, n=100)
    return Sample(len(outcome.took), outcome.seconds, 0, cuts[49], cuts[98], outcome.cpu_seconds)


def _request(server: Server, path: str, body: bytes) -> bytes:
    headers = {"Host": "authz", "Content-Type": "application/json", "Content-Length": str(len(body)), **server.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


# --- all of it ------------------------------------------------------------------------------------------------


def _claims() -> list[Claim]:
    kinds = {SINGLE: 0.9, BATCH: 0.9, PACED: None}
    return [
        Claim(what=f"two workers against one, a CPU second, {kind}", of=f"{NAMES[2]}, {kind}", to=f"{NAMES[1]}, {kind}", least=least)
        for kind, least in kinds.items()
    ]  # fmt: skip


def _by_the_clock(table: Table, kind: str) -> Ratio:
    """Not by processor time, as the others are: this is about what comes out."""
    of, to = f"{NAMES[2]}, {kind}", f"{NAMES[1]}, {kind}"
    pairs = zip(table.rows[of].samples, table.rows[to].samples, strict=True)
    seen = Spread.of((one.count / one.seconds) / (other.count / other.seconds) for one, other in pairs)
    what = f"two workers against one, by the clock, {kind}"
    median, low, high = (round(number, 3) for number in (seen.median, seen.low, seen.high))
    return Ratio(what=what, of=of, to=to, least=1.8, noise=0.25, median=median, low=low, high=high)


@asynccontextmanager
async def _filled(cores: Cores, world: Grid) -> AsyncIterator[dict[int, Server]]:
    here = os.sched_getaffinity(0)
    if cores.apart:  # else what the workers need of us and the databases would wait behind the load
        os.sched_setaffinity(0, set(cores.load))
    try:
        async with Crews() as fleet:
            manifest, token = msgspec.to_builtins(roster.manifest(world)), fleet.identity.token(roster.PRODUCT)
            status, answer = await fleet.door(0).ask("PUT", f"/v1/catalogue/{roster.PRODUCT}", token, manifest)
            if status != 200:
                raise PlatformError(f"authz refused the grid's manifest: {answer}")
            organisation = await Organisation(fleet).founded(0)
            owner = await asyncpg.connect(fleet.database.owner)
            await roster.write(owner, organisation.org, roster.of_grid(world))
            await owner.close()
            yield await fleet.servers(cores)
    finally:
        os.sched_setaffinity(0, here)


async def compared(rounds: int, seconds: float) -> results.Result:
    cores, world = Cores.of_machine(), grid()
    every = loads(world)
    wrk.fetched()
    with tempfile.TemporaryDirectory() as folder:
        async with _filled(cores, world) as servers:
            for load in every:
                for server in servers.values():
                    await asyncio.to_thread(agree, server, load)
            print("every answer is the oracle's", flush=True)
            targets = [target(load, server, cores, Path(folder)) for load in every for server in servers.values()]
            used = {*cores.servers, *cores.load}
            table = await asyncio.to_thread(measure, targets, rounds, seconds, targets[0].name, cores=used)
    return _told(table, every, cores)


def _told(table: Table, every: Sequence[Load], cores: Cores) -> results.Result:
    kinds = [SINGLE, BATCH] if cores.apart else [BATCH]
    lacking = "the load needs two cores beside those of the workers, and there are not four; see the cost of a decision"
    absent = [] if cores.apart else [Absent(f"two workers against one, by the clock, {SINGLE}", lacking)]
    shares = {load.name: f"{statistics.median(load.shares):.0%}" for load in every}
    notes = {f"the busier worker's part of the work, {name}": share for name, share in shares.items()}
    versions = machine.versions(_PACKAGES) | {"wrk": wrk.version()}
    found = results.result("workers", table, claims=_claims(), versions=versions, absent=absent, notes=notes)
    return msgspec.structs.replace(found, ratios=(*found.ratios, *(_by_the_clock(table, kind) for kind in kinds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds of a second instead of seven of two")
    parser.add_argument("--keep", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("Two workers need two cores, and there is one: not measured.")
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = asyncio.run(compared(*((3, 1.0) if arguments.quick else (7, 2.0))))
    print(results.shown(found))
    for what, said in found.notes.items():
        print(f"{what}: {said}")
    if arguments.keep:
        results.save(found)


if __name__ == "__main__":
    main()
