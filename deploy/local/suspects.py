"""A test that fails beside the others and not alone: a race, in the test or in what it tests (ADR 0045)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

# Where real servers answer in their own time. What only computes fails by what it says.
_IN_THEIR_OWN_TIME = ("bus", "service", "system", "workers")
_AT_MOST = 2  # of thousands. More have something in common, and that is no chance
_TIMES = 3

# Runs these tests alone, in processes and with servers of their own, and says whether all of them passed.
Runs = Callable[[Sequence[str]], bool]


def failed(cache: Path) -> list[str]:
    """The tests that the run of pytest with this folder as its cache says have failed."""
    try:
        return [*json.loads((cache / "v/cache/lastfailed").read_text())]
    except FileNotFoundError:
        return []


def crashed(report: Path) -> bool:
    """Whether one of the processes died: then what it had left has not run. Without a report nothing has ended as it should."""
    try:
        return any("crashed while running" in (one.get("message") or "") for one in _parsed(report).iter("error"))
    except (FileNotFoundError, ElementTree.ParseError):
        return True


def passed(report: Path) -> int:
    """How many did, by pytest's report in JUnit's form; what was skipped did not."""
    counts = [
        {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        for suite in _parsed(report).iter("testsuite")
    ]
    return sum(one["tests"] - one["failures"] - one["errors"] - one["skipped"] for one in counts)


def _parsed(report: Path) -> ElementTree.Element:
    return ElementTree.parse(report).getroot()  # noqa: S314  # our own


def may_be_suspects(tests: Sequence[str]) -> bool:
    return 0 < len(tests) <= _AT_MOST and all(_may_be_suspect(test) for test in tests)


def _may_be_suspect(test: str) -> bool:
    parts = test.split("/")
    return "::" in test and parts[0] == "tests" and parts[1] in _IN_THEIR_OWN_TIME


def pass_alone(tests: Sequence[str], run: Runs) -> bool:
    """Every time, not once: what fails every second time would pass here one time in eight."""
    return all(run(tests) for _ in range(_TIMES))


def report(tests: Sequence[str]) -> str:
    """What the last lines of the run say."""
    lines = [
        f"SUSPECT: failed beside the others, and passed {_TIMES} times alone. This run counts as passed; what the failure",
        "says is above. It is a race, in the test or in what it tests, and is mended before the next change:",
        *(f"  ./dev test {shlex.quote(test)}" for test in tests),
    ]
    return "\n".join(lines)
