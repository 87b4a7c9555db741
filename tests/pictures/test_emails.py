"""Every e-mail in a real browser: nothing too wide, nothing that can't be read, and as it looked before."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.pictures import emails, references
from tests.pictures.browser import Browser
from tests.pictures.fetching import Program
from tests.pictures.inspection import Seen, fonts_of, inspected

DESK, TELEPHONE = 640, 360
_READABLE = 4.5  # WCAG 2.2, 1.4.3
_DARK, _LIGHT = 0.05, 0.8


@dataclass(frozen=True)
class Shown:
    """One e-mail on one screen, by day or by night. All of those whose pictures are kept; of the others, whose layout is
    the same and whose words are not, the narrow ones by day and the wide ones by night."""

    name: str
    width: int
    dark: bool

    def __str__(self) -> str:
        return f"{self.name}-{self.width}-{'dark' if self.dark else 'light'}"


@dataclass(frozen=True)
class Look:
    seen: Seen
    picture: bytes
    asked_for: list[str]


Looking = Callable[[Shown], Awaitable[Look]]

KEPT = [Shown(name, width, dark) for name in emails.KEPT for width in (DESK, TELEPHONE) for dark in (False, True)]
ALL = KEPT + [
    Shown(name, width, dark)
    for name in emails.ALL.keys() - emails.KEPT.keys()
    for width, dark in ((TELEPHONE, False), (DESK, True))
]
ALL.sort(key=str)
WITH_BUTTON = [shown for shown in ALL if 'class="button"' in emails.ALL[shown.name]]
CODES = [shown for shown in ALL if shown.name.startswith("code")]


def each(shown: list[Shown]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shown", shown, ids=str)


@pytest.fixture(scope="session")
def look(browser: Browser) -> Looking:
    """Each is shown once, whatever is asked of it."""
    known: dict[Shown, Look] = {}

    async def look(shown: Shown) -> Look:
        if shown not in known:
            await browser.show(emails.shown(emails.ALL[shown.name]), width=shown.width, dark=shown.dark)
            seen, picture = await inspected(browser), await browser.picture()
            known[shown] = Look(seen, picture, browser.asked_for[:])
        return known[shown]

    return look


@each(ALL)
async def test_everything_can_be_read(look: Looking, shown: Shown) -> None:
    page = (await look(shown)).seen
    assert len(page.texts) > 4
    assert not [(one.text, round(one.contrast, 2)) for one in page.texts if one.contrast < _READABLE]
    assert min(one.size for one in page.texts) >= 13
    assert all(ground < _DARK if shown.dark else ground > _LIGHT for ground in page.grounds)


@each(ALL)
async def test_nothing_is_wider_than_the_screen(look: Looking, shown: Shown) -> None:
    page = (await look(shown)).seen
    assert page.width == shown.width
    assert page.widest <= shown.width
    assert not [one.text for one in page.texts if one.left < 12 or one.right > shown.width - 12]


@each(ALL)
async def test_nothing_is_loaded_from_anywhere(look: Looking, shown: Shown) -> None:
    assert [url for url in (await look(shown)).asked_for if not url.startswith("data:")] == []


@each(WITH_BUTTON)
async def test_the_button_can_be_seen_and_hit(look: Looking, shown: Shown) -> None:
    button = (await look(shown)).seen.button
    assert button is not None
    assert button.height >= 44
    assert button.lines == 1
    assert button.contrast >= 1.6
    if shown.width == TELEPHONE:
        assert button.right - button.left > 280


@each(CODES)
async def test_the_code_is_large_and_in_one_line(look: Looking, shown: Shown) -> None:
    code = (await look(shown)).seen.text(emails.CODE)
    assert code.lines == 1
    assert code.size >= 32
    assert code.left >= 32
    assert code.right <= shown.width - 32


@pytest.mark.parametrize("name", ["activate", "code", "notice"])
async def test_whoever_listens_to_it_hears_what_matters(look: Looking, name: str) -> None:
    """A title, one heading, and no table that is announced as one; what a mailbox shows beside the subject isn't read out."""
    page = (await look(Shown(name, DESK, dark=False))).seen
    assert page.title
    assert (page.lang, page.headings, page.tables) == ("en", 1, 0)
    preview = re.search(r'<div aria-hidden="true"[^>]*>([^&]+)', emails.KEPT[name])
    assert preview is not None
    assert len(preview[1]) > 20
    assert not [one.text for one in page.texts if "\u200c" in one.text]


@each([shown for shown in KEPT if shown.name == "activate.yellow"])
async def test_a_logo_stands_where_it_can_be_seen(look: Looking, shown: Shown) -> None:
    """A dark one on a ground that stays light."""
    page = (await look(shown)).seen
    (logo,) = page.pictures
    assert logo.loaded
    assert (logo.width, logo.height, logo.alt) == (60, 40, "ACME Crates")
    assert logo.ground > _LIGHT
    assert "ACME Crates" not in [one.text for one in page.texts]


# --- with fonts of ours ---------------------------------------------------------------------------------------


@pytest.fixture
def fonts(program: Program) -> None:
    if not program.comparable:
        pytest.skip("NO PICTURE WAS COMPARED: this browser's fonts are the machine's")


@pytest.mark.usefixtures("fonts")
async def test_chinese_has_its_letters(browser: Browser) -> None:
    await browser.show(emails.KEPT["code.zh-Hant"], width=DESK, dark=False)
    assert await fonts_of(browser, "h1") == {"WenQuanYi Micro Hei"}


@each(KEPT)
@pytest.mark.usefixtures("fonts")
async def test_it_looks_as_it_did(browser: Browser, look: Looking, shown: Shown) -> None:
    """`python -m tests.pictures` takes the pictures anew."""
    kept = references.path(shown.name, shown.width, shown.dark).read_bytes()
    assert not await references.difference(browser, (await look(shown)).picture, kept)


def test_no_picture_is_kept_of_what_is_gone() -> None:
    wanted = {references.path(shown.name, shown.width, shown.dark) for shown in KEPT}
    assert set(references.FOLDER.glob("*")) == wanted


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("background-color:#1f5fd0", "background-color:#d01f5f"),  # another button
        ("max-width:520px", "max-width:500px"),
        ("padding:13px 28px", "padding:21px 28px"),
        ("font-weight:700", "font-weight:400"),
        ("AcmeCrates\\Jane", ""),
    ],
)
@pytest.mark.usefixtures("fonts")
async def test_what_looks_different_is_noticed(browser: Browser, what: str, instead: str) -> None:
    html = emails.KEPT["activate"]
    assert what in html
    kept = references.path("activate", DESK, False).read_bytes()
    await browser.show(html.replace(what, instead), width=DESK, dark=False)
    assert await references.difference(browser, await browser.picture(), kept)
