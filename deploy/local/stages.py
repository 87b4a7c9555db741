"""`./dev test`, `lint` and `bench`: stages in order, and the first that fails ends it and is named."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.local import suspects
from deploy.local.options import ROOT

# A stage is a name and what to run with this Python.
Stage = tuple[str, list[str]]
_TESTS_FAILED = 1  # by pytest: and all have run
_AT_ONCE = 2  # of all tests: each half has a PostgreSQL and a RabbitMQ of its own. More would only share the cores
_SIDES = ("inprocess", "http")  # the benchmarks that run ours beside others
_CHECKED = ("sdk", "shared", "services", "deploy", "examples")

LINT: list[Stage] = [
    ("style (ruff check)", ["-m", "ruff", "check"]),
    ("format (ruff format)", ["-m", "ruff", "format", "--check"]),
    ("types (mypy)", ["-m", "mypy", *(part for part in _CHECKED if any((ROOT / part).rglob("*.py")))]),
]


def test(pytest_args: Sequence[str], *, long: bool) -> int:
    if long:
        os.environ["STAFFGATE_LONG"] = "1"
    if pytest_args:
        return _run([*LINT, ("tests (pytest)", ["-m", "pytest", *pytest_args])])
    return _run(LINT) or _test_all()


def _test_all() -> int:
    # A worker that dies ends the run: one in its place would be waited for for ever.
    halves = ["-n", str(min(_AT_ONCE, os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        own = ["--max-worker-restart", "0", "-o", f"cache_dir={folder}", f"--junitxml={report}"]
        code = _stage("tests (pytest)", ["-m", "pytest", *halves, *own])
        failed = [] if suspects.crashed(report) else suspects.failed(Path(folder))
    if code == 0:
        print("\nAll passed.")
        return 0
    print(f"\ntests (pytest) failed (exit code {code}).", file=sys.stderr)
    # By any other code not all of them have run.
    return 0 if code == _TESTS_FAILED and suspects.may_be_suspects(failed) and _pass_alone(failed) else 1


def _pass_alone(tests: Sequence[str]) -> bool:
    print("\nOnce more, alone:", *tests, sep="\n  ", flush=True)
    if not suspects.pass_alone(tests, _all_pass):
        return False
    print(f"\n{suspects.report(tests)}", file=sys.stderr)
    return True


def _all_pass(tests: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = _stage("tests, alone (pytest)", ["-m", "pytest", *tests, f"--junitxml={report}"])
        return code == 0 and suspects.passed(report) == len(tests)


def lint() -> int:
    return _run(LINT)


def bench(args: Sequence[str]) -> int:
    """The first word may name one of them, or `sides` those beside others: `./dev bench freshness --long`. Only these can
    be checked: their ratios are compared with those that are kept, and a run that is slower fails."""
    found = {file.stem.removeprefix("bench_"): file.stem for file in sorted((ROOT / "benchmarks").glob("bench_*.py"))}
    names, rest = _benchmarks(args, [*found])
    return _run([(f"benchmark {name}", ["-m", f"benchmarks.{found[name]}", *rest]) for name in names])


def _benchmarks(args: Sequence[str], every: list[str]) -> tuple[list[str], Sequence[str]]:
    """Which, and with what words."""
    if args and args[0] in every:
        return [args[0]], args[1:]
    if args and args[0] == "sides":
        return [*_SIDES], args[1:]
    return [*_SIDES] if "--check" in args else every, args


def _run(stages: list[Stage]) -> int:
    began = time.monotonic()
    for name, argv in stages:
        code = _stage(name, argv)
        if code:
            print(f"\n{name} failed (exit code {code}).", file=sys.stderr)
            return 1
    print(f"\nAll passed in {time.monotonic() - began:.0f} s.")
    return 0


def _stage(name: str, argv: list[str]) -> int:
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    code = subprocess.run([sys.executable, *argv], cwd=ROOT, check=False).returncode
    print(f"    {time.monotonic() - began:.1f} s", flush=True)
    return code
