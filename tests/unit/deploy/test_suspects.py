"""Which failures of `./dev test` are looked at once more, and what is made of them (ADR 0045)."""

from __future__ import annotations

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
    """In the place of pytest: what fails among the others, and what then passes alone."""

    def __init__(self, cache: Path, failed: Sequence[str], alone: bool) -> None:
        self._cache, self._failed, self._alone = cache, failed, alone
        self.ran: list[list[str]] = []

    def __call__(self, name: str, argv: list[str]) -> int:
        if not name.startswith("tests"):
            return 0
        self.ran.append(argv[2:])
        if len(self.ran) > 1:
            return 0 if self._alone else 1
        if self._failed:
            self._cache.write_text("{" + ", ".join(f'"{test}": true' for test in self._failed) + "}")
        return 1 if self._failed else 0


@pytest.mark.parametrize(
    ("failed", "alone", "code", "runs"),
    [([], True, 0, 1), ([LATE], True, 0, 4), ([LATE], False, 1, 2), (["tests/unit/test_log.py::test_it"], True, 1, 1)],
)
def test_the_run_fails_unless_all_that_failed_pass_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failed: list[str],
    alone: bool,
    code: int,
    runs: int,
) -> None:
    cache = tmp_path / "lastfailed"
    cache.write_text(f'{{"{OTHER}": true}}')  # of an earlier run: forgotten
    faked = Pytest(cache, failed, alone)
    monkeypatch.setattr(stages, "_FAILED", cache)
    monkeypatch.setattr(stages, "_stage", faked)
    assert stages.test([], long=False) == code
    assert faked.ran[1:] == [failed] * (runs - 1)
    said = capsys.readouterr().err
    assert ("SUSPECT" in said and LATE in said) == (runs == 4)


def test_one_that_was_named_gets_no_second_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faked = Pytest(tmp_path / "lastfailed", [LATE], alone=True)
    monkeypatch.setattr(stages, "_FAILED", tmp_path / "lastfailed")
    monkeypatch.setattr(stages, "_stage", faked)
    assert stages.test([LATE], long=False) == 1
    assert faked.ran == [[LATE]]


def test_a_run_that_was_not_seen_through_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "lastfailed"
    monkeypatch.setattr(stages, "_FAILED", cache)

    def interrupted(name: str, argv: list[str]) -> int:
        cache.write_text(f'{{"{LATE}": true}}')
        return 2 if name.startswith("tests") else 0

    monkeypatch.setattr(stages, "_stage", interrupted)
    assert stages.test([], long=False) == 2
