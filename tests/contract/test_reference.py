"""The reference pages are those of the code."""

from __future__ import annotations

import pytest

from deploy.reference import COMMAND, FOLDER, PAGES, generated


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == generated(name), f"run {COMMAND} and look at the difference"
