"""Which connection is whose: each one's until it is given back, and a place for whoever waits longest."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from staffgate.client.pool import Closed, Pool


@dataclass(eq=False)
class Link:
    pool: Pool[Link] | None = None
    alive: bool = True

    def drop(self) -> None:
        if self.alive:
            self.alive = False
            assert self.pool is not None
            self.pool.lost(self)


@dataclass
class Maker:
    """`ready` lets openings end; `faults` are how the next ones do."""

    made: list[Link] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.ready.set()

    def pool(self, most: int) -> Pool[Link]:
        async def connect() -> Link:
            await self.ready.wait()
            if self.faults:
                raise self.faults.pop(0)
            link = Link(pool)
            self.made.append(link)
            return link

        pool = Pool(connect, most)
        return pool


async def test_the_one_used_last_is_used_first() -> None:
    maker = Maker()
    pool = maker.pool(3)
    one, two = await pool.take(), await pool.take()
    pool.give_back(one)
    pool.give_back(two)
    assert (pool.idle(), pool.idle(), pool.idle()) == (two, one, None)


async def test_what_was_idle_for_long_is_closed_and_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server closes it at some time: whoever asks on it then can't know whether they were heard."""
    pool, now = Maker().pool(3), 100.0
    monkeypatch.setattr("staffgate.client.pool.time", SimpleNamespace(monotonic=lambda: now))
    one, two, three = [await pool.take() for _ in range(3)]
    pool.give_back(one)
    now += 14
    pool.give_back(two)
    now += 2
    pool.give_back(three)
    assert (one.alive, two.alive) == (False, True), "those at the bottom go when another is given back"
    now += 16
    assert pool.idle() is None
    assert not two.alive
    assert not three.alive


async def test_who_waits_longest_is_next() -> None:
    pool = Maker().pool(1)
    held = await pool.take()
    waiting = [asyncio.create_task(pool.take()) for _ in range(3)]
    await asyncio.sleep(0)
    for one in waiting:
        pool.give_back(held)
        assert pool.idle() is None, "nobody who comes later is before those who wait"
        assert await one is held


@pytest.mark.parametrize("end", ["given back", "lost"])
async def test_what_somebody_gets_in_the_moment_they_give_up_is_for_the_next(end: str) -> None:
    maker = Maker()
    pool = maker.pool(1)
    held = await pool.take()
    gone, stays = asyncio.create_task(pool.take()), asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    if end == "given back":
        pool.give_back(held)
    else:
        held.drop()
    gone.cancel()
    async with asyncio.timeout(30):
        assert (await stays is held) == (end == "given back")
    assert gone.cancelled()


async def test_what_died_on_its_way_to_who_waited_is_used_by_nobody() -> None:
    pool = Maker().pool(1)
    held = await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    pool.give_back(held)
    held.drop()
    async with asyncio.timeout(30):
        found = await waiting
    assert found is not held
    assert found.alive


async def test_an_opening_that_fails_makes_room() -> None:
    maker = Maker()
    pool = maker.pool(1)
    maker.ready.clear()
    maker.faults = [ConnectionRefusedError()]
    first, second = asyncio.create_task(pool.take()), asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    maker.ready.set()
    with pytest.raises(ConnectionRefusedError):
        await first
    async with asyncio.timeout(30):
        assert (await second).alive


async def test_an_opening_that_is_given_up_makes_room() -> None:
    maker = Maker()
    pool = maker.pool(1)
    maker.ready.clear()
    first, second = asyncio.create_task(pool.take()), asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    first.cancel()
    maker.ready.set()
    async with asyncio.timeout(30):
        assert (await second).alive


async def test_closed_everybody_is_told() -> None:
    maker = Maker()
    pool = maker.pool(1)
    held = await pool.take()
    waiting = [asyncio.create_task(pool.take()) for _ in range(3)]
    await asyncio.sleep(0)
    pool.close()
    assert not held.alive
    for one in [*waiting, asyncio.create_task(pool.take())]:
        async with asyncio.timeout(30):
            with pytest.raises(Closed):
                await one
    assert len(maker.made) == 1


async def test_closed_while_one_is_opened_it_is_closed_too() -> None:
    maker = Maker()
    pool = maker.pool(1)
    maker.ready.clear()
    opening = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    pool.close()
    maker.ready.set()
    with pytest.raises(Closed):
        await opening
    assert not maker.made[0].alive


@pytest.mark.parametrize("seed", range(20))
async def test_in_whatever_order_no_place_is_lost_and_nothing_is_two_people_s(seed: int) -> None:
    chance, maker, using = random.Random(seed), Maker(), set[Link]()  # noqa: S311  # no secret
    pool = maker.pool(3)

    async def one() -> None:
        if chance.random() < 0.1:
            maker.faults.append(ConnectionResetError())
        try:
            link = await pool.take()
        except ConnectionResetError:
            return
        assert link.alive
        assert link not in using
        assert len(using) < 3
        using.add(link)
        try:
            await asyncio.sleep(0)
        finally:
            using.discard(link)
            if chance.random() < 0.2:
                link.drop()
            elif link.alive:
                pool.give_back(link)

    for _ in range(20):
        tasks = [asyncio.create_task(one()) for _ in range(10)]
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 3):
            task.cancel()
        async with asyncio.timeout(30):
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [fault for fault in done if fault and not isinstance(fault, asyncio.CancelledError)]
        assert pool._count == len(pool._open) == len(pool._idle) <= 3
