"""How soon a revoke is a denial at every one of four authz replicas, and that no answer is older than the bound.

    ./dev bench freshness            a sample of each
    ./dev bench freshness --long     2,000 revokes a run, 100,000 operations of reading one's own writes

- revoke to deny: from sending the revoke until the last replica denies. A probe asks each replica all the time, so each
  has the old answer in memory; beside it runs a load of other questions and changes.
- too old: answers that still allow longer after the revoke than the bound, while announcements are dropped, doubled
  and reordered, and while RabbitMQ is killed or cut off. A build that does not hear announcements comes first: if the
  probe does not catch that, the rest says nothing.
- own writes: a change made at one replica, then read at all four with `min_revision`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from benchmarks.fleet import Fleet, Http, Organisation

REPLICAS = 4
BOUND = 3.0  # seconds: authz's staleness bound
PACE = 0.002  # seconds between an answer and the next question: flat out, four probes take both cores for themselves
SLACK = 0.5  # what the probe itself and two busy cores may add to it

TARGET = {"section": "sms"}


class Subject:
    """One person who has Use of SMS, or has not."""

    def __init__(self, organisation: Organisation, staff: UUID) -> None:
        self.organisation = organisation
        self.staff = staff
        self._evaluation = {
            "subject": {"type": "staff", "id": str(staff)},
            "action": {"name": "sms.send"},
            "resource": {"type": "inbox", "id": "sales"},
        }

    async def set(self, http: Http, level: str) -> int:
        """The revision of the change."""
        body = {"target": TARGET, "level": level}
        path = f"/v1/staff/{self.staff}/grants"
        status, answer = await http.ask("PUT", path, self.organisation.token, body)
        if status != 200:
            raise RuntimeError(f"{status} {answer}")
        revision: int = answer["revision"]
        return revision

    async def allowed(self, http: Http, token: str, min_revision: int = 0) -> bool | None:
        """None where no answer was given."""
        body = self._evaluation | ({"context": {"min_revision": min_revision}} if min_revision else {})
        status, answer = await http.ask("POST", "/access/v1/evaluation", token, body)
        return bool(answer["decision"]) if status == 200 else None


class Probe:
    """Asks one replica all the time, and knows when it last allowed."""

    def __init__(self, fleet: Fleet, number: int, subject: Subject, answered: asyncio.Event) -> None:
        self._answered = answered
        self._http = fleet.door(number)
        self._fleet = fleet
        self._subject = subject
        self.last_allowed = 0.0
        self.first_denied = 0.0
        self.asked = 0
        self.refused = 0

    async def run(self) -> None:
        token, since = self._fleet.product, time.monotonic()
        while True:
            if time.monotonic() - since > 120:
                token, since = self._fleet.product, time.monotonic()
            sent = time.monotonic()
            try:
                answer = await self._subject.allowed(self._http, token)
            except OSError:
                answer = None
                await asyncio.sleep(0.01)
            self.asked += 1
            if answer is None:
                self.refused += 1
            elif answer:
                # An answer was true when it was asked for, or later: that is what its age is counted from.
                self.last_allowed = sent
            elif self.first_denied < self.last_allowed or not self.first_denied:
                self.first_denied = time.monotonic()
            self._answered.set()
            await asyncio.sleep(PACE)


class Probes:
    """One for each replica."""

    def __init__(self, fleet: Fleet, subject: Subject) -> None:
        self._answered = asyncio.Event()
        self.each = [Probe(fleet, number, subject, self._answered) for number in range(REPLICAS)]

    async def allowed(self, since: float, seconds: float = 10) -> bool:
        """Wait until every replica has allowed what was asked after that moment."""
        return await self._until(lambda: all(probe.last_allowed > since for probe in self.each), seconds)

    async def denied(self, since: float, seconds: float = 10) -> bool:
        return await self._until(lambda: all(probe.first_denied > since for probe in self.each), seconds)

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not true():
                    self._answered.clear()
                    await self._answered.wait()
        return true()


@asynccontextmanager
async def probing(fleet: Fleet, subject: Subject) -> AsyncIterator[Probes]:
    probes = Probes(fleet, subject)
    tasks = [asyncio.create_task(probe.run()) for probe in probes.each]
    try:
        yield probes
    finally:
        for task in tasks:
            task.cancel()


# --- revoke to deny -------------------------------------------------------------------------------------------


async def revoke_to_deny(fleet: Fleet, count: int) -> list[float]:
    """Milliseconds from sending the revoke to the last replica's first denial."""
    organisation = await Organisation(fleet).founded(20)
    subject = Subject(organisation, organisation.staff[0])
    took = []
    async with loaded(fleet, organisation), probing(fleet, subject) as probes:
        for number in range(count):
            writer = fleet.door(number)
            await subject.set(writer, "use")
            granted = time.monotonic()
            await probes.allowed(granted)
            started = time.monotonic()
            await subject.set(writer, "deny")
            await probes.denied(started)
            took.append((max(probe.first_denied for probe in probes.each) - started) * 1000)
    return took


@asynccontextmanager
async def loaded(fleet: Fleet, organisation: Organisation) -> AsyncIterator[None]:
    """Other people's questions and changes, about a hundred and ten a second."""

    async def questions() -> None:
        number = 0
        while True:
            staff = organisation.staff[1 + number % (len(organisation.staff) - 1)]
            with suppress(OSError):
                await Subject(organisation, staff).allowed(fleet.door(number), fleet.product)
            number += 1
            await asyncio.sleep(0.01)

    async def changes() -> None:
        number = 0
        while True:
            staff = organisation.staff[1 + number % (len(organisation.staff) - 1)]
            with suppress(OSError, RuntimeError):
                await Subject(organisation, staff).set(fleet.door(number), ("read", "use")[number // 20 % 2])
            number += 1
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(questions()), asyncio.create_task(changes())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


# --- too old --------------------------------------------------------------------------------------------------


async def oldest_answers(fleet: Fleet, revokes: int, seconds: float = 0) -> tuple[int, float, int]:
    """Revokes made, at least that many and for at least that long; the greatest age in seconds of an answer that still
    allowed, and how many were older than the bound."""
    organisation = await Organisation(fleet).founded(1)
    subject = Subject(organisation, organisation.staff[0])
    ages: list[float] = []
    end = time.monotonic() + seconds
    async with probing(fleet, subject) as probes:
        while len(ages) < revokes or time.monotonic() < end:
            writer = fleet.door(len(ages))
            await patiently(lambda at=writer: subject.set(at, "use"))  # type: ignore[misc]
            granted = time.monotonic()
            await probes.allowed(granted, 5)
            await patiently(lambda at=writer: subject.set(at, "deny"))  # type: ignore[misc]
            revoked = time.monotonic()
            # Asked for as long as an answer could be too old, and then whether anybody did allow in that time.
            await probes.denied(revoked, BOUND + 2 * SLACK)
            ages.append(max(probe.last_allowed for probe in probes.each) - revoked)
    return len(ages), max(ages), sum(age > BOUND + SLACK for age in ages)


async def patiently(change: Callable[[], Awaitable[int]]) -> int:
    while True:
        with suppress(OSError, RuntimeError):
            return await change()
        await asyncio.sleep(0.05)


async def broken(fleet: Fleet, seconds: float, how: str) -> tuple[int, float, int]:
    """The same while the broker is killed and started again, or cut off and joined again, all the time."""

    async def breaking() -> None:
        while True:
            await asyncio.sleep(5)
            if how == "killed":
                fleet.rabbitmq.kill()
                await asyncio.sleep(2)
                # Forked here and now; only the waiting is left to a thread.
                fleet.rabbitmq.prepare()
                fleet.rabbitmq.launch()
                await asyncio.to_thread(fleet.rabbitmq.wait)
            else:
                fleet.wire.cut()
                await asyncio.sleep(6)
                fleet.wire.mend()

    task = asyncio.create_task(breaking())
    try:
        return await oldest_answers(fleet, 3, seconds)
    finally:
        task.cancel()
        fleet.wire.mend()


# --- reading one's own writes ---------------------------------------------------------------------------------


async def own_writes(fleet: Fleet, operations: int) -> tuple[int, int]:
    """Operations done, and answers that did not know the write before them."""
    organisation = await Organisation(fleet).founded(8)
    done = violations = 0

    async def one(staff: UUID, first: int) -> None:
        nonlocal done, violations
        subject, doors = Subject(organisation, staff), [fleet.door(number) for number in range(REPLICAS)]
        number = first
        while done < operations:
            level = ("use", "deny")[number % 2]
            revision = await subject.set(doors[number % REPLICAS], level)
            answers = await asyncio.gather(*(subject.allowed(door, fleet.product, revision) for door in doors))
            violations += sum(answer is not (level == "use") for answer in answers)
            done += 1 + len(answers)
            number += 1

    await asyncio.gather(*(one(staff, first) for first, staff in enumerate(organisation.staff)))
    return done, violations


# --- what is shown --------------------------------------------------------------------------------------------


def line(name: str, times: Sequence[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"| {name} | {len(times)} | {cuts[49]:.1f} | {cuts[98]:.1f} | {max(times):.1f} |"


async def main(parts: Sequence[str], long: bool) -> None:
    revokes, faults, seconds, operations = (2000, 40, 90, 100_000) if long else (100, 6, 20, 2000)
    if "revokes" in parts or "writes" in parts:
        async with Fleet(REPLICAS) as fleet:
            if "revokes" in parts:
                print("| revoke to deny, 4 replicas | revokes | p50 ms | p99 ms | worst ms |\n|---|---|---|---|---|")
                print(line("under load", await revoke_to_deny(fleet, revokes)), flush=True)
            if "writes" in parts:
                done, violations = await own_writes(fleet, operations)
                print(
                    f"\nown writes: {violations} violations in {done} operations over {REPLICAS} replicas", flush=True
                )
    if "faults" in parts or "broker" in parts:
        print("\n| what is wrong | revokes | oldest allow s | older than the bound |\n|---|---|---|---|", flush=True)
        for way in ("nothing", "dropped", "doubled", "reordered", "mixed") if "faults" in parts else ():
            await told_wrongly(way, 3 if way == "nothing" else faults)
        for how in ("killed", "cut off"):
            async with Fleet(REPLICAS) as fleet:
                row(f"broker {how} again and again for {seconds} s", *await broken(fleet, seconds, how))


async def told_wrongly(way: str, revokes: int) -> None:
    async with Fleet(REPLICAS, disturbed=way) as fleet:
        found = await oldest_answers(fleet, revokes)
    row("announcements not heard (has to be caught)" if way == "nothing" else f"announcements {way}", *found)


def row(name: str, revokes: int, age: float, old: int) -> None:
    print(f"| {name} | {revokes} | {age:.2f} | {old} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "parts", nargs="*", default=["revokes", "writes", "faults"], help="revokes, writes, faults, broker"
    )
    parser.add_argument("--long", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.parts, given.long))
