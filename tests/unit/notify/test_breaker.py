from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.provider.breaker import Breaker, BreakerState

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(NOW)
    return breaker


@pytest.mark.checklist("M08")
def test_it_opens_after_three_failures_in_a_row_and_not_after_two() -> None:
    breaker = Breaker()
    for _ in range(2):
        breaker.failed(NOW)
    assert breaker.permit(NOW)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(NOW)
    assert breaker.permit(NOW)
    breaker.failed(NOW)
    assert breaker.state(NOW) is BreakerState.OPEN
    assert not breaker.permit(at(4.9))


@pytest.mark.checklist("M08")
def test_when_its_time_is_up_one_message_probes() -> None:
    breaker = opened()
    assert breaker.state(at(5)) is BreakerState.HALF_OPEN
    assert breaker.permits(at(5))
    assert breaker.permit(at(5))
    assert not breaker.permits(at(6))
    assert not breaker.permit(at(6))


@pytest.mark.checklist("M08")
def test_a_probe_that_is_taken_closes_it() -> None:
    breaker = opened()
    breaker.permit(at(5))
    breaker.succeeded()
    assert all(breaker.permit(at(5)) for _ in range(10))
    breaker.failed(at(6))
    assert breaker.permit(at(6)), "it begins to count anew"


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_minute() -> None:
    breaker, time, pauses = opened(), NOW, []
    for _ in range(7):
        found = next(second for second in range(1, 100) if breaker.permit(time + timedelta(seconds=second)))
        pauses.append(found)
        time += timedelta(seconds=found)
        breaker.failed(time)
    assert pauses == [5, 10, 20, 40, 60, 60, 60]


def test_failures_of_what_was_under_way_when_it_opened_prolong_nothing() -> None:
    breaker = opened()
    for second in range(5):
        breaker.failed(at(second))
    assert breaker.permit(at(5))


def test_a_permit_that_was_not_used_is_for_the_next() -> None:
    breaker = opened()
    breaker.permit(at(5))
    breaker.give_back()
    assert breaker.permit(at(5))


def test_a_probe_that_never_reports_is_given_up() -> None:
    breaker = opened()
    breaker.permit(at(5))
    assert not breaker.permit(at(34))
    assert breaker.permit(at(35))


def test_one_that_only_takes_long_is_known_as_such() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(NOW, slow=True)
    assert not breaker.permit(NOW)
    assert breaker.slow(NOW)
    breaker.failed(NOW)
    assert not breaker.slow(NOW), "it was down in the end"
    breaker.succeeded()
    assert not breaker.slow(NOW)


def test_it_says_when_it_will_be_known_again() -> None:
    breaker = Breaker()
    assert breaker.asks_again_at(NOW) == NOW
    breaker = opened()
    assert breaker.asks_again_at(NOW) == at(5)
    assert breaker.asks_again_at(at(7)) == at(7)
    breaker.permit(at(7))
    assert breaker.asks_again_at(at(7)) == at(8)


@given(st.lists(st.tuples(st.sampled_from(["ask", "failed", "slow", "succeeded", "give_back"]), st.integers(0, 40))))
def test_whatever_happens_it_is_asked_again_within_a_minute(steps: list[tuple[str, int]]) -> None:
    breaker, time = Breaker(), NOW
    for step, seconds in steps:
        time += timedelta(seconds=seconds)
        match step:
            case "ask":
                breaker.permit(time)
            case "failed":
                breaker.failed(time)
            case "slow":
                breaker.failed(time, slow=True)
            case "succeeded":
                breaker.succeeded()
            case _:
                breaker.give_back()
    assert any(breaker.permit(time + timedelta(seconds=second)) for second in range(61))
