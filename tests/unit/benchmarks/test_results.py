"""What is kept can be read again, says on what it was measured, and hides nobody."""

from __future__ import annotations

import platform
from pathlib import Path

from benchmarks.machine import machine, versions
from benchmarks.results import Absent, load, save, shown
from tests.unit.benchmarks.kept import kept


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = kept(absent=(Absent("oso", "no wheel"),))
    assert save(one, tmp_path) == tmp_path / "made.json"
    assert load("made", tmp_path) == one


def test_a_ratio_is_kept_with_its_rounds_and_its_noise() -> None:
    [ours, _] = kept().ratios
    assert (ours.median, ours.low, ours.high, ours.least, ours.noise) == (20, 20, 20, 10, 0.2)


def test_no_claim_is_made_about_who_was_not_measured() -> None:
    assert not kept(peer=None).ratios


def test_whoever_is_absent_is_in_the_table_with_the_reason() -> None:
    assert "not measured: no wheel for this machine" in shown(
        kept(absent=(Absent("oso", "no wheel for this machine"),))
    )


def test_the_machine_is_described_and_not_named() -> None:
    about = machine()
    assert about["cores"]
    assert "CPython" in about["python"] or about["python"]
    assert not any(platform.node() and platform.node() in value.split() for value in about.values())
    assert versions(("msgspec", "nothing-of-that-name")).keys() == {"msgspec"}
