"""The reference pages that are made from the code: settings, events, operations, the checklist. `python -m deploy.reference` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deploy.reference import checklist, events, operations, settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
COMMAND = "python -m deploy.reference"
PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings.page,
    "events.md": events.page,
    "operations.md": operations.page,
    "checklist.md": checklist.page,
}


def generated(name: str) -> str:
    """The page as it has to be stored."""
    return f"<!-- Made by `{COMMAND}`: change the code, not this page. -->\n\n{PAGES[name]()}"
