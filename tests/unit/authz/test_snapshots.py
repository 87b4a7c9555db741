"""Loads and announcements in every order: what was announced is never forgotten by a load that was on its way."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from services.authz.facts import Standing
from services.authz.snapshots import Snapshots
from shared.errors import Unavailable
from tests.conftest import FrozenClock
from tests.unit.authz.test_cache import ACME, HAN, JANE, LUKE, OTHER, standing


class Database:
    """Answers when it is told to, with the revision that was current when it was asked."""

    def __init__(self) -> None:
        self.revision = 5
        self.reads = 0
        self.open = True
        self.fault: Exception | None = None
        self._go = asyncio.Event()

    async def __call__(self, staff: UUID) -> Standing | None:
        self.reads += 1
        revision, go = self.revision, self._go
        if not self.open:
            await go.wait()
        if self.fault:
            raise self.fault
        return None if staff == HAN else standing(revision)

    def answer(self) -> None:
        self._go.set()
        self._go = asyncio.Event()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def snapshots(database: Database) -> Snapshots:
    snapshots = Snapshots(database, FrozenClock(), size=100)
    snapshots.hearing()
    return snapshots


async def revision(snapshots: Snapshots, staff: UUID = JANE) -> int | None:
    found = await snapshots.of(staff)
    return None if found is None else found.snapshot.revision


async def on_its_way(snapshots: Snapshots, database: Database) -> asyncio.Task[int | None]:
    """A load that has read the database and has not come back yet."""
    database.open = False
    before = database.reads
    task = asyncio.create_task(revision(snapshots))
    while database.reads == before:
        await asyncio.sleep(0)
    return task


async def test_what_is_remembered_is_not_read_again(snapshots: Snapshots, database: Database) -> None:
    assert [await revision(snapshots) for _ in range(3)] == [5, 5, 5]
    assert database.reads == 1


async def test_those_at_once_share_a_load(snapshots: Snapshots, database: Database) -> None:
    first = await on_its_way(snapshots, database)
    others = [asyncio.create_task(revision(snapshots)) for _ in range(5)]
    await asyncio.sleep(0)
    others[0].cancel()
    first.cancel()
    await asyncio.sleep(0)
    database.answer()
    assert await asyncio.gather(*others[1:]) == [5] * 4
    assert database.reads == 1


async def test_a_load_that_missed_the_change_is_not_remembered(snapshots: Snapshots, database: Database) -> None:
    early = await on_its_way(snapshots, database)
    database.revision = 6
    snapshots.announced(ACME, 5, 6, [JANE])
    late = asyncio.create_task(revision(snapshots))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.answer()
    assert (await early, await late) == (5, 6), "whoever asks after the announcement does not join the older load"
    assert await revision(snapshots) == 6
    assert database.reads == 2


@pytest.mark.parametrize("people", [[JANE], None])
async def test_whichever_load_comes_back_last(
    snapshots: Snapshots, database: Database, people: list[UUID] | None
) -> None:
    early = await on_its_way(snapshots, database)
    database.revision, database.open = 6, True
    snapshots.announced(ACME, 5, 6, people)
    assert await revision(snapshots) == 6
    database.answer()
    assert await early == 5
    assert await revision(snapshots) == 6
    assert database.reads == 2


async def test_a_load_that_has_seen_the_change_is_remembered(snapshots: Snapshots, database: Database) -> None:
    database.revision = 6
    load = await on_its_way(snapshots, database)
    snapshots.announced(ACME, 5, 6, [JANE])
    database.answer()
    assert (await load, await revision(snapshots), database.reads) == (6, 6, 1)


async def test_a_second_change_counts_for_a_load_that_the_first_one_left_alone(
    snapshots: Snapshots, database: Database
) -> None:
    database.revision = 6
    early = await on_its_way(snapshots, database)
    snapshots.announced(ACME, 5, 6, [JANE])
    database.revision, database.open = 7, True
    snapshots.announced(ACME, 6, 7, [JANE])
    database.answer()
    assert await early == 6
    assert await revision(snapshots) == 7


async def test_what_was_lost_on_the_way_may_have_concerned_the_one_being_loaded(
    snapshots: Snapshots, database: Database
) -> None:
    early = await on_its_way(snapshots, database)
    database.revision, database.open = 7, True
    snapshots.announced(ACME, 6, 7, [LUKE])
    database.answer()
    assert await early == 5
    assert await revision(snapshots) == 7


async def test_changes_elsewhere_do_not_matter(snapshots: Snapshots, database: Database) -> None:
    load = await on_its_way(snapshots, database)
    snapshots.announced(OTHER, 98, 99, None)
    snapshots.announced(ACME, 5, 6, [LUKE])
    snapshots.changed(OTHER, [JANE], 100)
    database.answer()
    assert (await load, await revision(snapshots), database.reads) == (5, 5, 1)


async def test_a_change_of_this_process_counts_at_once(snapshots: Snapshots, database: Database) -> None:
    early = await on_its_way(snapshots, database)
    database.revision, database.open = 6, True
    snapshots.changed(ACME, [JANE], 6)
    database.answer()
    assert await early == 5
    assert await revision(snapshots) == 6
    snapshots.announced(ACME, 5, 6, [JANE])
    assert (await revision(snapshots), database.reads) == (6, 2), "told again by the bus, and known already"


async def test_a_gap_drops_the_organisation(snapshots: Snapshots, database: Database) -> None:
    assert (await revision(snapshots), await revision(snapshots, LUKE)) == (5, 5)
    database.revision = 7
    snapshots.announced(ACME, 6, 7, [])
    assert (await revision(snapshots), await revision(snapshots, LUKE)) == (7, 7)


async def test_deaf_it_neither_reads_nor_fills_its_memory(snapshots: Snapshots, database: Database) -> None:
    assert await revision(snapshots) == 5
    snapshots.deaf()
    database.revision = 6
    assert [await revision(snapshots) for _ in range(3)] == [6, 6, 6]
    assert database.reads == 4
    assert len(snapshots._cache) == 0


async def test_hearing_again_it_begins_with_nothing(snapshots: Snapshots, database: Database) -> None:
    assert await revision(snapshots) == 5
    database.revision = 6
    snapshots.hearing()
    assert await revision(snapshots) == 6


@pytest.mark.parametrize("told", ["deaf", "hearing"])
async def test_a_load_from_before_the_silence_is_not_remembered(
    snapshots: Snapshots, database: Database, told: str
) -> None:
    load = await on_its_way(snapshots, database)
    if told == "deaf":
        snapshots.deaf()
    snapshots.hearing()
    database.revision, database.open = 6, True
    database.answer()
    assert await load == 5
    assert await revision(snapshots) == 6


async def test_whoever_asks_after_the_silence_does_not_join_a_load_from_before(
    snapshots: Snapshots, database: Database
) -> None:
    load = await on_its_way(snapshots, database)
    snapshots.deaf()
    snapshots.hearing()
    database.revision, database.open = 6, True
    late = asyncio.create_task(revision(snapshots))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.answer()
    assert (await load, await late) == (5, 6)


async def test_a_load_begun_in_silence_is_not_remembered(snapshots: Snapshots, database: Database) -> None:
    snapshots.deaf()
    found = await snapshots.anew(JANE)
    assert found is not None
    assert len(snapshots._cache) == 0


async def test_before_anything_can_be_heard_it_is_deaf(database: Database) -> None:
    new = Snapshots(database, FrozenClock(), size=100)
    assert [await revision(new) for _ in range(2)] == [5, 5]
    assert database.reads == 2


async def test_strangers_are_not_remembered(snapshots: Snapshots, database: Database) -> None:
    assert [await revision(snapshots, HAN) for _ in range(2)] == [None, None]
    assert (database.reads, len(snapshots._cache)) == (2, 0)


async def test_a_fault_is_everybodys_and_is_not_remembered(snapshots: Snapshots, database: Database) -> None:
    database.fault = Unavailable("database_away", "")
    answers = await asyncio.gather(*(revision(snapshots) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    database.fault = None
    assert await revision(snapshots) == 5
    assert not snapshots._running
    assert not snapshots._joinable
