"""Which benchmarks `./dev bench` runs, and with what words."""

from __future__ import annotations

from deploy.local.stages import _benchmarks

EVERY = ["crowd", "http", "inprocess"]


def test_one_may_be_named_and_the_other_words_are_its_own() -> None:
    assert _benchmarks(["crowd", "--long"], EVERY) == (["crowd"], ["--long"])
    assert _benchmarks(["inprocess", "--check"], EVERY) == (["inprocess"], ["--check"])


def test_without_a_name_all_of_them_run() -> None:
    assert _benchmarks(["--long"], EVERY) == (EVERY, ["--long"])


def test_only_those_beside_others_can_be_checked() -> None:
    assert _benchmarks(["--check"], EVERY) == (["inprocess", "http"], ["--check"])
    assert _benchmarks(["sides", "--quick"], EVERY) == (["inprocess", "http"], ["--quick"])
