"""Decisions over HTTP side by side with others: `./dev bench http`.

- Cerbos, the real server: its AuthZEN endpoints, and its own API.
- bare aiohttp with the same bodies, a constant answer and nothing else: the ceiling of an application in it.
- authz as it is: PostgreSQL, RabbitMQ, a product service that shows its token, a request id that is echoed, metrics.

Servers on one core, the load on another, 32 connections kept alive, 1,000 different bodies (200 of the batches) again
and again; of 1,000 questions at once there are 4 connections and 40 bodies. What counts is how many decisions a second of
the server's own processor time is good for. Every server's answers are held against the oracle before and after.
`--quick`: three rounds of a second; `--keep`: keep the result; `--check`: fail where a ratio is worse than the one kept.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from benchmarks import check, machine, results, roster
from benchmarks.engines import whole
from benchmarks.grid import Grid, Question, grid
from benchmarks.peers import cerbos, wrk
from benchmarks.results import Claim
from benchmarks.rounds import Sample, Target, measure
from benchmarks.served import AUTHZ, BARE, CERBOS, PLAIN, Cores, Server, served
from deploy.local.errors import PlatformError
from deploy.local.process import wait_until
from staffgate.decision import Question as Asked

ONE, MANY, CHECK = "/access/v1/evaluation", "/access/v1/evaluations", "/api/check/resources"
BODIES, GROUPS, HUNDREDS = 1000, 200, 40  # different bodies: of one question, of 50, of 1,000
_FEW = 4  # connections, of 1,000 at once
TRIES = 4  # of a window in which requests failed
_PACKAGES = ("aiohttp", "uvloop", "msgspec", "asyncpg", "aio-pika")

Read = Callable[[Any], list[bool]]


@dataclass(frozen=True)
class Side:
    """What is asked of one server. `expected` are the answers to the first bodies, as `read` finds them."""

    name: str
    server: str
    path: str
    bodies: Sequence[object]
    expected: Sequence[list[bool]]
    read: Read
    size: int = 1  # decisions in one request
    connections: int = wrk.CONNECTIONS


# --- what is asked --------------------------------------------------------------------------------------------


def sides(world: Grid, model: roster.Roster) -> list[Side]:
    return [*_of_ours(world), *_of_model(model), *_of_cerbos(world), *_of_bare(world)]


def _of_ours(world: Grid) -> list[Side]:
    single = world.questions(BODIES)
    expected = [[world.allows(one)] for one in single]
    bodies = [_ours(one) for one in single]
    fresh = [_ours(Question(one.person, one.kind, one.action, wrk.CHANGING)) for one in single]
    explained = [_explained(body) for body in bodies]
    found = []
    for server in (AUTHZ, PLAIN):
        found += [
            Side(server, server, ONE, bodies, expected, _one),
            Side(f"{server}, never asked before", server, ONE, fresh, expected, _one),
            Side(f"{server}, explained", server, ONE, explained, expected, _one),
            _batch(f"{server}, 50 at once", server, world, GROUPS, 50),
            _batch(f"{server}, 1,000 at once", server, world, HUNDREDS, 1000),
        ]
    return found


def _of_model(model: roster.Roster) -> list[Side]:
    asked = whole.questions(model, BODIES)
    expected = [[allowed] for allowed in roster.expected_of_model(model, asked)]
    bodies = [_of_question(*one) for one in asked]
    explained = [_explained(body) for body in bodies]
    return [
        Side(f"{AUTHZ}, the whole model", AUTHZ, ONE, bodies, expected, _one),
        Side(f"{PLAIN}, the whole model", PLAIN, ONE, bodies, expected, _one),
        Side(f"{AUTHZ}, the whole model, explained", AUTHZ, ONE, explained, expected, _one),
    ]


def _of_cerbos(world: Grid) -> list[Side]:
    single, groups = world.questions(BODIES), list(world.groups(GROUPS, cerbos.MOST))
    one, many = [[world.allows(asked)] for asked in single], [[*map(world.allows, group)] for group in groups]
    return [
        Side(f"{CERBOS}, AuthZEN", CERBOS, ONE, [cerbos.evaluation(world, asked) for asked in single], one, _one),
        Side(f"{CERBOS}, own API", CERBOS, CHECK, [cerbos.check(world, [asked]) for asked in single], one, _effects),
        Side(f"{CERBOS}, AuthZEN, 50 at once", CERBOS, MANY, [cerbos.evaluations(world, group) for group in groups], many, _many, 50),
        Side(f"{CERBOS}, own API, 50 at once", CERBOS, CHECK, [cerbos.check(world, group) for group in groups], many, _effects, 50),
    ]  # fmt: skip


def _of_bare(world: Grid) -> list[Side]:
    """It knows nothing: whatever it is asked, it says yes."""
    groups = list(world.groups(GROUPS, 50))
    bodies = [_ours(one) for one in world.questions(BODIES)]
    return [
        Side(BARE, BARE, ONE, bodies, [[True]] * BODIES, _one),
        Side(
            f"{BARE}, 50 at once", BARE, MANY, [_all_of(group) for group in groups], [[True] * 50] * GROUPS, _many, 50
        ),
    ]


def _batch(name: str, server: str, world: Grid, count: int, size: int) -> Side:
    groups = list(world.groups(count, size))
    expected = [[*map(world.allows, group)] for group in groups]
    few = size > 100  # a loop that has 32 of them before it comes round again seems deaf to the broker
    connections = _FEW if few else wrk.CONNECTIONS
    return Side(name, server, MANY, [_all_of(group) for group in groups], expected, _many, size, connections)


def _all_of(group: Sequence[Question]) -> dict[str, object]:
    """All about one person, who is named once."""
    parts = [_ours(one) for one in group]
    return {"subject": parts[0]["subject"], "evaluations": [{key: part[key] for key in ("action", "resource")} for part in parts]}  # fmt: skip


def _ours(asked: Question) -> dict[str, object]:
    return _of_question(asked.person, Asked(roster.action(asked.kind, asked.action), asked.kind, asked.id))


def _of_question(person: UUID, asked: Asked) -> dict[str, object]:
    resource = {"type": asked.type, "id": asked.id} | ({"properties": asked.properties} if asked.properties else {})
    return {"subject": {"type": "staff", "id": str(person)}, "action": {"name": asked.action}, "resource": resource}


def _explained(body: dict[str, object]) -> dict[str, object]:
    return body | {"context": {"explain": True}}


# --- what comes back ------------------------------------------------------------------------------------------


def _one(answer: Any) -> list[bool]:
    return [answer["decision"]]


def _many(answer: Any) -> list[bool]:
    return [one["decision"] for one in answer["evaluations"]]


def _effects(answer: Any) -> list[bool]:
    return [effect == "EFFECT_ALLOW" for one in answer["results"] for effect in one["actions"].values()]


def agree(side: Side, server: Server, most: int = BODIES) -> None:
    """Raises PlatformError at the first answer that is not the oracle's."""
    answers = map(side.read, server.answers(side.path, side.bodies[:most]))
    for number, (found, expected) in enumerate(zip(answers, side.expected, strict=False)):
        if found != expected:
            raise PlatformError(f"{side.name} answers question {number} otherwise than the oracle")


# --- how fast -------------------------------------------------------------------------------------------------


def _target(side: Side, server: Server, asked: Sequence[Side], folder: Path, cores: Cores) -> Target:
    own = [one for one in asked if one.server == side.server]

    def warm() -> None:
        for one in own:
            agree(one, server)

    return target(side, server, folder, cores, warm)


def target(side: Side, server: Server, folder: Path, cores: Cores, warm: Callable[[], None]) -> Target:
    """`warm` makes the server learn again what it had learnt when this was called."""
    file = folder / f"{side.name}.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(body) + b"\n" for body in side.bodies))

    known = server.remembered()

    def run(seconds: float) -> Sample:
        """A window in which a request failed is none, and neither is one that begins with learning."""
        for _ in range(TRIES):
            if known is not None and (server.remembered() or 0) < known:
                wait_until(lambda: server.remembered() != 0, 30, 0.2)
                warm()
            sample, failed = window(seconds)
            if not failed:
                return sample
            say(f"    {side.name}: requests failed ({failed}); once more")
        raise PlatformError(f"{side.name}: requests fail again and again ({failed})")

    def window(seconds: float) -> tuple[Sample, dict[str, int]]:
        load = wrk.Load(server.url(side.path), file, server.headers, side.connections)
        before = server.cpu_seconds()
        found = wrk.drive(load, seconds, cores.load)
        took = server.cpu_seconds() - before
        return Sample(
            found.count * side.size, found.seconds, took, found.p50, found.p99, found.cpu_seconds
        ), found.failed

    return Target(side.name, run, f"{side.size:,} decisions a request" if side.size > 1 else "")


CLAIMS = (
    Claim(what="one decision, against Cerbos", of=AUTHZ, to=f"{CERBOS}, AuthZEN", least=14),
    Claim(what="one decision without the fast path, against Cerbos", of=PLAIN, to=f"{CERBOS}, AuthZEN", least=4),
    Claim(what="one decision, against bare aiohttp", of=AUTHZ, to=BARE, least=2.3),
    Claim(what="one decision without the fast path, against bare aiohttp", of=PLAIN, to=BARE, least=0.75),
    Claim(what="50 at once, against Cerbos", of=f"{AUTHZ}, 50 at once", to=f"{CERBOS}, AuthZEN, 50 at once", least=15),
    Claim(what="with the reason, against without", of=f"{AUTHZ}, explained", to=AUTHZ, least=0.4),
    Claim(what="never asked before, against asked before", of=f"{AUTHZ}, never asked before", to=AUTHZ),
    Claim(what="the whole model, against the grid", of=f"{AUTHZ}, the whole model", to=AUTHZ),
    Claim(what="1,000 at once, against one by one", of=f"{AUTHZ}, 1,000 at once", to=AUTHZ),
)


async def compared(rounds: int, seconds: float, tries: int, only: str = "") -> results.Result:
    cores, world, model = Cores.of_machine(), grid(), whole.model()
    every = [side for side in sides(world, model) if only in side.name]
    say("--- the load and the servers")
    wrk.fetched()
    with tempfile.TemporaryDirectory() as folder:
        async with served(cores, world, model) as servers:
            asked = [side for side in every if side.server in servers.up]
            say("--- every answer beside the oracle's")
            for side in asked:
                await asyncio.to_thread(agree, side, servers.up[side.server])
            say("--- rounds")
            targets = [_target(side, servers.up[side.server], asked, Path(folder), cores) for side in asked]
            used = {cores.server, cores.load}
            base = BARE if BARE in {side.name for side in asked} else asked[0].name
            table = await asyncio.to_thread(measure, targets, rounds, seconds, base, cores=used, say=say, tries=tries)
            for side in asked:
                await asyncio.to_thread(agree, side, servers.up[side.server], 300)
    versions = machine.versions(_PACKAGES) | {"Cerbos": cerbos.VERSION, "wrk": wrk.version()}
    notes = {
        "load": f"{wrk.CONNECTIONS} connections kept alive ({_FEW} of 1,000 at once), one request in flight on each",
        "bodies": f"{BODIES:,} different ones of one question, {GROUPS} of 50, {HUNDREDS} of 1,000; every request has another id",
    }
    return results.result("http", table, claims=CLAIMS, versions=versions, absent=servers.absent, notes=notes)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench http")
    parser.add_argument("--quick", action="store_true", help="three rounds of a second instead of seven of two")
    parser.add_argument(
        "--check", action="store_true", help="the same, and fail where a ratio is worse than the one kept"
    )
    parser.add_argument("--keep", action="store_true", help="keep the result: what comes later is checked against it")
    parser.add_argument("--only", default="", help="only those with this in their name")
    parser.add_argument("--long", action="store_true", help="eleven rounds of three seconds")
    arguments = parser.parse_args()
    if arguments.only and (arguments.keep or arguments.check):
        parser.error("a result is kept, or held against the one that is kept, whole: leave --only out")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    usual = (11, 3.0, 4) if arguments.long else (7, 2.0, 4)
    rounds, seconds, tries = (3, 1.0, 2) if arguments.quick or arguments.check else usual

    def run() -> results.Result:
        return asyncio.run(compared(rounds, seconds, tries, arguments.only))

    try:
        found = run()
        say(results.shown(found))
        if arguments.keep:
            say(f"kept in {results.save(found)}")
        passed = not arguments.check or check.passed(found, run)
    except PlatformError as reason:
        sys.exit(f"./dev bench http: {reason}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
