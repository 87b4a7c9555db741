"""The logs of the suite: the end of them, and what is being added."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.local.errors import PlatformError

_WINDOW = 64 * 1024


def show(folder: Path, service: str | None, *, follow: bool, lines: int) -> None:
    files = _chosen(folder, service)
    width = max(len(file.stem) for file in files)
    places: dict[Path, int] = {}
    for file in files:
        content = file.read_bytes()
        places[file] = len(content)
        for line in content[-_WINDOW:].decode("utf-8", "replace").splitlines()[-lines:]:
            _print(file, line, width, many=len(files) > 1)
    while follow:
        time.sleep(0.2)
        for file in files:
            places[file] = _print_new(file, places[file], width, many=len(files) > 1)


def _chosen(folder: Path, service: str | None) -> list[Path]:
    there = sorted(folder.glob("*.log"))
    if not there:
        raise PlatformError("There are no logs yet: start the suite with ./dev up.")
    chosen = [file for file in there if service in (None, file.stem)]
    if not chosen:
        names = ", ".join(file.stem for file in there)
        raise PlatformError(f"There is no log of {service!r}: choose one of {names}.")
    return chosen


def _print_new(file: Path, place: int, width: int, *, many: bool) -> int:
    """Whole lines only; a file that was begun anew is read from its start."""
    if not file.exists():
        return place
    size = file.stat().st_size
    if size < place:
        place = 0
    with file.open("rb") as log:
        log.seek(place)
        new = log.read()
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.decode("utf-8", "replace").splitlines():
        _print(file, line, width, many=many)
    return place + len(whole)


def _print(file: Path, line: str, width: int, *, many: bool) -> None:
    print(f"{file.stem:<{width}} | {line}" if many else line, flush=True)
