"""Many parts that are read at once, in every order of things that chance brings up: what overtakes them is not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from staffgate.mirror import Mirror, Part, Resolve
from staffgate.mirror.loads import Filling
from staffgate.mirror.parts import Key
from tests.conftest import LONG
from tests.unit.mirror.simulation import Away, Probe, Simulation, Stale, simulate
from tests.unit.mirror.world import ACME, CATALOGUE, HAN, JANE, LAYA, LUKE, SlowSource, World, settled

RUNS = 10_000 if LONG else 100


class Filled(Simulation):
    """Every other question comes with a page of people, and the inboxes of an organisation."""

    def ask(self) -> None:
        if self.chance.random() < 0.5:
            people = self.chance.sample([JANE, HAN, LUKE, LAYA], self.chance.randrange(1, 5))
            self.tasks.append(asyncio.create_task(self._shielded(people)))
        super().ask()

    async def _shielded(self, people: list[UUID]) -> None:
        """Who gives up leaves a read in the middle, as with any load."""
        await asyncio.shield(asyncio.create_task(self._fill(people)))

    async def _fill(self, people: list[UUID]) -> None:
        async def read(resolve: Resolve) -> Sequence[tuple[Key, Part]]:
            registry = await self.source.registry(ACME, "inbox", CATALOGUE, 0)
            found = [(one.int, await self.source.standing(one, resolve, 0)) for one in people]
            return [((ACME.int, "inbox"), registry), *((key, part) for key, part in found if part is not None)]

        try:
            await self.mirror.fill(read)
        except Away:
            return


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    return Probe(monkeypatch)


async def test_no_answer_is_older_than_the_bound(probe: Probe) -> None:
    totals = await simulate(range(RUNS), probe, Filled)
    assert totals["hits"] > RUNS, "a good deal of it was remembered"


async def test_what_overtakes_a_page_is_found_if_nobody_looks(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Filling, "right_until", lambda _self, _key, part: part.revision)
    with pytest.raises(Stale):
        await simulate(range(1_000), probe, Filled, loss=0.0, open=0.0)


async def test_only_what_is_read_in_a_time_that_is_believed_is_kept() -> None:
    world = World()
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, size=100, bound=3.0)
    keys: set[Key] = {JANE.int, HAN.int}

    async def read(resolve: Resolve) -> Any:
        return [(one.int, world.standing(one, resolve)) for one in (JANE, HAN)]

    async def broken(resolve: Resolve) -> Any:
        raise Away

    await mirror.fill(read)
    assert mirror.missing(keys) == keys, "it hears nothing"
    mirror.hearing()
    with pytest.raises(Away):
        await mirror.fill(broken)
    assert mirror.stats.loading == 0
    await mirror.fill(read)
    assert mirror.missing(keys) == set()
    mirror.announced(world.change_person(JANE, team=1))
    assert mirror.missing(keys) == {JANE.int}

    async def interrupted(resolve: Resolve) -> Any:
        parts = await read(resolve)
        mirror.forget()
        return parts

    await mirror.fill(interrupted)
    assert mirror.missing(keys) == keys
    await settled()
