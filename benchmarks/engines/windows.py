"""How an engine is timed: as many answers as there are in a window, and some more of them one by one."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Generic, TypeVar

from benchmarks.rounds import Sample

Q = TypeVar("Q")

_LOOK = 0.01  # seconds between two looks at the clock
_ALONE = 0.4  # of the window's time again, for answers that are timed one by one
_CALLS = 20_000  # of those, at most
_FEWEST = 20  # however long they take
_SHARE = 0.2  # of the questions that can be asked once only, for those
_LONG = 10_000  # nanoseconds; only after one of these is it looked whether the time is over


@dataclass
class Window(Generic[Q]):
    """`answer` is asked the questions in their order, again and again.

    With `renew`, whoever remembers what was asked before is made to forget it, on nobody's time, and then asked each
    question once: a window is as long as that takes.
    """

    answer: Callable[[Q], object]
    questions: Sequence[Q]
    renew: Callable[[], None] | None = None

    def run(self, seconds: float) -> Sample:
        began = time.process_time()
        if self.renew is not None:
            self.renew()
            alone = int(len(self.questions) * _SHARE)
            parts, rest = iter([self.questions[alone:]]), self.questions[:alone]
        else:
            parts, rest = self._parts(), self.questions
        gc.collect()
        count, wall, own = self._together(parts, seconds)
        p50, p99 = self._alone(rest, seconds * _ALONE)
        return Sample(count, wall, own, p50, p99, time.process_time() - began - own)

    def _together(self, parts: Iterator[Sequence[Q]], seconds: float) -> tuple[int, float, float]:
        """Without a look at the clock while a part is answered."""
        count, wall, own, answer = 0, 0.0, 0.0, self.answer
        for part in parts:
            began, began_own = time.perf_counter(), time.thread_time()
            for question in part:
                answer(question)
            own += time.thread_time() - began_own
            wall += time.perf_counter() - began
            count += len(part)
            if wall >= seconds:
                break
        return count, wall, own

    def _parts(self) -> Iterator[Sequence[Q]]:
        """As many each as take a hundredth of a second."""
        rest = cycle(self.questions)
        began, size = time.perf_counter(), 0
        while time.perf_counter() - began < _LOOK:
            self.answer(next(rest))
            size += 1
        while True:
            yield tuple(islice(rest, size))

    def _alone(self, questions: Sequence[Q], seconds: float) -> tuple[float, float]:
        """Median and 99th percentile of single calls in microseconds, less what it takes to look at the clock twice."""
        clock, answer, took = time.perf_counter_ns, self.answer, []
        end, own = time.perf_counter() + seconds, timer()
        for question in questions[:_CALLS]:
            began = clock()
            answer(question)
            took.append(clock() - began)
            if took[-1] > _LONG and len(took) >= _FEWEST and time.perf_counter() > end:
                break
        cuts = statistics.quantiles(took, n=100)
        return max(0, cuts[49] - own) / 1000, max(0, cuts[98] - own) / 1000


def timer() -> float:
    """What two looks at the clock with nothing in between take, in nanoseconds."""
    clock = time.perf_counter_ns
    return statistics.median(-(clock() - clock()) for _ in range(2000))
