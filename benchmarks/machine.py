"""On what, and with which versions: figures without that are nobody's."""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine() -> dict[str, str]:
    """The processor, the kernel and the interpreter; nothing that names whose machine it is."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed here."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _build() -> str:
    """An interpreter that was built with its own profile is up to a fifth quicker."""
    how = sysconfig.get_config_var("CONFIG_ARGS") or ""
    wanted = {"--enable-optimizations": "PGO", "--with-lto": "LTO"}
    found = [name for option, name in wanted.items() if option in how]
    return " and ".join(found) if found else "which does not say whether with PGO or LTO"
