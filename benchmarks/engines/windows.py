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


@dataclass
class Window(Generic[Q]):
    """`answer` is asked the questions in their order, again and again. `renew` is called before each pass over them, and
    its time is nobody's: whoever remembers what was asked before has forgotten it then."""

    answer: Callable[[Q], bool]
    questions: Sequence[Q]
    renew: Callable[[], None] | None = None

    def run(self, seconds: float) -> Sample:
        began = time.process_time()
        gc.collect()
        count, wall, own = self._together(seconds)
        p50, p99 = self._alone(seconds * _ALONE)
        return Sample(count, wall, own, p50, p99, time.process_time() - began - own)

    def _together(self, seconds: float) -> tuple[int, float, float]:
        """Without a look at the clock in between: a pass where they have to be forgotten first, or a hundredth of a
        second."""
        count, wall, own = 0, 0.0, 0.0
        answer, passes = self.answer, self._passes()
        while wall < seconds:
            part = next(passes)
            began, began_own = time.perf_counter(), time.thread_time()
            for question in part:
                answer(question)
            own += time.thread_time() - began_own
            wall += time.perf_counter() - began
            count += len(part)
        return count, wall, own

    def _passes(self) -> Iterator[Sequence[Q]]:
        if self.renew is not None:
            while True:
                self.renew()
                yield self.questions
        rest = cycle(self.questions)
        size = self._size()
        while True:
            yield tuple(islice(rest, size))

    def _size(self) -> int:
        """How many are answered between two looks at the clock."""
        began = time.perf_counter()
        for number, question in enumerate(cycle(self.questions)):
            self.answer(question)
            took = time.perf_counter() - began
            if took > _LOOK:
                break
        return number + 1

    def _alone(self, seconds: float) -> tuple[float, float]:
        """Median and 99th percentile of single calls in microseconds, less what it takes to look at the clock twice."""
        clock, answer, took = time.perf_counter_ns, self.answer, []
        if self.renew is not None:
            self.renew()
        end, own = time.perf_counter() + seconds, timer()
        for question in islice(cycle(self.questions), min(_CALLS, len(self.questions))):
            began = clock()
            answer(question)
            took.append(clock() - began)
            if took[-1] > 10_000 and time.perf_counter() > end:
                break
        cuts = statistics.quantiles(took, n=100)
        return tuple(max(0, cut - own) / 1000 for cut in (cuts[49], cuts[98]))  # type: ignore[return-value]


def timer() -> float:
    """What two looks at the clock with nothing in between take, in nanoseconds."""
    clock = time.perf_counter_ns
    return statistics.median(-(clock() - clock()) for _ in range(2000))
