"""Has anything got slower? The ratios of a new run, held against those of the result that is kept.

Only ratios: the absolute figures of two days differ by more than anything that one would look for. Each claim of a
result says by how much its ratio varied without any change (results.py); what is further below has got slower. What has
got quicker never fails, and neither does a peer that is not there today: it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.results import FOLDER, Ratio, Result, load

_TOLD = 0.05  # a ratio that has moved by less is the same


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """`now` is None where it was not measured, `before` where it was not kept."""

    what: str
    before: float | None
    now: float | None
    noise: float
    least: float | None = None

    @property
    def change(self) -> float | None:
        """As a share of what it was."""
        return None if not self.before or self.now is None else self.now / self.before - 1

    @property
    def slower(self) -> bool:
        return self.change is not None and self.change < -self.noise

    @property
    def verdict(self) -> str:
        if self.now is None:
            return "not measured today"
        if self.change is None:
            return "new"
        if self.slower:
            return "SLOWER"
        word = "same" if abs(self.change) < _TOLD else "within the noise" if self.change < self.noise else "quicker"
        return word if self.least is None or self.now >= self.least else f"{word}, less than the {self.least:g} wanted"


def moved(fresh: Result, kept: Result) -> list[Moved]:
    """Every claim of either."""
    new, old = ({ratio.what: ratio for ratio in one.ratios} for one in (fresh, kept))
    return [_moved(old.get(what), new.get(what)) for what in {**old, **new}]


def _moved(before: Ratio | None, now: Ratio | None) -> Moved:
    claim = before or now
    assert claim is not None
    return Moved(
        what=claim.what,
        before=before.median if before else None,
        now=now.median if now else None,
        noise=claim.noise,
        least=claim.least,
    )


def missing(fresh: Result, kept: Result) -> list[str]:
    """What was measured then and neither is today, nor said to be absent."""
    absent = [one.name for one in fresh.absent]
    names = [row.name for row in kept.rows if fresh.row(row.name) is None]
    return [name for name in names if not any(name.startswith(one) for one in absent)]


def passed(fresh: Result, again: Callable[[], Result] | None = None, folder: Path = FOLDER) -> bool:
    """Prints what has moved. `again` measures once more: slower is what two runs say, one after the other."""
    try:
        kept = load(fresh.name, folder)
    except FileNotFoundError:
        print(f"No result of {fresh.name} is kept to hold this one against: keep one with --keep.")
        return False
    if again is not None and any(one.slower for one in moved(fresh, kept)):
        print("\n".join(_lines(moved(fresh, kept), kept)))
        print("Something looks slower: once more, to see whether that was the machine.", flush=True)
        fresh = better(fresh, again())
    every, gone = moved(fresh, kept), missing(fresh, kept)
    print("\n".join(_lines(every, kept)))
    for one in fresh.absent:
        print(f"not compared: {one.name}: {one.reason}")
    for name in gone:
        print(f"MISSING: {name} was measured on {kept.date}, and is not there now")
    return not gone and not any(one.slower for one in every)


def better(one: Result, other: Result) -> Result:
    """Of each ratio the greater one."""
    seen = {ratio.what: ratio for ratio in other.ratios}
    ratios = tuple(max(ratio, seen.get(ratio.what, ratio), key=lambda of: of.median) for ratio in one.ratios)
    return msgspec.structs.replace(one, ratios=ratios)


def _lines(every: list[Moved], kept: Result) -> Iterator[str]:
    yield f"{'against ' + kept.date:<86} {'then':>9} {'now':>9} {'change':>8} {'noise':>6}"
    for one in every:
        change = "" if one.change is None else f"{one.change:+.0%}"
        then, now = (f"{number:.4g}" if number is not None else "" for number in (one.before, one.now))
        yield f"{one.what:<86} {then:>9} {now:>9} {change:>8} {one.noise:>6.0%}  {one.verdict}"
