"""Programs out of Debian's packages, unpacked into a private folder: nothing is installed, no root is needed, no service
is started and no account is made. apt checks who signed them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import PlatformError
from deploy.local.process import run

# Only what a program needs to run; "recommends" alone would bring 100 packages of a desktop.
_HARD_ONLY = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]


def has_apt() -> bool:
    return bool(shutil.which("apt-get") and shutil.which("dpkg"))


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made when it is not there yet; whole or not at all. Two runs at once make it once."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.exists():
                making = folder.with_suffix(".new")
                shutil.rmtree(making, ignore_errors=True)
                try:
                    make(making)
                except PlatformError:
                    shutil.rmtree(making, ignore_errors=True)
                    raise
                making.rename(folder)
    return folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def unpack(into: Path, packages: Sequence[str], depends: str, log: Path) -> None:
    """These, and of what they depend on those whose names match. Raises PlatformError."""
    debs = into / "debs"
    debs.mkdir(parents=True)
    _download(debs, packages, depends, log)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg", "-x", str(deb), str(into)], log=log, what=f"Unpacking {deb.name}", env=_environment())
    shutil.rmtree(debs)


def _download(debs: Path, packages: Sequence[str], depends: str, log: Path) -> None:
    """With the machine's package lists; with lists of our own when those are empty (a slim image) or out of date."""
    try:
        _fetch(debs, packages, depends, log, [])
    except PlatformError:
        private = debs / "apt"
        for part in ("lists/partial", "cache/archives/partial"):
            (private / part).mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::lists={private}/lists", "-o", f"Dir::Cache={private}/cache",
                   "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]  # fmt: skip
        run(["apt-get", *options, "update"], log=log, what="Updating the package lists", env=_environment())
        _fetch(debs, packages, depends, log, options)
        shutil.rmtree(private)


def _fetch(debs: Path, packages: Sequence[str], depends: str, log: Path, options: list[str]) -> None:
    said = run(["apt-cache", *options, "depends", "--recurse", *_HARD_ONLY, *packages],
               log=log, what="Reading the package lists", env=_environment())  # fmt: skip
    wanted = sorted({*packages, *(line for line in said.splitlines() if re.fullmatch(depends, line))})
    # The sandbox account of apt may not write into our folder; without the option it warns and goes on as root.
    run(["apt-get", "-o", "APT::Sandbox::User=", *options, "download", *wanted], cwd=debs, log=log,
        what=f"Downloading {packages[0]}", env=_environment(), seconds=300)  # fmt: skip


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
