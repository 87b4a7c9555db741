"""The command line over a suite without services: what is under them is tested with it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import record
from deploy.local.ports import Ports, is_free
from deploy.local.process import wait_until
from deploy.local.record import Record

# The command line, over a suite that has no services: what is under them is tested here.
_BARE = """
import sys
from deploy.local import cli, plan
plan.SERVICES = plan.TOGETHER = ()
sys.exit(cli.main(sys.argv[1:]))
"""


def bare(*argv: str) -> list[str]:
    return [sys.executable, "-c", _BARE, *argv]


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    assert wait_until(condition, seconds, 0.02), f"waited {seconds} s in vain for: {what}"


def free_base() -> int:
    bases = iter(lambda: random.randrange(20000, 30000, 20), None)  # noqa: S311 - no secret
    return next(base for base in bases if all(is_free(port) for port in vars(Ports.from_base(base)).values()))


class Bare:
    """A supervisor without services, in the foreground of a process of ours."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.base = free_base()
        self.options = ["--state", str(state), "--port-base", str(self.base), *options]
        self.supervisor: subprocess.Popen[str] | None = None

    def up(self) -> None:
        self.supervisor = subprocess.Popen(bare("up", *self.options), stdout=subprocess.PIPE, text=True)
        until(lambda: self.record.state == "ready", 60, "the suite")

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        argv = bare(command, *self.options, *more)
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    @property
    def record(self) -> Record:
        nothing = Record(pid=0, started=0, state="nothing", since=0)
        return record.read(self.state) or nothing

    def kill(self, name: str) -> int:
        pid = self.record.processes[name].pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_return(self, name: str, killed: int) -> None:
        def back() -> bool:
            child = self.record.processes[name]
            return child.pid not in (0, killed) and child.state == "ready"

        until(back, 30, f"{name} to come back")

    def clear(self) -> None:
        self.run("down")
        if self.supervisor:
            self.supervisor.communicate(timeout=30)
        assert self.run("reset").returncode == 0
        assert not self.state.exists()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    bare_suite = Bare(tmp_path_factory.mktemp("suite") / "state", "--bus", "memory")
    bare_suite.up()
    yield bare_suite
    bare_suite.clear()
