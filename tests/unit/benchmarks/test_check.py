"""`./dev bench --check`: what has got slower is found, and what has not is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.check import moved, passed
from benchmarks.results import Absent, load, save
from tests.unit.benchmarks.kept import kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(kept(), tmp_path)
    return tmp_path


def test_the_same_passes(folder: Path) -> None:
    assert passed(kept(), folder=folder)


def test_whoever_is_slower_than_the_noise_fails_and_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not passed(kept(ours=790), folder=folder)
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if "SLOWER" in line and "ours against a peer" in line]
    assert said.count("SLOWER") == 1


def test_each_figure_has_a_noise_of_its_own(folder: Path) -> None:
    assert passed(kept(ours=810), folder=folder)
    assert passed(kept(remembered=3600), folder=folder)
    assert not passed(kept(remembered=3400), folder=folder)


def test_a_machine_that_is_half_as_fast_changes_nothing(folder: Path) -> None:
    assert passed(kept(500, 2500, 25), folder=folder)


def test_what_is_quicker_never_fails(folder: Path) -> None:
    assert passed(kept(ours=100_000, remembered=100_000), folder=folder)


def test_slower_is_what_two_runs_say(folder: Path) -> None:
    assert passed(kept(ours=500), kept, folder)
    assert not passed(kept(ours=500), lambda: kept(ours=600), folder)


def test_it_is_not_measured_again_without_need(folder: Path) -> None:
    def never() -> None:
        raise AssertionError

    assert passed(kept(), never, folder)  # type: ignore[arg-type]


def test_a_peer_that_is_not_there_today_is_told_and_does_not_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert passed(kept(peer=None, absent=(Absent("peer", "no wheel for this machine"),)), folder=folder)
    said = capsys.readouterr().out
    assert "no wheel for this machine" in said
    assert "not measured today" in said


def test_what_has_vanished_without_a_word_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not passed(kept(peer=None), folder=folder)
    assert "MISSING: peer" in capsys.readouterr().out


def test_without_a_result_to_hold_it_against_nothing_is_checked(tmp_path: Path) -> None:
    assert not passed(kept(), folder=tmp_path)


def test_less_than_what_was_wanted_is_told(folder: Path) -> None:
    save(kept(ours=450), folder)
    [one, _] = moved(kept(ours=450), load("made", folder))
    assert one.verdict == "same, less than the 10 wanted"
