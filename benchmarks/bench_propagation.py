"""How soon a commit in authz is a denial in a product's process: `./dev bench propagation`.

One authz, PostgreSQL (every commit is on disk), RabbitMQ, a product's process with a replica, and this one, which makes
200 changes a second over HTTP, at their times, whatever becomes of those before: each gives somebody an item or takes
it from them. The product asks about everybody concerned once a millisecond. Everything shares the machine.

Counted is from the moment at which authz's COMMIT returned until the replica first denies what was taken (for what was
given: until it first allows it), and where in between the time went.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.fleet import ROOT, Fleet, Http, Organisation
from benchmarks.machine import machine
from benchmarks.product import Seen
from benchmarks.results import FOLDER
from deploy.local.databases import Urls
from deploy.local.ports import free_port
from deploy.local.process import Process

PACE = 200  # changes a second
ITEM = "sales"
TARGET = {"section": "sms", "item": f"inbox:{ITEM}"}
_WARM = 6.0  # seconds of changes that are not counted
_TICKS = os.sysconf("SC_CLK_TCK")

Moments = dict[tuple[str, int], float]


class Observed(Fleet):
    """Next to the broker, without the wire between them, and noting its moments."""

    def _environment(self, database: Urls, port: int) -> dict[str, str]:
        return super()._environment(database, port) | {"STAFFGATE_AMQP_URL": self.rabbitmq.url}

    def _start(self, number: int) -> None:
        port = free_port()
        process = Process(
            f"authz-{number}",
            [sys.executable, "-m", "benchmarks.observed", str(self.moments)],
            log=self.folder / f"authz-{number}.log",
            env=self._environment(self.database, port),
            cwd=ROOT,
        )
        process.spawn()
        self.ports.append(port)
        self.replicas.append(process)

    @property
    def moments(self) -> Path:
        return self.folder / "moments.json"


@dataclass
class Change:
    organisation: Organisation
    staff: str
    grants: bool
    counted: bool
    revision: int = 0
    asked: float = 0.0


@dataclass
class Person:
    organisation: Organisation
    staff: str
    grant: str | None = None  # the id of what they have


@dataclass
class Doors:
    """As many connections as there are requests on their way."""

    port: int
    idle: list[Http] = field(default_factory=list)

    async def ask(self, method: str, path: str, token: str, body: object = None) -> Any:
        """None where it was refused: a machine that is busy with other things gives 503 after some seconds."""
        http = self.idle.pop() if self.idle else Http(self.port)
        status, answer = await http.ask(method, path, token, body)
        self.idle.append(http)
        return answer if status == 200 else None


class Load:
    """The changes, at their times. Each is said to the product before it is made."""

    def __init__(self, doors: Doors, people: Sequence[Person], product: asyncio.StreamWriter) -> None:
        self._doors = doors
        self._people = people
        self._product = product
        self._tokens = {person.organisation.org: person.organisation.token for person in people}
        self.changes: list[Change] = []

    async def run(self, pace: float, warm: float, seconds: float) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            slowly = round(pace * warm / 2)  # at half the pace: nobody is known yet, and everybody has to be loaded
            for number in range(slowly + round(pace * seconds)):
                at = 2 * number / pace if number < slowly else warm + (number - slowly) / pace
                await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                person = self._people[number % len(self._people)]
                change = Change(person.organisation, person.staff, person.grant is None, at >= warm)
                self.changes.append(change)
                tasks.create_task(self._make(number, person, change))

    async def _make(self, number: int, person: Person, change: Change) -> None:
        path, token = f"/v1/staff/{person.staff}/grants", self._tokens[person.organisation.org]
        wanted = "yes" if change.grants else "no"
        self._product.write(f"{number} {person.staff} {ITEM} {wanted}\n".encode())
        change.asked = time.monotonic()
        if person.grant is None:
            answer = await self._doors.ask("PUT", path, token, {"target": TARGET, "level": "use"})
        else:
            answer = await self._doors.ask("DELETE", f"{path}/{person.grant}", token)
        if answer is not None:
            person.grant = answer["grant"]["id"] if change.grants else None
            change.revision = answer["revision"]


# --- what it costs --------------------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """Of a process and everything below it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(cpu_seconds(int(child)) for child in children)


# --- what is shown --------------------------------------------------------------------------------------------


@dataclass
class Run:
    changes: list[Change]
    seen: Seen
    committed: Moments
    published: Moments
    cpu: dict[str, float]
    seconds: float


def spans(run: Run) -> Iterator[tuple[str, list[float]]]:
    """Milliseconds of each change: the whole, and its parts."""
    heard = {(org, revision): at for org, revision, at in run.seen.heard}
    loaded: dict[str, list[float]] = {}
    for staff, _, done in run.seen.loaded:
        loaded.setdefault(staff, []).append(done)
    parts: dict[str, list[float]] = {}
    for number, change in enumerate(run.changes):
        key = (str(change.organisation.org), change.revision)
        if not change.counted or key not in run.committed or number not in run.seen.answered:  # refused, too
            continue
        answered, published = run.seen.answered[number], run.published.get(key, 0.0)
        then = heard.get(key, 0.0)
        load = min((at for at in loaded.get(change.staff, ()) if then <= at <= answered), default=then)
        moments = (run.committed[key], published, then, load, answered)
        names = ("committed to published", "published to heard", "heard to loaded", "loaded to answered")
        parts.setdefault(f"committed to {'allowed' if change.grants else 'denied'}", []).append(answered - moments[0])
        for name, one, other in zip(names, moments, moments[1:], strict=False):
            parts.setdefault(name, []).append(other - one)
        parts.setdefault("asked to committed", []).append(moments[0] - change.asked)
    yield from ((name, [one * 1000 for one in found]) for name, found in sorted(parts.items()))


def figures_of(times: Sequence[float]) -> tuple[float, float, float]:
    """Median, 99th percentile, worst."""
    ordered = sorted(times)
    at = (len(ordered) // 2, int(len(ordered) * 0.99), len(ordered) - 1)
    median, p99, worst = (round(ordered[place], 1) for place in at)
    return median, p99, worst


def row(name: str, times: Sequence[float]) -> str:
    return f"| {name} | {len(times)} | {' | '.join(f'{one:.1f}' for one in figures_of(times))} |"


def show(run: Run) -> None:
    print("| ms | changes | p50 | p99 | worst |\n|---|---|---|---|---|")
    for name, times in spans(run):
        print(row(name, times))
    made = sum(change.counted for change in run.changes)
    refused = sum(not change.revision for change in run.changes)
    unseen = sum(number not in run.seen.answered for number, change in enumerate(run.changes) if change.revision)
    each = ", ".join(f"{name} {used / made * 1000:.2f}" for name, used in run.cpu.items())
    print(f"\nCPU, ms a change: {each}; {sum(run.cpu.values()) / run.seconds:.2f} of {os.cpu_count()} cores in use")
    print(
        f"{made / run.seconds:.0f} changes/s; the replica was asked {run.seen.asked} times, loaded {run.seen.loads} parts,"
        f" sent {run.seen.remote} questions to authz; {run.seen.gaps} gaps; {refused} changes were"
        f" refused, {unseen} never seen"
    )


async def measure(pace: float, seconds: float, organisations: int, people: int) -> Run:
    async with Observed(1) as fleet:
        founded = [await Organisation(fleet).founded(people) for _ in range(organisations)]
        doors = Doors(fleet.ports[0])
        for one in founded:
            path = f"/v1/organisations/{one.org}/items/inbox/{ITEM}"
            await doors.ask("PUT", path, fleet.identity.token("sms"), {"section": "sms", "label": "Sales"})
        # One of each organisation after the other, so that two changes to one are as far apart as can be.
        order = [Person(one, str(one.staff[number])) for number in range(people) for one in founded]
        url = f"http://127.0.0.1:{fleet.ports[0]}"
        product = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.product", url, fleet.rabbitmq.url, fleet.product,
            stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=1 << 26,
        )  # fmt: skip
        assert product.stdin is not None
        assert product.stdout is not None
        await product.stdout.readline()
        load = Load(doors, order, product.stdin)
        pids = {
            "authz": fleet.replicas[0].pid, "PostgreSQL": fleet.postgres.pid, "RabbitMQ": fleet.rabbitmq.pid,
            "product": product.pid, "load": os.getpid(),
        }  # fmt: skip
        at: dict[str, float] = {}

        def mark() -> None:
            at.update({name: cpu_seconds(pid or 0) for name, pid in pids.items()})
            at["load"] = time.process_time()

        asyncio.get_running_loop().call_later(_WARM, mark)
        await load.run(pace, _WARM, seconds)
        before = dict(at)
        mark()
        cpu = {name: at[name] - before[name] for name in at}
        product.stdin.close()
        seen = msgspec.json.decode(await product.stdout.readline(), type=Seen)
        await asyncio.wait_for(product.wait(), 10)
        fleet.replicas[0].stop(patience=5)
        noted = msgspec.json.decode(fleet.moments.read_bytes(), type=dict[str, list[tuple[str, int, float]]])
    committed, published = (
        {(org, revision): moment for org, revision, moment in noted[what]} for what in ("committed", "published")
    )
    return Run(load.changes, seen, committed, published, cpu, seconds)


def keep(run: Run) -> None:
    """In benchmarks/results/propagation.json. `least` is what is claimed of the whole, in milliseconds."""
    figures = {name: dict(zip(("p50", "p99", "worst"), figures_of(times), strict=True)) for name, times in spans(run)}
    made = sum(change.counted for change in run.changes)
    kept = {
        "name": "propagation",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "changes_a_second": round(made / run.seconds),
        "least": {"p50": 5, "p99": 15},
        "milliseconds": figures,
        "cpu_milliseconds_a_change": {name: round(used / made * 1000, 2) for name, used in run.cpu.items()},
    }
    content = msgspec.json.format(msgspec.json.encode(kept), indent=2)
    (FOLDER / "propagation.json").write_bytes(content + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pace", type=float, default=PACE)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--organisations", type=int, default=20)
    parser.add_argument("--people", type=int, default=20, help="in each")
    parser.add_argument("--long", action="store_true", help="a minute")
    parser.add_argument("--keep", action="store_true", help="the result, in benchmarks/results/propagation.json")
    arguments = parser.parse_args()
    seconds = 60 if arguments.long else arguments.seconds
    run = asyncio.run(measure(arguments.pace, seconds, arguments.organisations, arguments.people))
    show(run)
    if arguments.keep:
        keep(run)


if __name__ == "__main__":
    main()
