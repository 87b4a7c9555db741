"""Side by side: every target once a round, in rotated order, and ratios of the same round.

On a shared machine the absolute figures of two runs differ by a third, and so do those of the first minute and the
last. What was measured within the same seconds can be compared. So a table is made of rounds; a ratio is the median
of the ratios of each round, and the rounds' least and greatest stand beside it.

A window in which others used more than a tenth of a core that we measure on (or the host took it away) is measured
again, a few times; the worst that was kept is told.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NOISE = 0.1  # of a core: more of others than this, and a window is measured again
TRIES = 4
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_USER, _NICE, _SYSTEM, _STEAL = 0, 1, 2, 7  # columns of a core's line in /proc/stat


@dataclass(frozen=True)
class Sample:
    """What one window gave. `cpu_seconds` are those of what is measured (a thread, or a server's processes), and
    `load_seconds` those of everything else of ours meanwhile, what asks it first of all. `p50` and `p99` are in
    microseconds, None where single answers were not timed."""

    count: int
    seconds: float
    cpu_seconds: float
    p50: float | None = None
    p99: float | None = None
    load_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """A second of processor time: what a busy neighbour does not change, or hardly."""
        return self.count / self.cpu_seconds


@dataclass(frozen=True)
class Target:
    """`run` measures for about so many seconds. `work` says which questions it was asked, where they are not the same."""

    name: str
    run: Callable[[float], Sample]
    work: str = ""


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(figures: Iterable[float]) -> Spread:
        every = sorted(figures)
        return Spread(statistics.median(every), every[0], every[-1])


@dataclass
class Row:
    target: Target
    samples: list[Sample] = field(default_factory=list)
    noise: float = 0.0  # the worst of the windows that were kept, as a share of a core

    @property
    def rate(self) -> Spread:
        return Spread.of(sample.rate for sample in self.samples)

    @property
    def wall_rate(self) -> Spread:
        """A second by the clock on the wall."""
        return Spread.of(sample.count / sample.seconds for sample in self.samples)

    @property
    def p50(self) -> Spread | None:
        return _told(sample.p50 for sample in self.samples)

    @property
    def p99(self) -> Spread | None:
        return _told(sample.p99 for sample in self.samples)


@dataclass(frozen=True)
class Table:
    rows: dict[str, Row]
    base: str
    rounds: int
    seconds: float

    def ratio(self, of: str, to: str) -> Spread:
        """How many times as quick the one is as the other; of the same round each time."""
        pairs = zip(self.rows[of].samples, self.rows[to].samples, strict=True)
        return Spread.of(one.rate / other.rate for one, other in pairs)


def measure(
    targets: Sequence[Target],
    rounds: int,
    seconds: float,
    base: str,
    *,
    cores: Collection[int] | None = None,
    noise: Callable[[], Iterable[float]] | None = None,
    tries: int = TRIES,
    say: Callable[[str], None] = print,
) -> Table:
    """`base` is the target that the others are shown as multiples of, `cores` those on which it happens (by default
    those this process may use)."""
    read = noise or Cores(os.sched_getaffinity(0) if cores is None else cores).used
    rows = {target.name: Row(target) for target in targets}
    for number in range(rounds):
        for target in rotated(targets, number):
            sample, disturbed = _quiet(target, seconds, read, tries)
            row = rows[target.name]
            row.samples.append(sample)
            row.noise = max(row.noise, disturbed)
        say(f"    round {number + 1} of {rounds}")
    return Table(rows, base, rounds, seconds)


def rotated(targets: Sequence[Target], number: int) -> list[Target]:
    """Each is first once, so that what comes after a greedy one is not always the same."""
    start = number % len(targets)
    return [*targets[start:], *targets[:start]]


def _quiet(target: Target, seconds: float, used: Callable[[], Iterable[float]], tries: int) -> tuple[Sample, float]:
    """The quietest window of a few; the first that is quiet enough."""
    best: tuple[Sample, float] | None = None
    for _ in range(tries):
        before, began = sum(used()), time.perf_counter()
        sample = target.run(seconds)
        foreign = sum(used()) - before - sample.cpu_seconds - sample.load_seconds
        whole = max(sample.seconds, time.perf_counter() - began)  # with what it took to get ready
        disturbed = max(0.0, foreign / whole)
        if best is None or disturbed < best[1]:
            best = sample, disturbed
        if disturbed <= NOISE:
            break
    assert best is not None
    return best


class Cores:
    """What some cores have done so far, in seconds: everybody's work, and what the host took from them."""

    def __init__(self, numbers: Collection[int], stat: Path = Path("/proc/stat")) -> None:
        self._names = {f"cpu{number}" for number in numbers}
        self._stat = stat

    def used(self) -> list[float]:
        """Interrupts are left out: those of our own connections are nobody's in these figures."""
        if not self._stat.exists():  # another system than Linux: nothing is known, and nothing is repeated
            return []
        lines = (line.split() for line in self._stat.read_text().splitlines())
        counted = (_USER, _NICE, _SYSTEM, _STEAL)
        return [sum(int(line[1 + n]) for n in counted) * _TICK for line in lines if line[0] in self._names]


def _told(figures: Iterable[float | None]) -> Spread | None:
    known = [figure for figure in figures if figure is not None]
    return Spread.of(known) if known else None
