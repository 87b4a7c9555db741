"""The page about speed says what was measured, and its pictures show it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from benchmarks.page import PAGE, PARTS, PICTURES, figures, kept, pictures, written
from benchmarks.plot import Bar, chart
from tests.unit.benchmarks.kept import kept as made

COMMAND = "python -m benchmarks.page"


def test_the_page_is_what_the_results_say() -> None:
    assert written(PAGE.read_text(), kept()) == PAGE.read_text(), f"run {COMMAND} and look at the difference"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_pictures_show_the_results_and_are_on_the_page(part) -> None:  # type: ignore[no-untyped-def]
    if part.name not in kept():
        pytest.skip("no result of it is kept")
    for name, picture in pictures(part, kept()[part.name]).items():
        assert (PICTURES / name).read_text() == picture, f"run {COMMAND}"
        assert f"../pictures/{name}" in PAGE.read_text()


def test_figures_stand_between_their_markers_and_nowhere_else() -> None:
    text = "before\n<!-- figures of made -->\nold\n<!-- end of made -->\nafter\n"
    new = written(text, {"made": made()})
    assert new == f"before\n<!-- figures of made -->\n{figures(made())}<!-- end of made -->\nafter\n"
    assert written(new, {"made": made(), "other": made()}) == new


def test_what_was_wanted_and_not_reached_is_said() -> None:
    assert "10: **not reached**" in figures(made(ours=450))
    assert "not reached" not in figures(made())


def test_bars_are_as_long_as_the_logarithm() -> None:
    bars = [
        Bar("a", 10, 10, 10, "", True),
        Bar("b & c", 1000, 900, 1100, "×100", False),
        Bar("d", 100, 100, 100, "", False),
    ]
    picture = chart("Title", "a second", "note", bars)
    ElementTree.fromstring(picture)  # noqa: S314 - our own
    names = re.findall(r'class="name[^"]*"[^>]*>([^<]+)<', picture)
    widths = [float(width) for width in re.findall(r'<rect class="(?:ours|other)"[^>]* width="([0-9.]+)"', picture)]
    assert names == ["b &amp; c", "d", "a"]
    assert widths[0] - widths[1] == pytest.approx(widths[1] - widths[2], abs=0.2)
