"""The SDK's client beside wrk, on the same authz: `./dev bench client`.

32 connections, one request in flight on each, the same 1,000 questions with their reasons; authz on one core, whoever asks
on the other. What counts is the busier of the two: so many requests could be made in a second if both cores were theirs.
With wrk that is authz's, as it is written in C and hardly does anything; with the SDK it may be the product's own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import msgspec
import structlog

from benchmarks import check, machine, results, roster
from benchmarks.asking import Outcome
from benchmarks.fleet import Fleet, Organisation
from benchmarks.grid import Grid, grid
from benchmarks.peers import wrk
from benchmarks.results import Claim
from benchmarks.rounds import Sample, Target, measure
from benchmarks.served import AUTHZ, Cores, Server, pin
from deploy.local.errors import PlatformError
from staffgate.contracts.decisions import Action, Evaluation, Resource, Subject

WRK, WIRE, AIOHTTP = "wrk", "the SDK over its wire", "the SDK over aiohttp"
_PATH, _QUESTIONS = "/access/v1/evaluation", 1000
_PACKAGES = ("aiohttp", "uvloop", "msgspec")
CLAIMS = (
    Claim(what="requests a second of the SDK, against wrk", of=WIRE, to=WRK, least=0.5),
    Claim(what="over its wire, against aiohttp", of=WIRE, to=AIOHTTP),
)


@asynccontextmanager
async def authz(world: Grid, core: int) -> AsyncIterator[Server]:
    async with Fleet(1) as fleet:
        manifest, token = msgspec.to_builtins(roster.manifest(world)), fleet.identity.token(roster.PRODUCT)
        status, answer = await fleet.door(0).ask("PUT", f"/v1/catalogue/{roster.PRODUCT}", token, manifest)
        if status != 200:
            raise PlatformError(f"authz refused the grid's manifest: {answer}")
        organisation, owner = await Organisation(fleet).founded(0), await asyncpg.connect(fleet.database.owner)
        await roster.write(owner, organisation.org, roster.of_grid(world))
        await owner.close()
        pid = fleet.replicas[0].pid
        if pid is None:
            raise PlatformError("authz does not run")
        pin(pid, core)
        yield Server(AUTHZ, fleet.ports[0], [pid], fleet)


def questions(world: Grid) -> list[bytes]:
    """As the client writes them."""
    asked = (
        Evaluation(
            subject=Subject(type="staff", id=str(one.person)),
            action=Action(name=roster.action(one.kind, one.action)),
            resource=Resource(type=one.kind, id=one.id),
            context={"explain": True},
        )
        for one in world.questions(_QUESTIONS)
    )
    return [msgspec.json.encode(one) for one in asked]


def by_wrk(server: Server, file: Path, core: int) -> Target:
    def run(seconds: float) -> Sample:
        before = server.cpu_seconds()
        found = wrk.drive(wrk.Load(server.url(_PATH), file, server.headers), seconds, core)
        if found.failed:
            raise PlatformError(f"wrk: requests failed ({found.failed})")
        took = server.cpu_seconds() - before
        return _sample(found.count, found.seconds, took, found.cpu_seconds, found.p50, found.p99)

    return Target(WRK, run)


@contextmanager
def by_sdk(name: str, kind: str, server: Server, file: Path, core: int) -> Iterator[Target]:
    """One process for all of its windows, as a product is."""
    argv = ["taskset", "-c", str(core), sys.executable, "-m", "benchmarks.asking", kind, server.url(""), str(file)]
    asking = subprocess.Popen(
        [*argv, str(wrk.CONNECTIONS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )  # fmt: skip

    def run(seconds: float) -> Sample:
        assert server.fleet is not None
        assert asking.stdin is not None
        assert asking.stdout is not None
        before = server.cpu_seconds()
        asking.stdin.write(f"{seconds} {server.fleet.product}\n")
        asking.stdin.flush()
        said = asking.stdout.readline()
        if not said:
            raise PlatformError(f"{name}: it ended without a result")
        found = msgspec.json.decode(said, type=Outcome)
        took = server.cpu_seconds() - before
        return _sample(found.count, found.seconds, took, found.cpu_seconds, found.p50, found.p99)

    try:
        run(0.5)  # what is imported and connected once
        yield Target(name, run)
    finally:
        asking.kill()
        asking.wait()


def _sample(count: int, seconds: float, server: float, load: float, p50: float, p99: float) -> Sample:
    return Sample(count, seconds, max(server, load), p50, p99, min(server, load))


async def compared(rounds: int, seconds: float, tries: int) -> results.Result:
    cores, world = Cores.of_machine(), grid()
    wrk.fetched()
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores.load})
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            file = Path(folder) / "questions.jsonl"
            file.write_bytes(b"".join(line + b"\n" for line in questions(world)))
            async with authz(world, cores.server) as server:

                def table() -> results.Table:
                    sdk = [stack.enter_context(by_sdk(name, kind, server, file, cores.load))
                           for name, kind in ((WIRE, "wire"), (AIOHTTP, "aiohttp"))]  # fmt: skip
                    targets, used = [by_wrk(server, file, cores.load), *sdk], {cores.server, cores.load}
                    return measure(targets, rounds, seconds, WRK, cores=used, tries=tries)

                found = await asyncio.to_thread(table)
    finally:
        os.sched_setaffinity(0, here)
    notes = {"a CPU second": "of the busier core: the server's, or that of whoever asks"}
    versions = machine.versions(_PACKAGES) | {"wrk": wrk.version()}
    return results.result("client", found, claims=CLAIMS, versions=versions, notes=notes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench client")
    parser.add_argument("--quick", action="store_true", help="three rounds of a second instead of seven of two")
    parser.add_argument(
        "--check", action="store_true", help="the same, and fail where a ratio is worse than the one kept"
    )
    parser.add_argument("--keep", action="store_true", help="keep the result: what comes later is checked against it")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rounds, seconds, tries = (3, 1.0, 2) if arguments.quick or arguments.check else (7, 2.0, 4)

    def run() -> results.Result:
        return asyncio.run(compared(rounds, seconds, tries))

    try:
        found = run()
        print(results.shown(found))
        for row in found.rows:
            print(f"{row.name}: {row.wall_rate.median:,.0f} requests a second by the clock")
        if arguments.keep:
            print(f"kept in {results.save(found)}")
        passed = not arguments.check or check.passed(found, run)
    except PlatformError as reason:
        sys.exit(f"./dev bench client: {reason}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
