"""Every e-mail in a real browser: nothing too wide, nothing that can't be read, and as it looked before."""

from __future__ import annotations

import re

import pytest

from tests.pictures import emails, references
from tests.pictures.browser import Browser
from tests.pictures.fetching import Program
from tests.pictures.inspection import Seen, fonts_of, inspected

DESK, TELEPHONE = 640, 360
_READABLE = 4.5  # WCAG 2.2, 1.4.3
_DARK, _LIGHT = 0.05, 0.8

every_email = pytest.mark.parametrize("name", emails.ALL)
kept_emails = pytest.mark.parametrize("name", emails.KEPT)
by_day_and_night = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
on_both_screens = pytest.mark.parametrize("width", [DESK, TELEPHONE])


async def seen(browser: Browser, html: str, width: int, dark: bool) -> Seen:
    await browser.show(emails.shown(html), width=width, dark=dark)
    return await inspected(browser)


@on_both_screens
@by_day_and_night
@every_email
async def test_everything_can_be_read(browser: Browser, name: str, width: int, dark: bool) -> None:
    page = await seen(browser, emails.ALL[name], width, dark)
    assert len(page.texts) > 4
    faint = [(one.text, round(one.contrast, 2)) for one in page.texts if one.contrast < _READABLE]
    assert not faint
    assert min(one.size for one in page.texts) >= 13
    assert all(ground < _DARK if dark else ground > _LIGHT for ground in page.grounds)


@on_both_screens
@every_email
async def test_nothing_is_wider_than_the_screen(browser: Browser, name: str, width: int) -> None:
    page = await seen(browser, emails.ALL[name], width, dark=False)
    assert page.width == width
    assert page.widest <= width
    assert not [one.text for one in page.texts if one.left < 12 or one.right > width - 12]


@on_both_screens
@by_day_and_night
@pytest.mark.parametrize("name", [name for name, html in emails.ALL.items() if 'class="button"' in html])
async def test_the_button_can_be_seen_and_hit(browser: Browser, name: str, width: int, dark: bool) -> None:
    page = await seen(browser, emails.ALL[name], width, dark)
    assert page.button is not None
    assert page.button.height >= 44
    assert page.button.lines == 1
    assert page.button.contrast >= 1.6
    if width == TELEPHONE:
        assert page.button.right - page.button.left > 280


@on_both_screens
@pytest.mark.parametrize("name", [name for name in emails.ALL if name.startswith("code")])
async def test_the_code_is_large_and_in_one_line(browser: Browser, name: str, width: int) -> None:
    code = (await seen(browser, emails.ALL[name], width, dark=False)).text(emails.CODE)
    assert code.lines == 1
    assert code.size >= 32
    assert code.left >= 32
    assert code.right <= width - 32


@pytest.mark.parametrize("name", ["activate", "code", "notice"])
async def test_whoever_listens_to_it_hears_what_matters(browser: Browser, name: str) -> None:
    """A title, one heading, and no table that is announced as one; what a mailbox shows beside the subject isn't repeated."""
    page = await seen(browser, emails.KEPT[name], DESK, dark=False)
    assert page.title
    assert (page.lang, page.headings, page.tables) == ("en", 1, 0)
    preview = re.search(r'<div aria-hidden="true"[^>]*>([^&]+)', emails.KEPT[name])
    assert preview is not None
    assert len(preview[1]) > 20
    assert name == "notice" or preview[1] not in [one.text for one in page.texts]


@by_day_and_night
@on_both_screens
async def test_a_logo_stands_where_it_can_be_seen(browser: Browser, width: int, dark: bool) -> None:
    """A dark one on a ground that stays light."""
    page = await seen(browser, emails.link(brand=emails.YELLOW), width, dark)
    (logo,) = page.pictures
    assert logo.loaded
    assert (logo.width, logo.height, logo.alt) == (60, 40, "ACME Crates")
    assert logo.ground > _LIGHT
    assert "ACME Crates" not in [one.text for one in page.texts]


@every_email
async def test_nothing_is_loaded_from_anywhere(browser: Browser, name: str) -> None:
    await browser.show(emails.shown(emails.ALL[name]), width=DESK, dark=False)
    await browser.picture()
    assert [url for url in browser.asked_for if not url.startswith("data:")] == []


async def test_chinese_has_its_letters(browser: Browser, program: Program) -> None:
    if not program.comparable:
        pytest.skip("this browser's fonts are the machine's")
    await browser.show(emails.KEPT["code.zh-Hant"], width=DESK, dark=False)
    assert await fonts_of(browser, "h1") == {"WenQuanYi Micro Hei"}


# --- as it looked before --------------------------------------------------------------------------------------


@on_both_screens
@by_day_and_night
@kept_emails
async def test_it_looks_as_it_did(browser: Browser, program: Program, name: str, width: int, dark: bool) -> None:
    """`python -m tests.pictures` takes them anew."""
    if not program.comparable:
        pytest.skip("this browser's fonts are the machine's")
    await browser.show(emails.shown(emails.KEPT[name]), width=width, dark=dark)
    picture = await browser.picture()
    assert not await references.difference(browser, picture, references.path(name, width, dark).read_bytes())


def test_no_picture_is_kept_of_what_is_gone() -> None:
    wanted = {
        references.path(name, width, dark) for name in emails.KEPT for width in (DESK, TELEPHONE) for dark in (0, 1)
    }
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
async def test_what_looks_different_is_noticed(browser: Browser, program: Program, what: str, instead: str) -> None:
    if not program.comparable:
        pytest.skip("this browser's fonts are the machine's")
    html = emails.KEPT["activate"]
    assert what in html
    kept = references.path("activate", DESK, False).read_bytes()
    await browser.show(html.replace(what, instead), width=DESK, dark=False)
    assert await references.difference(browser, await browser.picture(), kept)
