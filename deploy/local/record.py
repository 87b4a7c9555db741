"""`suite.json`: what runs, written anew on every change, for `status`, `down`, the demo and the tests."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import IO

import msgspec

from deploy.local.errors import PlatformError
from deploy.local.files import write_private
from deploy.local.process import started_at, wait_until

FILE = "suite.json"


class Child(msgspec.Struct, kw_only=True):
    pid: int
    started: int  # with the pid it names this process and no later one
    state: str  # "starting", "ready", "restarting", "not ready"
    port: int
    restarts: int = 0
    log: str = ""


class Record(msgspec.Struct, kw_only=True):
    pid: int
    started: int
    state: str  # "starting", "ready", "stopping"
    since: float
    bus: str = "rabbitmq"  # or "memory"
    broker: str = ""
    database: str = ""
    note: str = ""  # why it is not as it usually is
    port_base: int = 0
    urls: dict[str, str] = {}
    processes: dict[str, Child] = {}

    @property
    def alive(self) -> bool:
        return started_at(self.pid) == self.started != 0

    @property
    def remains(self) -> list[int]:
        """Children that are still there, by pid and start time."""
        return [child.pid for child in self.processes.values() if child.pid and started_at(child.pid) == child.started]


def write(state: Path, record: Record) -> None:
    write_private(state / FILE, msgspec.json.format(msgspec.json.encode(record), indent=1).decode())


def read(state: Path) -> Record | None:
    """None when there is nothing, or nothing of this version."""
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def running(state: Path) -> Record | None:
    record = read(state)
    return record if record and record.alive else None


def claim(state: Path) -> IO[str]:
    """One supervisor for a folder. The kernel gives the lock back whatever happens to its holder."""
    held = (state / "suite.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise PlatformError(f"Another ./dev up works on {state}: wait for it, or see ./dev status.") from error
    return held


def is_claimed(state: Path) -> bool:
    try:
        claim(state).close()
    except PlatformError:
        return True
    return False


def end_remains(state: Path, patience: float = 20.0) -> None:
    """After a kill -9 of the supervisor its children are told by the kernel to stop; wait for that, then insist."""
    record = read(state)
    if record is None or record.alive:
        return
    if not wait_until(lambda: not record.remains, patience, 0.05):
        for pid in record.remains:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not record.remains, 5, 0.05)
