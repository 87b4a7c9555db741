"""Products with a replica inside, an authz that they ask and one where changes are made, and everything between them that
can fail."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.fleet import Fleet, Http, Organisation
from deploy.local.ports import HOST
from deploy.local.process import Process
from tests.faults import lines
from tests.faults.history import Answer, History, Line, Seen
from tests.faults.product import KINDS, VIAS, Setting

BOUND = 3.0  # seconds: what the replica promises
QUIET = (0, 1, 2)  # people whose permission is taken away in each fault, and given back after it
RESTLESS = (3, 4)  # and people whose permission changes all the time
ROOT = Path(__file__).parents[2]
_notes = msgspec.json.Decoder(Answer | Seen | Line)


@dataclass
class Product:
    """One process, and what it has written down."""

    kind: str
    process: Process
    path: str
    answers: list[Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    log: list[Line] = field(default_factory=list)
    _read: int = 0

    def read(self) -> None:
        with open(self.path, "rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for note in _notes.decode_lines(whole):
            kept: list[object] = self.answers if isinstance(note, Answer) else self.seen if isinstance(note, Seen) else self.log  # type: ignore[assignment]  # fmt: skip
            kept.append(note)

    def says(self, allowed: bool, since: float, who: Collection[int] = QUIET, vias: Collection[str] = VIAS) -> bool:
        """From memory, of each of these people, asked after that moment."""
        self.read()
        found = {(one.via, one.who) for one in self.latest(since) if one.memory and one.allowed is allowed}
        return found >= {(via, one) for via in vias for one in who}

    def latest(self, since: float) -> Iterator[Answer]:
        for one in reversed(self.answers):
            if one.answered < since - 20:
                return
            if one.asked > since:
                yield one


@dataclass
class Fault:
    """One that was: when it began, when the quiet people's revoke was made, when it was over, and when all was well."""

    name: str
    began: float
    revoked: float = 0.0
    over: float = 0.0
    well: float = 0.0


class World:
    def __init__(self, fleet: Fleet, broker: lines.Line, authz: lines.Line) -> None:
        self.fleet, self.broker, self.authz = fleet, broker, authz
        self.history = History()
        self.products: dict[str, Product] = {}
        self.faults: list[Fault] = []
        self._writer: dict[int, Http] = {}

    async def found(self) -> None:
        self.organisation = await Organisation(self.fleet).founded(len(QUIET) + len(RESTLESS))

    # --- changes ----------------------------------------------------------------------------------------------

    async def set(self, who: int, allowed: bool) -> None:
        """Until it is made: at the authz that nothing happens to."""
        change = self.history.begin(who, allowed, time.monotonic())
        http = self._writer.setdefault(who, self.fleet.door(1))
        body = {"target": {"section": "sms"}, "level": "use" if allowed else "deny"}
        path = f"/v1/staff/{self.organisation.staff[who]}/grants"
        while True:
            with suppress(OSError):
                status, _ = await http.ask("PUT", path, self.organisation.token, body)
                if status == 200:
                    break
            await asyncio.sleep(0.05)
        change.made = time.monotonic()

    async def set_quiet(self, allowed: bool) -> None:
        await asyncio.gather(*(self.set(who, allowed) for who in QUIET))

    @asynccontextmanager
    async def restless(self) -> AsyncIterator[None]:
        async def change(who: int) -> None:
            allowed = True
            while True:
                await self.set(who, allowed)
                allowed = not allowed
                await asyncio.sleep(random.uniform(0.05, 0.6))  # noqa: S311 - any will do

        tasks = [asyncio.create_task(change(who)) for who in RESTLESS]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    # --- faults -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def fault(self, name: str, repair: Callable[[], object]) -> AsyncIterator[Fault]:
        """The quiet people are allowed before it, from memory everywhere, and denied since it has begun."""
        began = time.monotonic()
        await self.set_quiet(True)
        await self.until(lambda: all(one.says(True, began) for one in self.products.values()))
        fault = Fault(name, time.monotonic())
        self.faults.append(fault)
        yield fault
        await asyncio.to_thread(repair)
        fault.over = time.monotonic()
        await self.until(lambda: self.products["sound"].says(False, fault.over), 60)
        fault.well = time.monotonic()

    async def revoke(self, fault: Fault, seconds: float) -> None:
        """And then it lasts so long still."""
        await self.set_quiet(False)
        fault.revoked = time.monotonic()
        await asyncio.sleep(seconds)

    def kill_authz(self) -> None:
        self.fleet.replicas[0].kill()

    def start_authz(self) -> None:
        self.fleet.replicas[0].spawn()

    # --- what was seen ----------------------------------------------------------------------------------------

    async def until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not ready():
                await asyncio.sleep(0.05)

    def during(self, kind: str, fault: Fault, via: str | None = None) -> list[Answer]:
        """The answers to what was asked from the fault's beginning until all was well."""
        product = self.products[kind]
        product.read()
        return [
            one
            for one in product.answers
            if fault.began <= one.asked <= fault.well and via in (None, one.via)
        ]  # fmt: skip

    def table(self) -> str:
        """What a product sees, for each fault and each way of hearing."""
        head = "| fault | over | memory until | answers: memory, service, none | oldest allow | p50 | p99 | slowest | memory again |"
        rows = [self._row(fault, via) for fault in self.faults for via in VIAS]
        return "\n".join([head, "|---" * 9 + "|", *rows])

    def _row(self, fault: Fault, via: str) -> str:
        answers = self.during("sound", fault, via)
        took = sorted(one.answered - one.asked for one in answers)
        memory = [one for one in answers if one.memory]
        before = [one.asked for one in memory if one.asked < fault.over]
        again = [one.asked for one in memory if one.asked > fault.over]
        cuts = statistics.quantiles(took, n=100)
        none = sum(one.allowed is None for one in answers)
        cells = (
            fault.name,
            via,
            f"{max(before, default=fault.began) - fault.began:.2f} s of {fault.over - fault.began:.1f}",
            f"{len(memory)}, {len(answers) - len(memory) - none}, {none}",
            f"{self.history.oldest(answers):.2f} s",
            f"{cuts[49] * 1000:.2f} ms",
            f"{cuts[98] * 1000:.0f} ms",
            f"{took[-1] * 1000:.0f} ms",
            f"{min(again, default=fault.well) - fault.over:.2f} s",
        )
        return f"| {' | '.join(cells)} |"

    def said(self, fault: Fault) -> dict[str, int]:
        """The lines of the product's log, without what differs from time to time."""
        found: dict[str, int] = {}
        for line in self.products["sound"].log:
            if fault.began <= line.at <= fault.well:
                found[line.text[:110]] = found.get(line.text[:110], 0) + 1
        return found


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(2))
        broker, authz = lines.Line(fleet.rabbitmq.port), lines.Line(fleet.ports[0])
        for line in (broker, authz):
            await stack.enter_async_context(line.laid())
        world = World(fleet, broker, authz)
        for replica in fleet.replicas:
            stack.callback(replica.kill)
        await world.found()
        for kind in KINDS:
            product = world.products[kind] = _product(world, kind)
            product.process.spawn()
            stack.callback(product.process.kill)
        await stack.enter_async_context(world.restless())
        yield world


def _product(world: World, kind: str) -> Product:
    amqp = urlsplit(world.fleet.rabbitmq.url)
    place = amqp.netloc.replace(f":{amqp.port}", f":{world.broker.port}")
    path = world.fleet.folder / f"{kind}.notes"
    path.touch()
    setting = Setting(
        amqp_url=amqp._replace(netloc=place).geturl(),
        authz_url=f"http://{HOST}:{world.authz.port}",
        identity_url=world.fleet.identity.url,
        org=world.organisation.org,
        people=world.organisation.staff,
        notes=str(path),
    )
    env = {"PATH": os.environ["PATH"], "PRODUCT": msgspec.json.encode(setting).decode()}
    argv = [sys.executable, "-m", "tests.faults.product", kind]
    process = Process(kind, argv, log=world.fleet.folder / f"{kind}.log", env=env, cwd=ROOT)
    return Product(kind, process, str(path))
