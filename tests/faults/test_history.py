"""The checker itself: what it has to let pass, and what it has to catch."""

from __future__ import annotations

from math import inf

import pytest

from tests.faults.history import Answer, History

BOUND = 3.0


def history(*changes: tuple[bool, float, float]) -> History:
    made = History()
    for allowed, sent, done in changes:
        made.begin(1, allowed, sent).made = done
    return made


def allow(asked: float, answered: float | None = None) -> Answer:
    return Answer("memory", 1, asked, asked if answered is None else answered, True, True)


@pytest.mark.parametrize(
    ("asked", "age"), [(9.9, 0), (10.05, 0), (10.1, 0), (12.0, 1.9), (13.0, 2.9), (13.2, 3.1), (100.0, 89.9)]
)
def test_an_allow_is_as_old_as_the_revoke_that_it_does_not_know(asked: float, age: float) -> None:
    made = history((True, 1, 1.1), (False, 10, 10.1))
    assert made.age(allow(asked)) == pytest.approx(age)
    assert bool(made.too_old([allow(asked)], BOUND)) is (age > BOUND)


def test_a_change_that_was_never_answered_may_have_been_made_and_may_not() -> None:
    assert history((True, 1, 1.1), (False, 10, inf)).age(allow(1000)) == 0
    assert history((False, 1, 1.1), (True, 10, inf)).age(allow(1000)) == 0


def test_what_is_granted_again_may_be_allowed_from_when_that_was_sent() -> None:
    made = history((True, 1, 1.1), (False, 10, 10.1), (True, 20, 20.1))
    assert made.age(allow(20.05)) == 0
    assert made.age(allow(19.0, 20.05)) == 0, "it was true before it was answered"
    assert made.age(allow(19.0, 19.9)) == pytest.approx(8.9)


def test_whoever_never_had_it_is_never_allowed() -> None:
    assert history().too_old([allow(5)], BOUND)
    assert history((True, 10, 10.1)).too_old([allow(5)], BOUND)


def test_denials_and_no_answers_are_never_too_old() -> None:
    made = history((True, 1, 1.1), (False, 10, 10.1))
    for said in (False, None):
        assert not made.too_old([Answer("memory", 1, 100, 100, said, True)], BOUND)
