"""Which account of this machine runs PostgreSQL, and whether that account can reach a folder."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Every folder on the way has to be passable: a 0700 home directory above is enough to shut it out."""
        folder = folder.resolve()
        return all(self._passes(parent.stat()) for parent in [folder, *folder.parents])

    def _passes(self, of: os.stat_result) -> bool:
        if of.st_uid == self.uid:
            return bool(of.st_mode & stat.S_IXUSR)
        if of.st_gid == self.gid:
            return bool(of.st_mode & stat.S_IXGRP)
        return bool(of.st_mode & stat.S_IXOTH)


def server_account(data: Path) -> Account | None:
    """None for an ordinary user. PostgreSQL refuses to run as root, so root hands it to the owner of the data
    that is there already, else to `postgres`, else to `nobody`; no account is ever created."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (uid := data.stat().st_uid) != 0:
        return _known(uid) or Account(str(uid), uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    return Account("65534", 65534, 65534)


def _known(uid: int) -> Account | None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
