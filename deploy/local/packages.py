"""RabbitMQ and Erlang out of Debian's packages, unpacked into a private folder: nothing is installed, no root needed,
no service is started and no account is made. 4 s, 34 MB of packages, 43 MB on disk."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import BrokerMissing, PlatformError
from deploy.local.process import run

TOOLS = Path(__file__).resolve().parents[2] / ".tools"

_ADVICE = "install it (apt install rabbitmq-server), point AMQP_URL at a running one, or start with --bus memory"
# Only what a node needs to run; "recommends" alone would bring 100 packages of a desktop.
_HARD_ONLY = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
_ERL = """#!/bin/sh
# The packaged `erl` has /usr/lib/erlang written into it; this one finds its root beside itself.
ROOTDIR=$(cd "$(dirname "$0")/../usr/lib/erlang" && pwd)
BINDIR=$ROOTDIR/{erts}/bin
EMU=beam
PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
"""


def unpacked(folder: Path = TOOLS / "rabbitmq") -> Path:
    """The folder with everything in it; made when it is not there yet. Two runs at once make it once."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.exists():
                _make(folder)
    return folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _make(folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise BrokerMissing(f"No RabbitMQ on this machine, and it has no apt to get one with: {_ADVICE}.")
    making = folder.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    debs = making / "debs"
    debs.mkdir(parents=True)
    log = folder.with_suffix(".log")
    try:
        _download(debs, log)
        for deb in sorted(debs.glob("*.deb")):
            run(["dpkg", "-x", str(deb), str(making)], log=log, what=f"Unpacking {deb.name}", env=_environment())
    except PlatformError as error:
        shutil.rmtree(making, ignore_errors=True)
        raise BrokerMissing(f"RabbitMQ could not be fetched with apt (see {log}): {_ADVICE}.") from error
    shutil.rmtree(debs)
    _add_erl(making)
    _trim(next(making.glob("usr/lib/rabbitmq/lib/*/plugins")))
    making.rename(folder)


def _download(debs: Path, log: Path) -> None:
    """With the machine's package lists; with lists of our own when those are empty (a slim image) or out of date."""
    try:
        _fetch(debs, log, [])
    except PlatformError:
        private = debs / "apt"
        for part in ("lists/partial", "cache/archives/partial"):
            (private / part).mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::lists={private}/lists", "-o", f"Dir::Cache={private}/cache",
                   "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]  # fmt: skip
        run(["apt-get", *options, "update"], log=log, what="Updating the package lists", env=_environment())
        _fetch(debs, log, options)
        shutil.rmtree(private)


def _fetch(debs: Path, log: Path, options: list[str]) -> None:
    """Erlang's own packages and RabbitMQ; the C libraries under them are on every Debian and Ubuntu."""
    said = run(["apt-cache", *options, "depends", "--recurse", *_HARD_ONLY, "rabbitmq-server"],
               log=log, what="Reading the package lists", env=_environment())  # fmt: skip
    wanted = sorted({line for line in said.splitlines() if re.fullmatch(r"(erlang-|rabbitmq-server)[a-z0-9-]*", line)})
    # The sandbox account of apt may not write into our folder; without the option it warns and goes on as root.
    run(["apt-get", "-o", "APT::Sandbox::User=", *options, "download", *wanted], cwd=debs, log=log,
        what="Downloading RabbitMQ", env=_environment(), seconds=300)  # fmt: skip


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _add_erl(folder: Path) -> None:
    erts = next((folder / "usr/lib/erlang").glob("erts-*")).name
    program = folder / "bin" / "erl"
    program.parent.mkdir()
    program.write_text(_ERL.replace("{erts}", erts))
    program.chmod(0o755)


def _trim(plugins: Path) -> None:
    """Keep what the broker itself depends on. A node reads every plugin that lies there before it starts:
    70 of them 5.4 s to the first answer, the 20 needed 3.6 s."""
    there = {entry.name.rsplit("-", 1)[0]: entry for entry in plugins.iterdir() if entry.is_dir()}
    kept: set[str] = set()
    wanted = ["rabbit"]
    while wanted:
        name = wanted.pop()
        if name in there and name not in kept:
            kept.add(name)
            wanted += _dependencies(there[name] / "ebin" / f"{name}.app")
    for name in there.keys() - kept:
        shutil.rmtree(there[name])


def _dependencies(app: Path) -> list[str]:
    listed = re.search(r"\{\s*applications\s*,\s*\[([^\]]*)\]", app.read_text(errors="replace"))
    return [name.strip().strip("'") for name in listed[1].split(",")] if listed else []
