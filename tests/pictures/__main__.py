"""Take the pictures anew: `python -m tests.pictures`. Look at them before they are committed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.pictures import emails, references
from tests.pictures.browser import Browser, opened
from tests.pictures.fetching import found

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "pictures"


async def main() -> None:
    program = found()
    if not program.comparable:
        sys.exit("The pictures are taken with our own fonts, and this browser has others.")
    with tempfile.TemporaryDirectory() as home:
        async with opened(program, Path(home)) as browser:
            await _keep(browser)
            await _document(browser)


async def _keep(browser: Browser) -> None:
    references.FOLDER.mkdir(exist_ok=True)
    for old in references.FOLDER.glob("*.png"):
        old.unlink()
    for name, html in emails.KEPT.items():
        for width in (640, 360):
            for dark in (False, True):
                await browser.show(emails.shown(html), width=width, dark=dark)
                kept = await references.small(browser, await browser.picture())
                references.path(name, width, dark).write_bytes(kept.png)


async def _document(browser: Browser) -> None:
    _DOCS.mkdir(exist_ok=True)
    for dark in (False, True):
        await browser.show(emails.code(), width=640, dark=dark)
        (_DOCS / f"email-{'dark' if dark else 'light'}.png").write_bytes(await browser.picture())


asyncio.run(main())
