"""kill -9 of notify at every step of receiving, claiming, sending and recording: nothing is lost, and nothing is sent
twice save what the server had taken when notify died before it could write that down."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from services.notify.channels.port import Told
from staffgate.contracts.notify import DeliveryState
from tests.faults.notify_killed import Order
from tests.faults.notify_world import LIVE, Kill, Promise, World
from tests.unit.notify.reports.samples import TOKENS

_ALL = Order(number=1_000_000)  # never reached: only written down
_SEED = 5
_ROUNDS = ("Watch.", "Retention.", "Receipts.sweep", "Relay._sweep")


@dataclass
class Tally:
    """What all kills together came to."""

    kills: list[Kill] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubles: int = 0
    repeated: int = 0  # events that the bus brought twice, under one id

    def count(self, world: World, promises: Sequence[Promise], kills: Sequence[Kill]) -> None:
        self.kills += kills
        where = [kill.step for kill in kills]
        for one in promises:
            copies = world.arrived(one)
            self.doubles += max(0, len(copies) - 1)
            if one.arrives and not copies:
                self.lost.append(f"{one.to} after {where}")
            if not one.arrives and copies:
                self.wrong.append(f"{one.to} was sent after {where}")
            if len(copies) > one.allowed:
                self.wrong.append(f"{len(copies)} copies to {one.to}, {one.allowed} can be understood, after {where}")
            if not one.to.startswith("+") and set(copies) - {f"<{TOKENS.name(one.id)}@staffgate.example>"}:
                self.wrong.append(f"copies under another name to {one.to} after {where}")
            told = Counter(event for event, about in world.reported if about == one.id)
            if len(told) != (not one.arrives):
                self.wrong.append(f"{len(told)} events about {one.to} after {where}")
            self.repeated += sum(told.values()) - len(told)

    @property
    def windows(self) -> int:
        return sum(len(kill.window) for kill in self.kills)

    def __str__(self) -> str:
        return (
            f"{len(self.kills)} kills at {len({kill.step for kill in self.kills})} steps: {len(self.lost)} lost,"
            f" {self.windows} taken and not yet written down, {self.doubles} of them sent again under the same Message-ID,"
            f" {sum(len(kill.known) for kill in self.kills)} given again to a provider that knew them,"
            f" {self.repeated} events brought again under the same id, {len(self.wrong)} wrong"
        )


async def steps_of(world: World) -> list[str]:
    """What an undisturbed life goes through with a message, in order: not its housekeeping, which has none in hand."""
    promises = world.promised(deferred=True)
    await world.publish([one.event for one in promises])
    assert await world.life(_ALL, promises) is None
    return [step for step in dict.fromkeys(world.steps()) if not any(round in step for round in _ROUNDS)]


@dataclass
class Case:
    """What is promised is promised, notify dies as often as it is told, and then lives."""

    orders: Sequence[Order]
    deferred: bool = False
    at_250: bool = False

    async def told(self, world: World, tally: Tally) -> None:
        promises = world.promised(deferred=self.deferred)
        await world.publish([one.event for one in promises])
        lives = [await world.life(order, promises, at_250=self.at_250) for order in self.orders]
        assert await world.life(LIVE, promises) is None
        tally.count(world, promises, [kill for kill in lives if kill])
        world.forget()


def cases(steps: Sequence[str], kills: int) -> Iterator[Case]:
    """A kill at each of the steps (or at as many, evenly), each followed by more wherever the next life happens to be."""
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    stride = max(1, len(steps) * 2 // kills)
    while True:
        for step in steps[chance.randrange(stride) :: stride]:
            more = [Order(number=chance.randrange(1, 450)) for _ in range(chance.randrange(1, 3))]
            yield Case([Order(step=step), *more], deferred="put_back" in step or not chance.randrange(5))


async def killed(world: World, kills: int) -> Tally:
    steps, tally, started = await steps_of(world), Tally(), time.monotonic()
    assert len(steps) > 60, steps
    for case in cases(steps, kills):
        await case.told(world, tally)
        if len(tally.kills) >= kills:
            break
    print(f"{tally}; {time.monotonic() - started:.0f} s, {len(steps)} steps to be killed at")
    return tally


@pytest.mark.checklist("M01", "M04")
async def test_a_kill_at_any_step_loses_nothing(world: World) -> None:
    tally = await killed(world, 30)
    assert not tally.lost
    assert not tally.wrong
    assert tally.doubles <= tally.windows
    assert not await world.parked()


@pytest.mark.long
@pytest.mark.checklist("M01", "M04")
async def test_a_thousand_kills_lose_nothing(world: World) -> None:
    tally = await killed(world, 1000)
    assert not tally.lost
    assert not tally.wrong
    assert tally.doubles <= tally.windows
    assert not await world.parked()
    assert len({kill.step for kill in tally.kills}) > 60


@pytest.mark.checklist("M04")
async def test_what_the_server_took_when_notify_died_comes_again_as_the_same(world: World) -> None:
    """The one window: nobody can know whether it arrived, so it is sent again, and whoever gets it twice can see that."""
    tally = Tally()
    await Case([LIVE], at_250=True).told(world, tally)
    print(tally)
    assert (len(tally.lost), tally.wrong) == (0, [])
    assert tally.windows == tally.doubles >= 1


@pytest.mark.checklist("M04", "M10")
async def test_a_receipt_that_comes_while_notify_is_dead_closes_the_window(world: World) -> None:
    """Its provider says that it has it, so it is not sent again; and that it arrived is told once."""
    promises = world.promised(deferred=False)
    await world.publish([one.event for one in promises])
    kill = await world.life(LIVE, promises, at_250=True)
    assert kill is not None
    taken = [one for one in promises if one.id in kill.window]
    assert taken
    async with world.receipts() as receipts:
        for one in taken:
            provider = "sms" if one.to.startswith("+") else "mail"
            await receipts.tell(Told(provider=provider, delivery=one.id, state=DeliveryState.DELIVERED))
    assert await world.life(LIVE, promises) is None
    assert [len(world.arrived(one)) for one in promises if one.arrives] == [1] * 4
    told = Counter(about for _, about in set(world.reported))
    assert [told[one.id] for one in taken] == [1] * len(taken)
    world.forget()
