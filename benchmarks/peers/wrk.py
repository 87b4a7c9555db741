"""wrk, the load: 32 connections kept alive, one request in flight on each, from one thread on one core.

Debian's package, unpacked under .tools as RabbitMQ is. 0.3 MB, 1 s.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import debian
from deploy.local.errors import PlatformError
from deploy.local.packages import TOOLS

CONNECTIONS = 32
CHANGING = "00000000"
_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Load:
    """What is asked, again and again. `bodies` is a file with one body a line. Where a body or a header has CHANGING in
    it, each request has another number there."""

    url: str
    bodies: Path
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = CONNECTIONS


@dataclass(frozen=True)
class Outcome:
    """`p50` and `p99` in microseconds. `failed` are answers that were none or not 2xx, by
    what wrk calls them."""

    count: int
    seconds: float
    p50: float
    p99: float
    failed: dict[str, int]
    cpu_seconds: float  # the load's own


def fetched(folder: Path = TOOLS / "wrk") -> Path:
    """The folder with wrk in it; made when it is not there yet. Raises PlatformError."""
    if not folder.exists() and not debian.has_apt():
        raise PlatformError("wrk comes as a Debian package, and this machine has no apt to get it with")
    return debian.made_once(
        folder, lambda making: debian.unpack(making, ["wrk"], r"libluajit-5\.1-.*", folder.with_suffix(".log"))
    )


def version() -> str:
    said = subprocess.run([_program(), "-v"], env=_environment(), capture_output=True, text=True, check=False).stdout
    return said.split()[1].removeprefix("debian/") if said.startswith("wrk ") else ""


def drive(load: Load, seconds: float, core: int) -> Outcome:
    """So long (whole seconds), from that core. Raises PlatformError where no result came back."""
    headers = [part for pair in load.headers.items() for part in pair]
    argv = ["taskset", "-c", str(core), _program(), "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s",
            "--latency", "--timeout", "20s", "-s", str(_SCRIPT), load.url, "--", str(load.bodies)]  # fmt: skip
    done = subprocess.run([*argv, *headers], env=_environment(), capture_output=True, check=False, timeout=seconds + 60)
    return _read((done.stderr + done.stdout).decode(errors="replace"))


def _program() -> str:
    return str(fetched() / "usr/bin/wrk")


def _environment() -> dict[str, str]:
    libraries = ":".join(str(path.parent) for path in fetched().glob("usr/lib/*/libluajit*.so.2"))
    return os.environ | {"LD_LIBRARY_PATH": libraries}


def _read(said: str) -> Outcome:
    """The script's own last line; what wrk prints above it is for people."""
    last = said.rstrip().rpartition("\n")[2]
    try:
        told = json.loads(last)
    except ValueError:
        raise PlatformError(f"wrk ended without a result: {said.strip() or 'it said nothing'}") from None
    return Outcome(
        count=told["requests"], seconds=told["us"] / 1e6, p50=told["p50"], p99=told["p99"],
        failed=told["failed"], cpu_seconds=told["cpu"],
    )  # fmt: skip
