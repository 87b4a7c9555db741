"""Results as they are kept: `benchmarks/results/<name>.json`, the latest one, with machine, versions and date.

What a result claims are ratios: `Claim(what, of, to, least)`. The check (check.py) holds a new run against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.machine import machine
from benchmarks.rounds import Row, Spread, Table

FOLDER = Path(__file__).parent / "results"


class Figure(msgspec.Struct, frozen=True):
    """The median of the rounds, and the least and the greatest."""

    median: float
    low: float
    high: float


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`of` shall be at least `least` times as quick as `to`. A new run may show `noise` less of it than the one that is
    kept, as a share, before something has got slower: so much it varied between runs without any change."""

    what: str
    of: str
    to: str
    least: float | None = None
    noise: float = 0.25


class Measured(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One target. `rate` is a second of processor time, `wall_rate` a second by the clock, `p50` and `p99` microseconds,
    `times` how many times as quick as the base, `noise` the worst of the windows, in hundredths of a core."""

    name: str
    work: str = ""
    rate: Figure
    wall_rate: Figure
    p50: Figure | None = None
    p99: Figure | None = None
    times: Figure
    noise: int


class Ratio(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim, and what was seen."""

    what: str
    of: str
    to: str
    least: float | None = None
    noise: float
    median: float
    low: float
    high: float


class Absent(msgspec.Struct, frozen=True):
    """Who could not be measured, and why."""

    name: str
    reason: str


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    rounds: int
    seconds: float
    base: str
    rows: tuple[Measured, ...]
    ratios: tuple[Ratio, ...] = ()
    absent: tuple[Absent, ...] = ()
    notes: dict[str, str] = {}

    def row(self, name: str) -> Measured | None:
        return next((row for row in self.rows if row.name == name), None)


def result(
    name: str,
    table: Table,
    *,
    claims: Sequence[Claim] = (),
    versions: Mapping[str, str],
    absent: Sequence[Absent] = (),
    notes: Mapping[str, str] | None = None,
) -> Result:
    """Claims about somebody who is absent are left out."""
    there = [claim for claim in claims if claim.of in table.rows and claim.to in table.rows]
    return Result(
        name=name,
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        versions=dict(sorted(versions.items())),
        rounds=table.rounds,
        seconds=table.seconds,
        base=table.base,
        rows=tuple(_measured(row, table) for row in table.rows.values()),
        ratios=tuple(_ratio(claim, table.ratio(claim.of, claim.to)) for claim in there),
        absent=tuple(absent),
        notes=dict(notes or {}),
    )


def save(kept: Result, folder: Path = FOLDER) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{kept.name}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    return file


def load(name: str, folder: Path = FOLDER) -> Result:
    """Raises FileNotFoundError where nothing is kept under that name."""
    return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Result)


def shown(kept: Result) -> str:
    """For a terminal."""
    lines = [f"{'':<58} {'a CPU second':>14} {'times':>9} {'p50 us':>9} {'p99 us':>9} {'noise':>6}"]
    for row in sorted(kept.rows, key=lambda row: -row.rate.median):
        p50, p99 = (_number(figure.median) if figure else "" for figure in (row.p50, row.p99))
        times = _number(row.times.median)
        lines.append(f"{row.name:<58} {row.rate.median:>14,.0f} {times:>9} {p50:>9} {p99:>9} {row.noise:>5}%")
    lines += [f"{one.name:<58} not measured: {one.reason}" for one in kept.absent]
    for ratio in kept.ratios:
        wanted = f", at least {ratio.least:g} wanted" if ratio.least is not None else ""
        seen = f"{_number(ratio.median)} times ({_number(ratio.low)} to {_number(ratio.high)})"
        lines.append(f"{ratio.what}: {seen}{wanted}")
    return "\n".join(lines)


def _measured(row: Row, table: Table) -> Measured:
    return Measured(
        name=row.target.name,
        work=row.target.work,
        rate=_figure(row.rate),
        wall_rate=_figure(row.wall_rate),
        p50=_figure(row.p50) if row.p50 else None,
        p99=_figure(row.p99) if row.p99 else None,
        times=_figure(table.ratio(row.target.name, table.base)),
        noise=round(row.noise * 100),
    )


def _ratio(claim: Claim, seen: Spread) -> Ratio:
    figure = _figure(seen)
    return Ratio(
        what=claim.what, of=claim.of, to=claim.to, least=claim.least, noise=claim.noise,
        median=figure.median, low=figure.low, high=figure.high,
    )  # fmt: skip


def _figure(spread: Spread) -> Figure:
    return Figure(*(_rounded(number) for number in (spread.median, spread.low, spread.high)))


def _rounded(number: float) -> float:
    """To four places that count: more would be a precision that nobody has."""
    return float(f"{number:.4g}")


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
