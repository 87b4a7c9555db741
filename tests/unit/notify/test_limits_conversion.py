"""When it is pumping: codes that nobody uses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.limit.conversion import Guard
from services.notify.limit.keys import Keys
from services.notify.limit.settings import Conversion
from services.notify.store.conversions import Record

GUARD = Guard(Conversion(), Keys(b"k" * 32))
HOUR, MOMENT = timedelta(hours=1), timedelta(minutes=1)


def record(used: int, old: int, waiting: int = 0, *, kind: str = "prefix") -> Record:
    """Of a day of which there is only this hour."""
    return Record(
        kind=kind, used=used, old=old, waiting=waiting, day_used=used, day_old=old, day_sent=used + old + waiting
    )  # fmt: skip


@pytest.mark.checklist("N03")
@pytest.mark.parametrize(
    ("seen", "pause"),
    [
        (record(0, 19), None),
        (record(0, 20), HOUR),  # 20 sends, and fewer than 10 % used
        (record(1, 19), HOUR),
        (record(2, 18), None),  # 10 % it is
        (record(2, 19), HOUR),
        (record(10, 90), None),
        (record(10, 91), HOUR),
        (record(0, 20, kind="organisation"), None),
        (record(0, 25, kind="organisation"), HOUR),
        (record(0, 25, kind="source"), HOUR),
    ],
)
def test_a_prefix_is_blocked_after_20_codes_of_which_fewer_than_a_tenth_is_used(
    seen: Record, pause: timedelta | None
) -> None:
    assert GUARD.pause(seen) == pause


@pytest.mark.checklist("N03")
def test_codes_that_somebody_may_be_typing_in_count_less() -> None:
    """All of a shift logs in at once: twice as many are let through, and then a moment is waited."""
    assert GUARD.pause(record(0, 0, 39)) is None
    assert GUARD.pause(record(0, 0, 40)) == MOMENT
    assert GUARD.pause(record(4, 0, 36)) is None


def test_who_is_slow_enough_for_the_hour_is_caught_by_the_day() -> None:
    slow = Record(kind="prefix", used=0, old=10, waiting=0, day_used=0, day_old=40, day_sent=40)
    assert GUARD.pause(slow) == HOUR
    waiting = Record(kind="prefix", used=0, old=10, waiting=5, day_used=0, day_old=35, day_sent=40)
    assert GUARD.pause(waiting) == MOMENT


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_code_that_is_used_never_makes_it_worse(used: int, old: int, waiting: int) -> None:
    before = GUARD.pause(record(used, old, waiting + 1))
    after = GUARD.pause(record(used + 1, old, waiting))
    assert (after or timedelta()) <= (before or timedelta())


@given(st.integers(0, 500))
def test_without_any_that_is_used_no_prefix_gets_more_than_forty_at_once(waiting: int) -> None:
    assert (GUARD.pause(record(0, 0, waiting)) is None) == (waiting < 40)


@pytest.mark.checklist("N03")
def test_a_good_day_is_no_excuse_for_a_bad_hour() -> None:
    def after_a_good_day(waiting: int) -> Record:
        return Record(
            kind="prefix", used=0, old=0, waiting=waiting, day_used=100, day_old=0, day_sent=100 + waiting
        )  # fmt: skip

    assert GUARD.pause(after_a_good_day(39)) is None
    assert GUARD.pause(after_a_good_day(40)) == MOMENT
