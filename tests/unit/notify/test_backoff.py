from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery.backoff import wait_after


def waits(*, urgent: bool, chance: float) -> list[float]:
    return [wait_after(attempt, urgent=urgent, chance=chance).total_seconds() for attempt in range(1, 13)]


def test_it_doubles_to_its_ceiling() -> None:
    assert waits(urgent=True, chance=1) == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]
    assert waits(urgent=False, chance=1) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_chance_takes_off_up_to_a_half() -> None:
    assert waits(urgent=False, chance=0) == [wait / 2 for wait in waits(urgent=False, chance=1)]


@given(st.integers(1, 10_000), st.booleans(), st.floats(0, 1))
def test_it_is_spread_over_the_upper_half(attempts: int, urgent: bool, chance: float) -> None:
    wait = wait_after(attempts, urgent=urgent, chance=chance)
    longest = wait_after(attempts, urgent=urgent, chance=1)
    assert longest / 2 <= wait <= longest
