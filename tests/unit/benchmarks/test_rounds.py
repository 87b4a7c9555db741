"""Interleaved, rotated, ratios of the same round; a window in which others were busy is measured again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.rounds import Cores, Sample, Spread, Target, measure, rotated


def target(name: str, *rates: float, asked: list[str] | None = None) -> Target:
    """One second of processor time each, with these rates one after the other."""
    left = iter(rates)

    def run(_seconds: float) -> Sample:
        if asked is not None:
            asked.append(name)
        return Sample(round(next(left)), 1.0, 1.0, p50=1.0, p99=2.0)

    return Target(name, run)


def quiet() -> list[float]:
    return []


def silent(_line: str) -> None: ...


def test_everybody_is_measured_once_a_round_and_first_in_turn() -> None:
    asked: list[str] = []
    targets = [target(name, 1, 1, 1, asked=asked) for name in "abc"]
    measure(targets, 3, 0.1, "a", noise=quiet, say=silent)
    assert "".join(asked) == "abcbcacab"
    assert [one.name for one in rotated(targets, 4)] == ["b", "c", "a"]


def test_a_ratio_is_that_of_the_same_round_however_the_machine_drifts() -> None:
    drift, times = (100, 1000, 10, 400, 50), (3, 3, 3, 2, 40)
    one, other = target("one", *(speed * by for speed, by in zip(drift, times, strict=True))), target("other", *drift)
    table = measure([one, other], 5, 0.1, "other", noise=quiet, say=silent)
    assert table.ratio("one", "other") == Spread(3, 2, 40)
    assert table.rows["one"].rate.median / table.rows["other"].rate.median == 8
    assert table.rows["other"].rate == Spread(100, 10, 1000)


def test_what_counts_is_processor_time_and_not_the_clock_on_the_wall() -> None:
    sample = Sample(count=1000, seconds=4.0, cpu_seconds=2.0)
    assert sample.rate == 500


def used_up(*windows: float) -> Callable[[], list[float]]:
    """What the cores have done before and after each window: one second of ours, and so much of others'."""

    def readings() -> Iterator[list[float]]:
        total = 0.0
        for foreign in windows:
            yield [total]
            total += 1.0 + foreign
            yield [total]

    left = readings()
    return lambda: next(left)


def test_a_disturbed_window_is_measured_again_and_the_first_quiet_one_is_kept() -> None:
    table = measure([target("a", 1, 2, 3)], 1, 0.1, "a", noise=used_up(5.0, 5.0, 0.0), say=silent)
    assert table.rows["a"].rate.median == 3
    assert table.rows["a"].noise == 0


def test_where_none_is_quiet_the_quietest_is_kept_and_told() -> None:
    table = measure([target("a", 1, 2, 3)], 1, 0.1, "a", noise=used_up(5.0, 1.0, 9.0), say=silent, tries=3)
    assert table.rows["a"].rate.median == 2
    assert table.rows["a"].noise > 0.1


def test_what_asks_is_not_taken_for_others() -> None:
    loaded = Target("a", lambda _: Sample(1, 1.0, 1.0, load_seconds=5.0))
    table = measure([loaded], 1, 0.1, "a", noise=used_up(5.0), say=silent)
    assert table.rows["a"].noise == 0


def test_only_the_cores_in_use_count_and_what_the_host_takes_from_them(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 3 999 50 7 8 400 0 0\ncpu1 5000 0 0 0 0 0 0 0 0 0\nintr 5\n")
    [seconds] = Cores({0}, stat).used()
    assert seconds == pytest.approx((100 + 20 + 3 + 400) / 100)
    assert Cores({0}, tmp_path / "nowhere").used() == []
