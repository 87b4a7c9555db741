"""No line of the checklist is claimed without a test."""

from __future__ import annotations

from functools import cache

from deploy.reference import checklist
from deploy.reference.requirements import REMARKS, REQUIREMENTS

held = cache(checklist.tests_by_line)


def test_every_line_is_held_by_a_test_or_says_why_not() -> None:
    open_lines = REQUIREMENTS.keys() - held().keys() - REMARKS.keys()
    assert not open_lines, f"no test is marked with {sorted(open_lines)}, and nothing says why"


def test_a_mark_names_a_line_that_there_is() -> None:
    assert not held().keys() - REQUIREMENTS.keys()
