"""How an engine is timed: what was asked before is not taken for what never was."""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns

import pytest

from benchmarks.engines.__main__ import Side
from benchmarks.engines.windows import Window


class Remembering:
    """Counts what it is asked since it was last made to forget."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.most = 0
        self.renewed = 0

    def answer(self, question: int) -> bool:
        self.asked[question] += 1
        self.most = max(self.most, self.asked[question])
        return question % 2 == 0

    def renew(self) -> None:
        self.renewed += 1
        self.asked.clear()


def test_what_may_be_asked_once_is_asked_once() -> None:
    one = Remembering()
    for _ in range(3):
        sample = Window(one.answer, range(1000), one.renew).run(10)
        assert sample.count == 800  # the others are timed one by one
        assert sum(one.asked.values()) == 1000
    assert one.most == 1
    assert one.renewed == 3


def test_the_others_are_asked_for_as_long_as_the_window() -> None:
    one = Remembering()
    sample = Window(one.answer, range(1000)).run(0.05)
    assert sample.seconds >= 0.05
    assert sample.count < sum(one.asked.values())  # those that were timed one by one are not in it
    assert sample.p50 is not None
    assert sample.p99 is not None
    assert sample.p50 <= sample.p99


def test_whoever_is_slow_is_timed_all_the_same() -> None:
    def slow(_question: int) -> bool:
        end = perf_counter_ns() + 20_000
        while perf_counter_ns() < end:
            pass
        return True

    sample = Window(slow, range(1000)).run(0)
    assert sample.count
    assert sample.p50 is not None
    assert sample.p50 > 10


def test_an_answer_that_is_wrong_or_none_at_all_ends_the_run() -> None:
    Side("right", Window(lambda question: question > 1, [1, 2]), [False, True], "").check()
    for wrong in (lambda _: True, lambda _: None, lambda question: 1 if question > 1 else 0):
        with pytest.raises(AssertionError, match="and the oracle"):
            Side("wrong", Window(wrong, [1, 2]), [False, True], "").check()
