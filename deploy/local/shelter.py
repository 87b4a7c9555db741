"""A place for data that another account has to reach when the folder it belongs to is shut to that account.

Only for root: PostgreSQL then runs as another account, and a clone under /root (0700) or a root-only temporary
folder cannot be entered by it. Opening somebody's home directory to everyone would be worse than a second place."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path

from deploy.local.process import started_at

SHELTER = Path("/var/lib/staffgate")


def shelter_for(folder: Path) -> Path:
    """The place that belongs to this folder, named after its path. Places whose folder is gone are cleared away."""
    _ready(SHELTER)
    _clear_orphans()
    place = SHELTER / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    _ready(place)
    (place / "for").write_text(str(folder.resolve()))
    return place


def leave() -> None:
    """Take the common folder away when nothing is in it any more."""
    with contextlib.suppress(OSError):
        SHELTER.rmdir()


def _ready(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)


def _clear_orphans() -> None:
    for note in SHELTER.glob("*/for"):
        if not Path(note.read_text()).exists() and not _in_use(note.parent / "data"):
            shutil.rmtree(note.parent, ignore_errors=True)


def _in_use(data: Path) -> bool:
    try:
        return started_at(int((data / "postmaster.pid").read_text().split()[0])) > 0
    except (OSError, ValueError, IndexError):
        return False
