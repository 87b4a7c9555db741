"""Cerbos, the real server: npm's package of its program, asked over its own API and over AuthZEN.

It is given what makes it fast: one processor for the Go runtime, no metrics, no audit, only errors in the log, one policy
for each kind of resource with one rule for each action. The roles come with each request: it keeps no people.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.grid import ACTIONS, Grid, Question
from deploy.local import debian
from deploy.local.errors import PlatformError
from deploy.local.packages import TOOLS
from deploy.local.ports import HOST
from deploy.local.process import Process, run

PACKAGE, VERSION = "@cerbos/cerbos-linux-x64", "0.55.0"
# What npm says of the version that is measured (sha512, as in a package-lock.json).
INTEGRITY = "eLZUycJfaQWK0XTRgH/Oz2E3XiNCUavDd1LhzFxhUpZ3s5CuQqmqG327ta0On8YOTxuZO/19cG4kvfC22r03/Q=="
MOST = 50  # resources in one request, its own default


# --- where it comes from --------------------------------------------------------------------------------------


def fetched(folder: Path = TOOLS / f"cerbos-{VERSION}") -> Path:
    """The program, out of the package that npm is configured to get; made when it is not there yet. 32 MB, 3 s.
    Raises PlatformError."""
    if os.uname().machine != "x86_64":
        raise PlatformError(f"{PACKAGE} is for x86-64 processors; this one is {os.uname().machine}")
    made = debian.made_once(folder, lambda making: _make(making, folder.with_suffix(".log")))
    return made / "cerbos"


def _make(making: Path, log: Path) -> None:
    if not shutil.which("npm"):
        raise PlatformError("Cerbos comes as an npm package, and this machine has no npm to get it with")
    making.mkdir(parents=True)
    run(["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(making)], log=log, cwd=making,
        what="Downloading Cerbos", env=dict(os.environ), seconds=300)  # fmt: skip
    [archive] = making.glob("*.tgz")
    checked(archive)
    with tarfile.open(archive) as packed:
        program = packed.extractfile("package/cerbos-linux-x64")
        assert program is not None
        with (making / "cerbos").open("wb") as out:
            shutil.copyfileobj(program, out)
    (making / "cerbos").chmod(0o755)
    archive.unlink()


def checked(archive: Path) -> None:
    """Raises PlatformError where it is not the package that was measured here."""
    with archive.open("rb") as read:
        found = base64.b64encode(hashlib.file_digest(read, "sha512").digest()).decode()
    if found != INTEGRITY:
        raise PlatformError(f"{archive.name} is not the package that is known here (sha512 {found})")


# --- how it is started ----------------------------------------------------------------------------------------


def server(folder: Path, grid: Grid, port: int, other_port: int) -> Process:
    """Ready to be spawned. `other_port` is for gRPC, which it insists on."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    for kind in grid.kinds:
        (policies / f"{kind}.json").write_bytes(msgspec.json.encode(_policy(grid, kind)))
    settings = {
        "server": {"httpListenAddr": f"{HOST}:{port}", "grpcListenAddr": f"{HOST}:{other_port}", "metricsEnabled": False},
        "storage": {"driver": "disk", "disk": {"directory": str(policies), "watchForChanges": False}},
        "audit": {"enabled": False},
        "telemetry": {"disabled": True},
    }  # fmt: skip
    file = folder / "cerbos.yaml"
    file.write_bytes(msgspec.json.encode(settings))
    argv = [str(fetched()), "server", f"--config={file}", "--log-level=error"]
    return Process("cerbos", argv, log=folder / "cerbos.log", env={"PATH": os.defpath, "GOMAXPROCS": "1"}, cwd=folder)


def _policy(grid: Grid, kind: str) -> object:
    held = {action: sorted(role for role, cells in grid.roles.items() if (kind, action) in cells) for action in ACTIONS}
    rules = [{"actions": [action], "effect": "EFFECT_ALLOW", "roles": roles} for action, roles in held.items() if roles]
    return {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {"resource": kind, "version": "default", "rules": rules},
    }


# --- how it is asked ------------------------------------------------------------------------------------------


def subject(grid: Grid, person: object) -> object:
    roles = grid.held[person]  # type: ignore[index]
    return {"type": "user", "id": str(person), "properties": {"cerbos.roles": roles}}


def evaluation(grid: Grid, asked: Question) -> object:
    return {"subject": subject(grid, asked.person), **_asked(asked)}


def evaluations(grid: Grid, asked: Sequence[Question]) -> object:
    """All about one person, whom it is told of once."""
    return {"subject": subject(grid, asked[0].person), "evaluations": [_asked(one) for one in asked]}


def check(grid: Grid, asked: Sequence[Question]) -> object:
    """Its own API; all about one person."""
    person = asked[0].person
    resources = [{"resource": {"kind": one.kind, "id": one.id}, "actions": [one.action]} for one in asked]
    return {"principal": {"id": str(person), "roles": grid.held[person]}, "resources": resources}


def _asked(asked: Question) -> dict[str, object]:
    return {"action": {"name": asked.action}, "resource": {"type": asked.kind, "id": asked.id}}
