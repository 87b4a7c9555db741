"""A browser and the fonts that the pictures are made with, out of Debian's packages. 10 s, 120 MB of packages, 330 MB on disk.

The fonts are ours alone, so that a picture is the same on every machine; of Chinese there is one, too. A browser on PATH
(or the one that BROWSER_BIN names) will do as well where there is no apt: the fonts are then the machine's, and pictures
are not compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local import debian
from deploy.local.errors import PlatformError
from deploy.local.packages import TOOLS

_FOLDER = TOOLS / "browser"
_SHELL = "usr/lib/chromium/chromium-headless-shell"
_FONTS = ["fonts-roboto-unhinted", "fonts-dejavu-core", "fonts-wqy-microhei"]
# What it is linked with. Not the C library, which goes with the machine's loader, and nothing that draws on a screen.
_DEPENDS = r"chromium-common|zlib1g|(?!lib(c6|c-bin|llvm|gl1|glapi|glvnd|glx|z3|xml2|icu|newt|slang|textwrap|debian-installer|drm-|x(aw|mu|t|pm|ft)))lib[a-z0-9.+-]+"
_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Roboto</family><family>WenQuanYi Micro Hei</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


class NoBrowser(PlatformError):
    """There is none, and none to be had."""


@dataclass(frozen=True)
class Program:
    """`comparable`: with fonts of ours, so that its pictures are those of every machine."""

    path: Path
    environment: dict[str, str]
    comparable: bool


def found() -> Program:
    """BROWSER_BIN, then Debian's with our fonts, then what is on PATH. Raises NoBrowser."""
    if named := os.environ.get("BROWSER_BIN"):
        return Program(Path(named), {}, comparable=False)
    try:
        return _ours(debian.made_once(_FOLDER, _make))
    except PlatformError as fault:
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
            if path := shutil.which(name):
                return Program(Path(path), {}, comparable=False)
        raise NoBrowser(f"No browser, and none to be had: {fault}") from fault


def _make(making: Path) -> None:
    if not debian.has_apt():
        raise NoBrowser("this machine has no apt; name a Chromium in BROWSER_BIN.")
    log = _FOLDER.with_suffix(".log")
    debian.unpack(making, ["chromium-headless-shell", *_FONTS], _DEPENDS, log)
    lacking = subprocess.run(
        ["ldd", str(making / _SHELL)], env=_ours(making).environment, capture_output=True, text=True, check=False
    )
    if "not found" in lacking.stdout or lacking.returncode:
        raise NoBrowser(f"a library of it is missing; see {log}")


def _ours(folder: Path) -> Program:
    libraries = [one for one in (folder / "usr/lib", folder / "lib") for one in [one, *one.glob("*-linux-gnu*")]]
    libraries += [*folder.glob("usr/lib/*-linux-gnu*/pulseaudio")]
    config = folder / "fonts.conf"
    if not config.exists() or f"<dir>{folder}/" not in config.read_text():
        config.write_text(_CONFIG.format(fonts=folder / "usr/share/fonts", cache=folder / "fonts"))
    environment = {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "FONTCONFIG_FILE": str(config)}
    return Program(folder / _SHELL, environment, comparable=True)
