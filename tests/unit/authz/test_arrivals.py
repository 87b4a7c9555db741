"""Waiting for what is about to come: woken by news, looked again at the end, never polled."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from services.authz.arrivals import Arrivals, NotArrived
from shared.errors import NotFound

JANE, LUKE, ACME = UUID(int=1), UUID(int=2), UUID(int=3)


class Place:
    """Counts how often somebody looks."""

    def __init__(self) -> None:
        self.here = False
        self.looks = 0

    async def look(self) -> str:
        self.looks += 1
        here = self.here
        await asyncio.sleep(0)
        if not here:
            raise NotArrived(NotFound("not_found", ""))
        return "here"


async def looked(place: Place, times: int) -> None:
    async with asyncio.timeout(30):
        while place.looks < times:
            await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_here_is_not_waited_for() -> None:
    arrivals, place = Arrivals(5), Place()
    place.here = True
    assert await arrivals.until_here([JANE], place.look) == "here"
    assert place.looks == 1


async def test_news_makes_it_look_again() -> None:
    arrivals, place = Arrivals(60), Place()
    waiting = asyncio.create_task(arrivals.until_here([JANE, ACME], place.look))
    await looked(place, 1)
    arrivals.note([LUKE])
    await asyncio.sleep(0)
    assert place.looks == 1, "somebody else's"
    arrivals.note([ACME])
    await looked(place, 2)
    place.here = True
    arrivals.note([ACME, JANE])
    assert await waiting == "here"
    assert (place.looks, arrivals._waiting) == (3, {})


async def test_news_while_it_looks_is_not_missed() -> None:
    arrivals, place = Arrivals(60), Place()
    waiting = asyncio.create_task(arrivals.until_here([JANE], place.look))
    while not place.looks:
        await asyncio.sleep(0)
    place.here = True  # after it has looked, before it waits
    arrivals.note([JANE])
    assert await asyncio.wait_for(waiting, 30) == "here"


async def test_at_the_end_it_looks_once_more() -> None:
    arrivals, place = Arrivals(0.01), Place()
    with pytest.raises(NotFound):
        await arrivals.until_here([JANE], place.look)
    assert (place.looks, arrivals._waiting) == (2, {})


async def test_who_gives_up_leaves_nothing_behind() -> None:
    arrivals, place = Arrivals(60), Place()
    waiting = asyncio.create_task(arrivals.until_here([JANE], place.look))
    await looked(place, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert arrivals._waiting == {}
