"""Which failures of `./dev test` are looked at once more, and what is made of them (ADR 0045)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.local import stages
from deploy.local.suspects import may_be_suspects, pass_alone

LATE = "tests/service/identity/test_factors.py::test_of_two_at_once_one_is_late"
OTHER = "tests/bus/test_outbox.py::test_nothing_is_lost[twice]"


def test_one_or_two_that_wait_for_servers_may_be_suspects() -> None:
    assert may_be_suspects([LATE])
    assert may_be_suspects([LATE, OTHER])


@pytest.mark.parametrize(
    "failed",
    [
        [],
        [LATE, OTHER, "tests/system/test_story.py::test_the_story"],
        ["tests/unit/decision/test_laws.py::test_deny_wins"],
        ["tests/architecture/test_rules.py::test_layers", LATE],
        ["tests/faults/test_replicas.py::test_no_answer_is_too_old"],
        ["tests/service/identity/test_factors.py"],
    ],
    ids=["none", "three", "what computes", "one of the two computes", "answers that were too old", "a file not read"],
)
def test_others_have_failed(failed: list[str]) -> None:
    assert not may_be_suspects(failed)


@pytest.mark.parametrize(("runs", "good"), [([True] * 3, True), ([True, True, False], False), ([False], False)])
def test_every_time_alone_has_to_pass(runs: list[bool], good: bool) -> None:
    left = iter(runs)
    assert pass_alone([LATE], lambda _: next(left)) is good
    assert next(left, None) is None, "no more is run than says something"


class Pytest:
    """In the place of every stage: how each of them ends, which tests have failed in the whole run, and what becomes of
    them alone."""

    def __init__(
        self, failed: Sequence[str], *, ends: int = 1, lint: int = 0, alone: str = "passed", crash: bool | None = False
    ) -> None:
        self._failed, self._ends, self._lint, self._alone, self._crash = failed, ends, lint, alone, crash
        self.ran: list[list[str]] = []

    def __call__(self, name: str, argv: list[str]) -> int:
        if not name.startswith("tests"):
            return self._lint
        words, told = argv[2:], {word.partition("=")[0]: word.partition("=")[2] for word in argv}
        self.ran.append([word for word in words if "::" in word])
        if "cache_dir" in told:
            return self._whole(Path(told["cache_dir"]), Path(told["--junitxml"]))
        if "--junitxml" in told:
            skipped, failures = self._alone == "skipped", self._alone == "failed"
            Path(told["--junitxml"]).write_text(
                f'<testsuites><testsuite tests="{len(self.ran[-1])}" failures="{failures:d}" errors="0"'
                f' skipped="{skipped:d}"/></testsuites>'
            )
            return int(failures)
        return self._ends

    def _whole(self, cache: Path, report: Path) -> int:
        if self._crash is not None:
            died = "<error message=\"worker 'gw1' crashed while running 'x'\"/>" if self._crash else ""
            report.write_text(f"<testsuites><testsuite><testcase>{died}</testcase></testsuite></testsuites>")
        if self._failed:
            kept = cache / "v/cache/lastfailed"
            kept.parent.mkdir(parents=True)
            kept.write_text(json.dumps(dict.fromkeys(self._failed, True)))
        return self._ends if self._failed else 0


COMPUTES = "tests/unit/test_log.py::test_it"


@pytest.mark.parametrize(
    ("faked", "code", "alone"),
    [
        (Pytest([]), 0, 0),
        (Pytest([LATE]), 0, 3),
        (Pytest([LATE, OTHER]), 0, 3),
        (Pytest([LATE], alone="failed"), 1, 1),
        (Pytest([LATE], alone="skipped"), 1, 1),
        (Pytest([COMPUTES]), 1, 0),
        (Pytest([LATE], ends=2), 1, 0),
        (Pytest([LATE], ends=3), 1, 0),
        (Pytest([LATE], ends=-9), 1, 0),
        (Pytest([LATE], crash=True), 1, 0),
        (Pytest([LATE], crash=None), 1, 0),
    ],
    ids=[
        "none",
        "one",
        "two",
        "fails alone",
        "is skipped alone",
        "computes",
        "interrupted",
        "broken",
        "killed",
        "a half died",
        "no report",
    ],
)
def test_the_run_fails_unless_all_that_failed_pass_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], faked: Pytest, code: int, alone: int
) -> None:
    monkeypatch.setattr(stages, "_stage", faked)
    assert stages.test([], long=False) == code
    assert faked.ran == [[], *[list(faked._failed)] * alone]
    said = capsys.readouterr().err
    assert ("SUSPECT" in said and LATE in said) == (alone == 3)


def test_where_style_or_types_fail_no_test_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    faked = Pytest([LATE], lint=1)
    monkeypatch.setattr(stages, "_stage", faked)
    assert (stages.test([], long=False), faked.ran) == (1, [])


def test_one_that_was_named_gets_no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    faked = Pytest([LATE])
    monkeypatch.setattr(stages, "_stage", faked)
    assert stages.test([LATE], long=False) == 1
    assert faked.ran == [[LATE]]
