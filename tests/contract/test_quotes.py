"""Code that the pages quote is the code: a Python block under a file's name has to stand in that file, word for word.
And what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
_QUOTE = re.compile(r"^`([\w/.\-]+)`\n\n```(?:python|sql|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_what_is_quoted_stands_there(page: Path) -> None:
    for name, code in _QUOTE.findall(page.read_text()):
        assert code in (ROOT / name).read_text(), f"{page.name} quotes what {name} does not say (any more):\n{code}"


@every_page
def test_what_is_linked_is_there(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        place = (page.parent / target).resolve()
        assert place.exists(), f"{page.name} links to {target}"
        if anchor and place.suffix == ".md":
            assert anchor[1:] in anchors(place), f"{page.name} links to {target}{anchor}"


def test_the_pages_do_quote() -> None:
    assert len(_QUOTE.findall((ROOT / "CONTRIBUTING.md").read_text())) > 5


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
