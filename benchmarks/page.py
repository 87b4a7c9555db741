"""docs/explanation/speed.md: its tables and pictures, made from the results that are kept.

`python -m benchmarks.page` writes them anew; a test holds the page against the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.plot import Bar, chart
from benchmarks.results import FOLDER, Figure, Measured, Ratio, Result, load

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "speed.md"
PICTURES = ROOT / "docs" / "pictures"


class Part(NamedTuple):
    """One result, and how it is shown. `ours` are the beginnings of the names of ours."""

    name: str
    title: str
    unit: str
    ours: tuple[str, ...]


PARTS = (
    Part("inprocess", "In one process, one thread", "Decisions a second of processor time", ("allowed_now", "decide")),
    Part("http", "Over HTTP, one core for the server", "Decisions a second of the server's processor time", ("authz",)),
)


def written(text: str, kept: dict[str, Result]) -> str:
    """The page with what stands between the markers made anew. A result without markers has no place in it."""
    for name, one in kept.items():
        begin, end = f"<!-- figures of {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        if found:
            text = before + begin + figures(one) + end + rest.partition(end)[2]
    return text


def figures(kept: Result) -> str:
    return "\n".join([*_conditions(kept), "", *_targets(kept), "", *_ratios(kept), ""])


def pictures(part: Part, kept: Result) -> dict[str, str]:
    """One for each kind of work, by the name of its file: what was asked in hundreds is not beside what was asked one by
    one."""
    works: dict[str, list[Measured]] = {}
    for row in kept.rows:
        works.setdefault(row.work if row.work.endswith("a request") else "", []).append(row)
    found = {}
    for number, (work, rows) in enumerate(works.items()):
        bars = [
            Bar(row.name, row.rate.median, row.rate.low, row.rate.high, f"×{_short(row.times.median)}", row.name.startswith(part.ours))
            for row in rows
        ]  # fmt: skip
        name = f"speed-{part.name}{f'-{number + 1}' if number else ''}.svg"
        note = f"× {kept.base}, in the same rounds"
        found[name] = chart(f"{part.title}: {work}" if work else part.title, part.unit, note, bars)
    return found


def _conditions(kept: Result) -> Iterator[str]:
    about, versions = kept.machine, ", ".join(f"{name} {number}" for name, number in kept.versions.items())
    yield f"Measured on {kept.date}: {about['processor']}, {about['cores']} cores, {about['memory']}, {about['system']},"
    yield f"{about['python']}; {versions}. Medians of {kept.rounds} rounds of {kept.seconds:g} s, with the least and the"
    noise = max(row.noise for row in kept.rows)
    yield f"greatest. In the worst window that was kept, others used {noise} % of the core."
    for name, note in kept.notes.items():
        yield f"{name.capitalize()}: {note}."


def _targets(kept: Result) -> Iterator[str]:
    yield "| | decisions a second of CPU | × | p50 µs | p99 µs |"
    yield "|---|---|---|---|---|"
    for row in sorted(kept.rows, key=lambda row: -row.rate.median):
        work = f" ({row.work})" if row.work and row.work not in row.name else ""
        p50, p99 = (_short(figure.median) if figure else "" for figure in (row.p50, row.p99))
        yield f"| {row.name}{work} | {_spread(row.rate)} | {_short(row.times.median)} | {p50} | {p99} |"
    for one in kept.absent:
        yield f"| {one.name} | not measured: {one.reason} | | | |"


def _ratios(kept: Result) -> Iterator[str]:
    if kept.ratios:
        yield "| how many times as quick | wanted | seen | in the rounds |"
        yield "|---|---|---|---|"
    for ratio in kept.ratios:
        yield f"| {ratio.what} | {_wanted(ratio)} | {_short(ratio.median)} | {_short(ratio.low)} to {_short(ratio.high)} |"


def _wanted(ratio: Ratio) -> str:
    if ratio.least is None:
        return ""
    return f"{ratio.least:g}" if ratio.median >= ratio.least else f"{ratio.least:g}: **not reached**"


def _spread(figure: Figure) -> str:
    return f"{figure.median:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def kept() -> dict[str, Result]:
    return {part.name: load(part.name) for part in PARTS if (FOLDER / f"{part.name}.json").exists()}


def main() -> None:
    found = kept()
    PAGE.write_text(written(PAGE.read_text(), found))
    for part in PARTS:
        if part.name in found:
            for name, picture in pictures(part, found[part.name]).items():
                (PICTURES / name).write_text(picture)


if __name__ == "__main__":
    main()
