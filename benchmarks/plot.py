"""Bars on a logarithmic scale, as SVG that can be read in light and in dark. Plain text: no library draws it nicer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 960, 372, 796, 108, 34, 18
_STYLE = """
    :root { --paper: #ffffff; --line: #dde1e7; --ink: #1c2430; --soft: #5b6675; --ours: #2f6f8f; --other: #b9c2ce }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #0f141a; --line: #27313c; --ink: #e6ebf1; --soft: #9aa7b5; --ours: #7cc0de; --other: #4d5b6b }
    }
    .paper { fill: var(--paper) }
    .grid { stroke: var(--line); stroke-width: 1 }
    .ours { fill: var(--ours) }
    .other { fill: var(--other) }
    .range { stroke: var(--ink); stroke-width: 1.5; opacity: .7 }
    text { fill: var(--soft); font-size: 13px }
    .title { fill: var(--ink); font-size: 19px; font-weight: 600 }
    .name { fill: var(--ink); font-size: 14px; text-anchor: end }
    .strong { font-weight: 600 }
    .axis { text-anchor: middle }
    .figure { fill: var(--ink) }
"""


class Bar(NamedTuple):
    """`note` stands behind the figure."""

    name: str
    value: float
    low: float
    high: float
    note: str
    ours: bool


def chart(title: str, unit: str, note: str, bars: Sequence[Bar]) -> str:
    """Longest first. `note` says what stands behind the figures. The thin line on a bar is from the least round to the greatest."""
    ordered = sorted(bars, key=lambda bar: -bar.value)
    low = math.floor(math.log10(min(bar.low for bar in bars)))
    high = math.ceil(math.log10(max(bar.high for bar in bars)))
    height = _TOP + _STEP * len(bars) + 40
    told = "; ".join(f"{bar.name}: {bar.value:,.0f}" for bar in ordered)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title text" '
        "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">",
        f'  <title id="title">{escape(title)}</title>',
        f'  <desc id="text">{escape(unit)}. {escape(told)}.</desc>',
        f"  <style>{_STYLE}  </style>",
        f'  <rect class="paper" width="{_WIDTH}" height="{height}" rx="14"/>',
        f'  <text class="title" x="40" y="42">{escape(title)}</text>',
        f'  <text x="40" y="65">{escape(unit)}; from line to line ten times as many</text>',
        f'  <text x="40" y="84">{escape(note)}</text>',
        *_decades(low, high, height),
    ]
    for number, bar in enumerate(ordered):
        lines += _bar(bar, _TOP + _STEP * number, low, high)
    return "\n".join([*lines, "</svg>\n"])


def _decades(low: int, high: int, height: int) -> Iterator[str]:
    for power in range(low, high + 1):
        x = _x(10.0**power, low, high)
        yield f'  <path class="grid" d="M{x} {_TOP - 8} V{height - 34}"/>'
        yield f'  <text class="axis" x="{x}" y="{height - 14}">{_short(10**power)}</text>'


def _bar(bar: Bar, y: int, low: int, high: int) -> Iterator[str]:
    kind, strong = ("ours", " strong") if bar.ours else ("other", "")
    end, middle = _x(bar.value, low, high), y + _BAR / 2
    yield f'  <text class="name{strong}" x="{_LEFT - 12}" y="{y + 14}">{escape(bar.name)}</text>'
    yield f'  <rect class="{kind}" x="{_LEFT}" y="{y}" width="{round(end - _LEFT, 1)}" height="{_BAR}" rx="3"/>'
    yield f'  <path class="range" d="M{_x(bar.low, low, high)} {middle} H{_x(bar.high, low, high)}"/>'
    behind = max(end, _x(bar.high, low, high)) + 8
    yield f'  <text class="figure" x="{behind}" y="{y + 14}">{bar.value:,.0f} <tspan opacity=".65">{escape(bar.note)}</tspan></text>'


def _x(value: float, low: int, high: int) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * (math.log10(value) - low) / (high - low), 1)


def _short(number: float) -> str:
    for size, letter in ((1_000_000, " million"), (1000, " thousand")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
