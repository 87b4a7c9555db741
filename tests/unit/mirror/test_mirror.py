"""Loads and announcements in every order: what was announced is never forgotten by a load that was on its way."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from staffgate.decision import Catalogue, Question
from staffgate.decision.model import Reason
from staffgate.mirror import Mirror, NotReached
from tests.unit.mirror.world import ACME, CATALOGUE, JANE, LAYA, LUKE, OTHER, SlowSource, World, settled

PAGE = Question("sms.view", "section", "sms")
STRANGER = UUID(int=99)


class Suite:
    """A mirror that hears, and a source that is open until it is told otherwise."""

    def __init__(self, **sizes: Any) -> None:
        self.world = World()
        self.source = SlowSource(self.world, open=True)
        self.mirror = Mirror(self.source, CATALOGUE, self.world.time, **{"size": 100, "bound": 3.0} | sizes)
        self.mirror.hearing()

    async def version(self, who: UUID = JANE, least: int = 0) -> int | None:
        """Of what is known of somebody."""
        async with asyncio.timeout(30):
            verdict = await self.mirror.decide(who, PAGE, least)
        if verdict.reason is Reason.UNKNOWN_SUBJECT:
            return None
        [version] = verdict.snapshot.subscribers
        return int(version[1:])

    @property
    def remembers(self) -> bool:
        return self.mirror.decide_now(JANE, PAGE) is not None

    async def on_its_way(self, who: UUID = JANE) -> tuple[asyncio.Task[int | None], Any]:
        """A load that has read, and has not come back yet."""
        self.source.open = False
        task = asyncio.create_task(self.version(who))
        await settled()
        [read] = self.source.running
        read.begin.set()
        await settled()
        self.source.open = True
        return task, read.end


@pytest.fixture
def suite() -> Suite:
    return Suite()


async def test_what_is_remembered_is_not_read_again(suite: Suite) -> None:
    assert [await suite.version() for _ in range(3)] == [0, 0, 0]
    assert suite.source.reads == [JANE]
    stats = suite.mirror.stats
    assert (stats.hits, stats.misses, stats.bypassed, stats.loads, stats.size, stats.people) == (2, 1, 0, 1, 1, 1)


async def test_from_memory_alone_or_not_at_all(suite: Suite) -> None:
    assert suite.mirror.decide_now(JANE, PAGE) is None
    await suite.version()
    verdict = suite.mirror.decide_now(JANE, PAGE)
    assert verdict is not None
    assert verdict.allowed


async def test_those_at_once_share_a_load_and_nobody_takes_it_along(suite: Suite) -> None:
    first, end = await suite.on_its_way()
    others = [asyncio.create_task(suite.version()) for _ in range(5)]
    await settled()
    others[0].cancel()
    first.cancel()
    await settled()
    end.set()
    assert await asyncio.gather(*others[1:]) == [0] * 4
    assert suite.source.reads == [JANE]


async def test_a_load_that_everybody_gave_up_is_of_use_all_the_same(suite: Suite) -> None:
    task, end = await suite.on_its_way()
    task.cancel()
    end.set()
    await settled()
    assert suite.remembers
    assert not suite.mirror.stats.loading


async def test_a_load_that_missed_the_change_is_not_remembered(suite: Suite) -> None:
    early, end = await suite.on_its_way()
    suite.mirror.announced(suite.world.change_person(JANE))
    assert await suite.version() == 1, "whoever asks after the announcement does not join the older load"
    end.set()
    assert await early == 1, "and it is answered by what is newer"
    assert await suite.version() == 1
    assert len(suite.source.reads) == 2


@pytest.mark.parametrize("everybody", [False, True])
async def test_a_load_that_missed_the_change_and_comes_back_alone(suite: Suite, everybody: bool) -> None:
    early, end = await suite.on_its_way()
    world = suite.world
    suite.mirror.announced(world.change_all(ACME) if everybody else world.change_person(JANE))
    end.set()
    assert await early == 0, "asked before"
    assert not suite.remembers
    assert await suite.version() == 1


async def test_a_load_that_has_seen_the_change_is_remembered(suite: Suite) -> None:
    event = suite.world.change_person(JANE)
    load, end = await suite.on_its_way()
    suite.mirror.announced(event)
    end.set()
    assert (await load, suite.remembers) == (1, True)


async def test_a_load_that_others_changes_came_past_is_remembered(suite: Suite) -> None:
    load, end = await suite.on_its_way()
    for _ in range(3):
        suite.mirror.announced(suite.world.change_person(LUKE))
    suite.mirror.announced(suite.world.change_all(OTHER))
    end.set()
    assert (await load, suite.remembers) == (0, True)
    suite.mirror.announced(suite.world.change_person(LUKE))
    assert suite.remembers, "all of them were heard: there is no gap"


async def test_a_second_change_counts_for_a_load_that_the_first_one_left_alone(suite: Suite) -> None:
    first = suite.world.change_person(JANE)
    early, end = await suite.on_its_way()
    suite.mirror.announced(first)
    suite.mirror.announced(suite.world.change_person(JANE))
    end.set()
    assert await early == 1
    assert await suite.version() == 2


async def test_what_was_lost_on_the_way_may_have_concerned_the_one_being_loaded(suite: Suite) -> None:
    early, end = await suite.on_its_way()
    suite.world.change_person(JANE)  # and nobody is told
    suite.mirror.announced(suite.world.change_person(LUKE))
    end.set()
    assert await early == 0
    assert await suite.version() == 1


async def test_what_a_heartbeat_lists_the_one_being_loaded_has_to_have_seen(suite: Suite) -> None:
    early, end = await suite.on_its_way()
    suite.world.change_person(JANE)
    suite.mirror.beaten(suite.world.heartbeat())
    end.set()
    assert await early == 0
    assert await suite.version() == 1


async def test_a_change_of_this_process_counts_at_once(suite: Suite) -> None:
    early, end = await suite.on_its_way()
    event = suite.world.change_person(JANE)
    suite.mirror.changed(ACME, [JANE], [], event.revision)
    end.set()
    assert await early == 0
    assert await suite.version() == 1
    suite.mirror.announced(event)
    assert suite.remembers, "told again by the bus, and known already"


async def test_a_gap_drops_the_organisation(suite: Suite) -> None:
    assert (await suite.version(), await suite.version(LAYA)) == (0, 0)
    suite.world.change_person(JANE)
    suite.mirror.announced(suite.world.change_nothing(ACME))
    assert not suite.remembers
    assert suite.mirror.decide_now(LAYA, PAGE) is not None, "hers is another"
    assert suite.mirror.stats.gaps == 1


async def test_whoever_asks_does_not_join_what_takes_too_long(suite: Suite) -> None:
    """Of a load that began so long ago nobody knows what it has read."""
    early, end = await suite.on_its_way()
    suite.world.change_person(JANE)
    suite.world.now += 2.9
    suite.mirror.beaten(suite.world.heartbeat())
    suite.world.now += 0.2
    assert await suite.version() == 1
    end.set()
    assert await early == 1, "and what took too long is loaded again"


async def test_whoever_demands_more_does_not_join_a_load_that_may_have_read_before(suite: Suite) -> None:
    early, end = await suite.on_its_way()
    event = suite.world.change_person(JANE)
    assert await suite.version(least=event.revision) == 1
    end.set()
    assert await early == 1


# --- deaf -----------------------------------------------------------------------------------------------------


async def test_deaf_it_neither_reads_nor_fills_its_memory(suite: Suite) -> None:
    assert await suite.version() == 0
    suite.mirror.deaf()
    suite.world.change_person(JANE)
    assert [await suite.version() for _ in range(3)] == [1, 1, 1]
    stats = suite.mirror.stats
    assert (stats.size, stats.loads, stats.bypassed, stats.believed) == (0, 4, 3, False)


async def test_hearing_again_it_begins_with_nothing(suite: Suite) -> None:
    assert await suite.version() == 0
    suite.world.change_person(JANE)
    suite.mirror.hearing()
    assert await suite.version() == 1


@pytest.mark.parametrize("told", ["deaf", "hearing"])
async def test_a_load_from_before_the_silence_is_not_remembered(suite: Suite, told: str) -> None:
    load, end = await suite.on_its_way()
    if told == "deaf":
        suite.mirror.deaf()
    suite.mirror.hearing()
    suite.world.change_person(JANE)
    end.set()
    assert await load == 0
    assert await suite.version() == 1


async def test_whoever_asks_after_the_silence_does_not_join_a_load_from_before(suite: Suite) -> None:
    load, end = await suite.on_its_way()
    suite.mirror.deaf()
    suite.mirror.hearing()
    suite.world.change_person(JANE)
    assert await suite.version() == 1
    end.set()
    assert await load == 1


async def test_a_load_begun_in_silence_is_not_remembered(suite: Suite) -> None:
    suite.mirror.deaf()
    load, end = await suite.on_its_way()
    suite.mirror.hearing()
    end.set()
    assert await load == 0
    assert not suite.remembers


async def test_before_anything_can_be_heard_it_is_deaf() -> None:
    world = World()
    source = SlowSource(world, open=True)
    mirror = Mirror(source, CATALOGUE, world.time, size=100, bound=3)
    for _ in range(2):
        await mirror.decide(JANE, PAGE)
    assert (len(source.reads), mirror.stats.size, mirror.stats.heartbeat_age) == (2, 0, None)
    mirror.beaten(world.heartbeat())
    assert not mirror.stats.believed, "a heartbeat does not make the bus one that can be heard"


# --- heartbeats -----------------------------------------------------------------------------------------------


async def test_without_heartbeats_nothing_is_believed_after_the_bound(suite: Suite) -> None:
    await suite.version()
    suite.world.now += 2.99
    assert suite.remembers
    suite.world.now += 0.01
    assert not suite.remembers
    suite.world.change_person(JANE)
    assert [await suite.version() for _ in range(2)] == [1, 1]
    assert suite.mirror.stats.size == 0
    suite.mirror.beaten(suite.world.heartbeat())
    assert not suite.remembers, "all is forgotten first"
    assert await suite.version() == 1
    assert suite.remembers


async def test_heartbeats_keep_it_going(suite: Suite) -> None:
    await suite.version()
    for _ in range(10):
        suite.world.now += 1
        suite.mirror.beaten(suite.world.heartbeat())
        suite.mirror.beaten(suite.world.heartbeat())
        assert suite.remembers
    assert suite.mirror.stats.heartbeat_age == 0


async def test_what_was_not_announced_is_forgotten_after_a_while(suite: Suite) -> None:
    await suite.version()
    await suite.version(LAYA)
    suite.world.change_person(JANE)
    suite.mirror.beaten(suite.world.heartbeat())
    assert suite.remembers, "the announcement may only be later than the heartbeat"
    assert suite.mirror.stats.revision_lag == 1
    suite.world.now += 1
    assert not suite.remembers
    assert suite.mirror.decide_now(LAYA, PAGE) is not None
    assert (suite.mirror.stats.gaps, suite.mirror.stats.revision_lag) == (1, 0)


async def test_what_is_announced_after_the_heartbeat_costs_nobody_anything(suite: Suite) -> None:
    await suite.version()
    await suite.version(LUKE)
    event = suite.world.change_person(LUKE)
    suite.mirror.beaten(suite.world.heartbeat())
    suite.mirror.announced(event)
    suite.world.now += 2
    assert suite.remembers
    assert suite.mirror.decide_now(LUKE, PAGE) is None
    assert suite.mirror.stats.gaps == 0


async def test_patience_ends_where_the_heartbeat_before_is_good_no_longer() -> None:
    suite = Suite(patience=60)
    await suite.version()
    suite.world.now += 2
    suite.world.change_person(JANE)
    suite.mirror.beaten(suite.world.heartbeat())
    suite.world.now += 0.9
    assert suite.remembers
    suite.world.now += 0.2
    assert not suite.remembers


async def test_a_heartbeat_that_took_too_long_is_none(suite: Suite) -> None:
    await suite.version()
    late = suite.world.heartbeat()
    suite.world.now += 2
    suite.mirror.beaten(late)
    suite.world.now += 1
    assert not suite.remembers
    suite.mirror.beaten(late)
    assert not suite.mirror.stats.believed


async def test_a_heartbeat_that_can_not_list_all_makes_it_forget_all(suite: Suite) -> None:
    await suite.version()
    suite.mirror.beaten(suite.world.heartbeat(complete=False))
    assert not suite.remembers
    await suite.version()
    assert suite.remembers


async def test_a_clock_that_is_put_back_makes_nothing_last_longer(suite: Suite) -> None:
    await suite.version()
    suite.world.now -= 60
    assert not suite.remembers


# --- demands --------------------------------------------------------------------------------------------------


async def test_a_demanded_revision_is_loaded_where_it_was_not_heard(suite: Suite) -> None:
    assert await suite.version() == 0
    event = suite.world.change_person(JANE)
    assert suite.mirror.decide_now(JANE, PAGE, event.revision) is None
    assert await suite.version(least=event.revision) == 1
    assert suite.mirror.decide_now(JANE, PAGE, event.revision) is not None


async def test_who_was_not_concerned_is_carried_forward_without_a_load(suite: Suite) -> None:
    await suite.version()
    event = suite.world.change_person(LUKE)
    suite.mirror.announced(event)
    verdict = suite.mirror.decide_now(JANE, PAGE, event.revision)
    assert verdict is not None
    assert verdict.revision == event.revision
    assert suite.source.reads == [JANE]


async def test_a_revision_that_is_not_there_yet_is_said_so(suite: Suite) -> None:
    for ask in (
        suite.mirror.decide(JANE, PAGE, 9),
        suite.mirror.standing(JANE, 9),
        suite.mirror.registry(ACME, "inbox", 9),
    ):
        with pytest.raises(NotReached) as caught:
            await ask
        assert (caught.value.revision, caught.value.org) == (1, ACME)


async def test_strangers_are_denied_and_not_remembered(suite: Suite) -> None:
    assert [await suite.version(STRANGER, least) for least in (0, 9)] == [None, None]
    assert await suite.mirror.standing(STRANGER, 9) is None
    assert (len(suite.source.reads), suite.mirror.stats.size) == (3, 0)


# --- faults and catalogues ------------------------------------------------------------------------------------


async def test_a_fault_is_everybodys_and_is_not_remembered(suite: Suite) -> None:
    suite.source.open = False
    tasks = [asyncio.create_task(suite.version()) for _ in range(3)]
    await settled()
    [read] = suite.source.running
    read.fault = OSError("away")
    read.begin.set()
    read.end.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    suite.source.open = True
    assert await suite.version() == 0
    assert not suite.mirror.stats.loading


async def test_a_new_catalogue_forgets_what_was_compiled_with_the_old_one(suite: Suite) -> None:
    await suite.version()
    load, end = await suite.on_its_way(LUKE)
    new = Catalogue.from_manifests(msgspec.structs.replace(one) for one in CATALOGUE.manifests)
    suite.mirror.replace(new)
    end.set()
    assert await load == 0
    assert suite.mirror.catalogue is new
    assert suite.source.reads == [JANE, LUKE, LUKE], "loaded again: a snapshot is good for one catalogue"
    assert not suite.remembers
