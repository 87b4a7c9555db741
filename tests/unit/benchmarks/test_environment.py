"""Who can't be installed is left out and named; the others are measured all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import environment
from benchmarks.environment import ENGINES, NotMade, left_out, python


class Installer:
    """Refuses the packages that are named in `without`."""

    def __init__(self, *without: str) -> None:
        self.without = without
        self.installed: list[str] = []

    def __call__(self, argv: Sequence[str]) -> None:
        if "venv" in argv:
            Path(argv[-1]).mkdir(parents=True)
            return
        names = environment._pins(Path(argv[argv.index("-r") + 1]).read_text())
        for name in names:
            if name in self.without:
                raise NotMade(f"no wheel of {name} for this machine")
        self.installed += names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tools" / "bench"


def made(monkeypatch: pytest.MonkeyPatch, folder: Path, *without: str) -> Installer:
    installer = Installer(*without)
    monkeypatch.setattr(environment, "_run", installer)
    python(folder)
    return installer


def test_everything_is_installed_at_once_and_only_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert {*ENGINES, "msgspec"} <= {*made(monkeypatch, folder).installed}
    assert left_out(folder) == {}
    assert not made(monkeypatch, folder).installed


def test_who_can_not_be_installed_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    installed = made(monkeypatch, folder, "oso").installed
    assert left_out(folder) == {"oso": "could not be installed: no wheel of oso for this machine"}
    assert {"pycasbin", "cedarpy", "hobofan-regorus", "msgspec"} <= {*installed}


def test_another_lock_or_interpreter_makes_it_anew(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    made(monkeypatch, folder)
    (folder / "stamp").write_text("3.9.0 of another lock")
    assert made(monkeypatch, folder).installed


def test_without_what_our_own_sdk_needs_there_is_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    with pytest.raises(NotMade):
        made(monkeypatch, folder, "msgspec")
    assert made(monkeypatch, folder).installed


def test_the_lock_names_no_place_that_it_came_from() -> None:
    assert "://" not in environment.LOCK.read_text()
