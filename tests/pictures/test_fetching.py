"""Where the browser comes from, and what is said where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.local import debian
from tests.pictures import fetching
from tests.pictures.conftest import looked_for
from tests.pictures.fetching import NoBrowser, Program


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has none, and no apt; the folder where one would be kept."""
    monkeypatch.delenv("BROWSER_BIN", raising=False)
    monkeypatch.setattr(fetching, "_FOLDER", tmp_path / "browser")
    monkeypatch.setattr(debian, "has_apt", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    return tmp_path / "browser"


def test_without_a_browser_it_is_said_what_to_do(bare: Path) -> None:
    with pytest.raises(NoBrowser, match="BROWSER_BIN"):
        fetching.found()
    assert not bare.exists()


def test_without_a_browser_nobody_looks_and_that_is_said(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="NO E-MAIL WAS LOOKED AT"):
        looked_for()


def test_where_everything_is_tested_a_missing_browser_is_a_failure(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(NoBrowser):
        looked_for()


def test_a_browser_of_ones_own_is_taken_and_its_pictures_are_not_compared(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "chromium" else None)
    assert fetching.found() == Program(Path("/usr/bin/chromium"), {}, comparable=False)
    monkeypatch.setenv("BROWSER_BIN", "/opt/chrome")
    assert fetching.found() == Program(Path("/opt/chrome"), {}, comparable=False)


def test_a_folder_that_was_moved_finds_its_fonts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "fonts.conf").write_text((tmp_path / "one/fonts.conf").read_text() if name == "two" else "")
        config = Path(fetching._ours(folder).environment["FONTCONFIG_FILE"])
        assert f"<dir>{folder}/usr/share/fonts</dir>" in config.read_text()
