"""What is remembered and what is dropped: by person, by type, by organisation, by gap, by time, by size."""

from __future__ import annotations

from uuid import UUID

import pytest

from staffgate.contracts.authz import Item
from staffgate.decision import stranger
from staffgate.mirror import Registry, Standing
from staffgate.mirror.cache import Cache
from staffgate.mirror.parts import Key

ACME, OTHER = UUID(int=1), UUID(int=2)
JANE, LUKE, HAN, LAYA = range(10, 14)
INBOXES: Key = (ACME.int, "inbox")
NOW, LATER = 1000.0, 1030.0


def standing(revision: int, org: UUID = ACME, until: float | None = None) -> Standing:
    return Standing(org, stranger(revision), None, until)


def registry(revision: int, count: int = 0) -> Registry:
    items = {str(n): Item(type="inbox", id=str(n), section="sms", label=str(n)) for n in range(count)}
    return Registry(ACME, "inbox", revision, items)


@pytest.fixture
def cache() -> Cache:
    cache = Cache(10)
    for key, part in ((JANE, standing(5)), (LUKE, standing(7)), (HAN, standing(5, OTHER)), (INBOXES, registry(5))):
        cache.put(key, part, part.revision)
    return cache


def known(cache: Cache, now: float = NOW) -> set[Key]:
    return {key for key in (JANE, LUKE, HAN, LAYA, INBOXES) if cache.get(key, now)}


def test_a_change_drops_those_whom_it_names(cache: Cache) -> None:
    assert cache.drop(ACME.int, [JANE, LAYA], 8) == 1
    assert known(cache) == {LUKE, HAN, INBOXES}


def test_a_change_of_a_type_drops_its_items(cache: Cache) -> None:
    assert cache.drop(ACME.int, [INBOXES, (ACME.int, "number"), (OTHER.int, "inbox")], 8) == 1
    assert known(cache) == {JANE, LUKE, HAN}


def test_a_change_of_an_organisation_drops_all_of_it(cache: Cache) -> None:
    assert cache.drop(ACME.int, None, 8) == 3
    assert known(cache) == {HAN}


def test_what_has_seen_the_change_already_is_kept(cache: Cache) -> None:
    assert cache.drop(ACME.int, [JANE, LUKE], 7) == 1
    assert known(cache) == {LUKE, HAN, INBOXES}


def test_a_person_of_another_organisation_is_not_dropped_by_revisions_of_this_one(cache: Cache) -> None:
    assert cache.drop(ACME.int, [HAN], 99) == 0
    assert cache.drop(OTHER.int, [JANE], 99) == 0
    assert known(cache) == {JANE, LUKE, HAN, INBOXES}


def test_a_gap_is_noticed_once(cache: Cache) -> None:
    assert not cache.missed(ACME.int, 5, 6)
    assert cache.missed(ACME.int, 7, 8)
    assert not cache.missed(ACME.int, 8, 9)


def test_late_and_repeated_announcements_are_no_gap(cache: Cache) -> None:
    for previous in (5, 5, 3, 6):
        assert not cache.missed(ACME.int, previous, previous + 1)


def test_what_a_newer_entry_has_seen_still_has_to_be_heard_for_the_older_one(cache: Cache) -> None:
    # Luke was read at 7, Jane at 5: that 6 was not heard matters to Jane.
    assert cache.missed(ACME.int, 6, 7)


def test_an_organisation_that_is_not_remembered_has_nothing_to_miss(cache: Cache) -> None:
    assert not cache.missed(3, 8, 9)
    cache.drop(ACME.int, None, 99)
    assert cache.heard(ACME.int) is None
    assert not cache.missed(ACME.int, 90, 91)
    cache.put(JANE, standing(99), 99)
    assert not cache.missed(ACME.int, 99, 100)
    assert cache.missed(ACME.int, 101, 102)


def test_an_older_part_never_replaces_a_newer_one(cache: Cache) -> None:
    assert not cache.put(LUKE, standing(6), 6)
    kept = cache.get(LUKE, NOW)
    assert kept is not None
    assert kept.revision == 7


def test_what_has_not_seen_all_that_was_heard_is_not_remembered(cache: Cache) -> None:
    assert not cache.missed(ACME.int, 5, 6)
    assert not cache.put(LAYA, standing(5), 5)
    assert cache.put(LAYA, standing(5), 6), "known not to be concerned"


def test_an_entry_is_right_as_far_as_everything_was_heard(cache: Cache) -> None:
    jane = cache.get(JANE, NOW)
    assert jane is not None
    assert cache.is_right(JANE, jane, 5)
    assert not cache.is_right(JANE, jane, 6)
    cache.missed(ACME.int, 5, 6)
    assert cache.is_right(JANE, jane, 6)
    assert not cache.is_right(JANE, standing(5), 6), "another one is not this one"


def test_an_entry_has_its_time() -> None:
    cache = Cache(10)
    cache.put(JANE, standing(5, until=LATER), 5)
    assert cache.get(JANE, LATER - 0.001)
    assert cache.get(JANE, LATER) is None
    assert cache.get(JANE, NOW) is None, "gone for good"


def test_of_too_many_those_that_are_asked_about_remain() -> None:
    cache = Cache(3)
    for key in (JANE, LUKE, HAN, LAYA):
        cache.put(key, standing(1), 1)
    assert (set(cache._entries), cache.evicted) == ({LUKE, HAN, LAYA}, 1)
    for _ in range(8):
        assert cache.get(LUKE, NOW)
    cache.put(JANE, standing(1), 1)
    assert set(cache._entries) == {LUKE, LAYA, JANE}


def test_items_take_room_too() -> None:
    cache = Cache(10)
    for key in (JANE, LUKE, HAN):
        cache.put(key, standing(1), 1)
    assert cache.put(INBOXES, registry(1, 24), 1)
    for key in range(100, 110):
        cache.put(key, standing(1), 1)
        assert len(cache) <= 10
    assert not cache.put(INBOXES, registry(1, 1000), 1), "it would push everything else out"
    assert cache.put(INBOXES, registry(2), 2)
    cache.clear()
    assert (len(cache), cache.people, cache._weight) == (0, 0, 0)


@pytest.mark.parametrize("size", [1, 3, 250])
def test_nothing_is_left_of_what_was_dropped(size: int) -> None:
    """Memory is bounded by the people, organisations included."""
    cache = Cache(size)
    for n in range(1000):
        cache.put(n, standing(1, UUID(int=10_000 + n)), 1)
    assert len(cache) == cache.people == cache._weight == len(cache._organisations) <= size
    assert len(cache) >= size * 0.98
    cache.clear()
    assert (len(cache), len(cache._organisations)) == (0, 0)
