"""What is remembered and what is dropped: by person, by organisation, by gap, by time, by size."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.authz.cache import Cache
from services.authz.facts import Standing
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.decision import Catalogue, Facts, resolve, shipped
from tests.conftest import FrozenClock

CATALOGUE = Catalogue.from_manifests(shipped())
ACME, OTHER = UUID(int=1), UUID(int=2)
JANE, LUKE, HAN, LAYA = (UUID(int=n) for n in range(10, 14))
NOW = FrozenClock().now()
LATER = NOW + timedelta(seconds=30)


def standing(revision: int, org: UUID = ACME) -> Standing:
    facts = Facts(
        staff=JANE, revision=revision, org_active=True, type=StaffType.STANDARD, status=StaffStatus.ACTIVE
    )  # fmt: skip
    return Standing(org, resolve(facts, CATALOGUE))


@pytest.fixture
def cache() -> Cache:
    cache = Cache(10)
    for staff, revision in ((JANE, 5), (LUKE, 7)):
        cache.put(staff, standing(revision), LATER)
    cache.put(HAN, standing(5, OTHER), LATER)
    return cache


def known(cache: Cache) -> set[UUID]:
    return {staff for staff in (JANE, LUKE, HAN, LAYA) if cache.get(staff, NOW)}


def test_a_change_drops_those_whom_it_names(cache: Cache) -> None:
    assert cache.drop(ACME, [JANE, LAYA], 8) == 1
    assert known(cache) == {LUKE, HAN}


def test_a_change_of_an_organisation_drops_all_of_it(cache: Cache) -> None:
    assert cache.drop(ACME, None, 8) == 2
    assert known(cache) == {HAN}


def test_what_has_seen_the_change_already_is_kept(cache: Cache) -> None:
    assert cache.drop(ACME, [JANE, LUKE], 7) == 1
    assert known(cache) == {LUKE, HAN}


def test_a_person_of_another_organisation_is_not_dropped_by_revisions_of_this_one(cache: Cache) -> None:
    assert cache.drop(ACME, [HAN], 99) == 0
    assert cache.drop(OTHER, [JANE], 99) == 0
    assert known(cache) == {JANE, LUKE, HAN}


def test_a_gap_is_noticed_once(cache: Cache) -> None:
    assert not cache.missed(ACME, 5, 6)
    assert cache.missed(ACME, 7, 8)
    assert not cache.missed(ACME, 8, 9)


def test_late_and_repeated_announcements_are_no_gap(cache: Cache) -> None:
    assert not cache.missed(ACME, 5, 6)
    assert not cache.missed(ACME, 5, 6)
    assert not cache.missed(ACME, 3, 4)
    assert not cache.missed(ACME, 6, 7)


def test_what_a_newer_entry_has_seen_still_has_to_be_heard_for_the_older_one(cache: Cache) -> None:
    # Luke was read at 7, Jane at 5: that 6 was not heard matters to Jane.
    assert cache.missed(ACME, 6, 7)


def test_an_organisation_that_is_not_remembered_has_nothing_to_miss(cache: Cache) -> None:
    assert not cache.missed(UUID(int=3), 8, 9)
    cache.drop(ACME, None, 99)
    assert not cache.missed(ACME, 90, 91)
    cache.put(JANE, standing(99), LATER)
    assert not cache.missed(ACME, 99, 100)
    assert cache.missed(ACME, 101, 102)


def test_an_older_snapshot_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.put(LUKE, standing(6), LATER)
    kept = cache.get(LUKE, NOW)
    assert kept is not None
    assert kept.snapshot.revision == 7


def test_an_entry_has_its_time(cache: Cache) -> None:
    assert cache.get(JANE, LATER - timedelta(microseconds=1))
    assert cache.get(JANE, LATER) is None
    assert cache.get(JANE, NOW) is None, "gone for good"


def test_of_too_many_those_asked_about_last_remain() -> None:
    cache = Cache(2)
    cache.put(JANE, standing(1), LATER)
    cache.put(LUKE, standing(1), LATER)
    assert cache.get(JANE, NOW)
    cache.put(HAN, standing(1), LATER)
    assert (known(cache), len(cache)) == ({JANE, HAN}, 2)


def test_nothing_is_left_of_what_was_dropped() -> None:
    """Memory is bounded by the people, organisations included."""
    cache = Cache(3)
    for n in range(100):
        cache.put(UUID(int=n), standing(1, UUID(int=1000 + n)), LATER)
    assert (len(cache), len(cache._organisations)) == (3, 3)
    cache.clear()
    assert (len(cache), len(cache._organisations)) == (0, 0)
