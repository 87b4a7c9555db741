"""What an announcement says of somebody is taken in place of a load: only of those who are remembered, and never where
it may be behind."""

from __future__ import annotations

from typing import Any

import msgspec

from staffgate.contracts.authz import PermissionsChanged
from tests.unit.mirror.test_mirror import PAGE, Suite
from tests.unit.mirror.world import JANE, LAYA, LUKE, Telling


class Told(Suite):
    """Its announcements carry what they are about."""

    def __init__(self, **sizes: Any) -> None:
        self.telling = Telling()
        super().__init__(carried=self.telling.read, **sizes)

    def change(self, who: Any = JANE) -> PermissionsChanged:
        return self.telling.carrying(self.world, self.world.change_person(who))


async def test_who_is_remembered_is_known_anew_without_a_load() -> None:
    suite = Told()
    assert await suite.version() == 0
    suite.mirror.announced(suite.change())
    verdict = suite.mirror.decide_now(JANE, PAGE)
    assert verdict is not None
    assert (verdict.snapshot.subscribers, verdict.revision) == (frozenset({"v1"}), 2)
    assert suite.source.reads == [JANE]


async def test_who_is_not_remembered_is_not_remembered_by_it() -> None:
    suite = Told()
    await suite.version(LUKE)
    suite.mirror.announced(suite.change(JANE))
    assert not suite.remembers
    assert suite.mirror.stats.people == 1


async def test_behind_one_that_is_missing_it_is_not_taken() -> None:
    """What is missing may have come later than what it says."""
    suite = Told()
    await suite.version()
    suite.change()
    suite.mirror.announced(suite.change())
    assert not suite.remembers
    assert await suite.version() == 2


async def test_one_that_a_later_one_has_overtaken_is_not_taken() -> None:
    suite = Told()
    await suite.version()
    first, second = suite.change(), suite.change()
    suite.mirror.announced(second)
    suite.mirror.announced(first)
    assert not suite.remembers
    assert await suite.version() == 2


async def test_one_that_comes_twice_brings_nothing_back() -> None:
    suite = Told()
    await suite.version()
    first = suite.change()
    suite.mirror.announced(first)
    suite.mirror.announced(suite.change())
    suite.mirror.announced(first)
    assert await suite.version() == 2


async def test_while_memory_is_not_believed_it_is_not_taken() -> None:
    suite = Told()
    await suite.version()
    suite.world.now += 10  # no heartbeat since
    suite.mirror.announced(suite.change())
    assert suite.mirror.stats.people == 0


async def test_a_load_that_was_on_its_way_does_not_take_its_place() -> None:
    suite = Told()
    await suite.version()
    load, end = await suite.on_its_way(LUKE)
    suite.mirror.announced(suite.change(JANE))
    suite.mirror.announced(suite.change(LUKE))
    end.set()
    assert await load == 0, "asked before the change"
    suite.source.open = True
    assert await suite.version(LUKE) == 1
    assert await suite.version(JANE) == 1


async def test_what_can_not_be_read_or_is_of_another_revision_is_loaded() -> None:
    suite = Told()
    first = suite.telling.of(suite.world, JANE)[JANE]
    for spoilt in (msgspec.Raw(b"{}"), suite.telling.of(suite.world, LAYA)[LAYA], first):
        await suite.version()
        suite.mirror.announced(msgspec.structs.replace(suite.change(), standings={JANE: spoilt}))
        assert not suite.remembers
