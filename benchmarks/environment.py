"""The environment of the other engines, `.tools/bench`: their packages are nobody else's business.

Made once, out of requirements/bench.lock, and anew when that or the interpreter has changed. An engine that can't be
installed here is left out and named with the reason; the others are installed all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".tools" / "bench"
LOCK = ROOT / "requirements" / "bench.lock"
ENGINES = ("pycasbin", "cedarpy", "hobofan-regorus", "oso")
_OURS = ("aiohttp", "msgspec")
_UV = ROOT / ".tools" / "uv" / "bin" / "uv"


class NotMade(Exception):
    """Not even what our own SDK needs could be installed."""


def python(folder: Path = FOLDER) -> Path:
    """The interpreter of the environment; made when it is not there. Raises NotMade."""
    folder.parent.mkdir(exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if _stamp(folder) != _wanted():
            began = time.monotonic()
            print("Preparing the other engines in .tools/bench (bench.lock) ...", file=sys.stderr, flush=True)
            _make(folder)
            print(f"Done in {time.monotonic() - began:.1f} s.", file=sys.stderr, flush=True)
    return folder / "bin" / "python"


def variables() -> dict[str, str]:
    """With our own sources on the path."""
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}", "PYTHONDONTWRITEBYTECODE": "1"}


def left_out(folder: Path = FOLDER) -> dict[str, str]:
    """The engines that could not be installed, each with the reason."""
    found = json.loads((folder / "left-out.json").read_text()) if (folder / "left-out.json").exists() else {}
    return {str(name): str(reason) for name, reason in found.items()}


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run(_venv(folder))
    try:
        _install(folder, LOCK)
        failed: dict[str, str] = {}
    except NotMade:
        failed = _one_by_one(folder)
    (folder / "left-out.json").write_text(json.dumps(failed))
    (folder / "stamp").write_text(_wanted())


def _one_by_one(folder: Path) -> dict[str, str]:
    """First everything that is no engine, then each of them with what it alone needs."""
    failed = {}
    pins = _pins(LOCK.read_text())
    ours = folder / "ours.txt"
    ours.write_text("".join(text for name, text in pins.items() if name in _OURS))
    _install(folder, ours, constraint=LOCK)
    for engine in ENGINES:
        print(f"  {engine} ...", file=sys.stderr, flush=True)
        alone = folder / f"{engine}.txt"
        alone.write_text(pins[engine])
        try:
            _install(folder, alone, constraint=LOCK)
        except NotMade as reason:
            failed[engine] = f"could not be installed: {reason}"
    return failed


def _pins(lock: str) -> dict[str, str]:
    """The parts of a lock by name, each with its hashes."""
    parts = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {part.partition("==")[0]: part for part in parts if "==" in part}


def _venv(folder: Path) -> list[str]:
    if _UV.exists():
        return [str(_UV), "venv", "--quiet", "--python", sys.executable, str(folder)]
    return [sys.executable, "-m", "venv", str(folder)]


def _install(folder: Path, file: Path, constraint: Path | None = None) -> None:
    into, more = folder / "bin" / "python", ["-c", str(constraint)] if constraint else []
    if _UV.exists():
        hashes = "--verify-hashes" if constraint else "--require-hashes"
        _run([str(_UV), "pip", "install", "--quiet", hashes, "--python", str(into), "-r", str(file), *more])
    else:
        _run([str(into), "-m", "pip", "install", "--quiet", "-r", str(file), *more])


def _run(argv: Sequence[str]) -> None:
    names = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise NotMade(said[-1] if said else f"exit code {done.returncode}")


def _wanted() -> str:
    return f"{platform.python_version()} {hashlib.sha256(LOCK.read_bytes()).hexdigest()}"


def _stamp(folder: Path) -> str:
    try:
        return (folder / "stamp").read_text()
    except OSError:
        return ""


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Two runs at once make it once."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
