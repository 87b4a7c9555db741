"""The pages behind links: they work without scripts, load nothing from anywhere, and tell what to type at login."""

from __future__ import annotations

import html
import re

import pytest

from tests.service.identity.conftest import PASSWORD, Acme, Answer, sign_in
from tests.service.identity.post import activation_link, email_link, reset_link

NEW = PASSWORD + " and one more"
LINKED = re.compile(r"""(?:src|href|action|url)\s*[=(]\s*["']?([^"'>\s)]+)""")


async def forms(acme: Acme) -> dict[str, str]:
    """Each page by its path, with the token of its link."""
    jane = await sign_in(acme)
    return {
        "/activate": await activation_link(acme, await acme.add("Luke")),
        "/set-password": await reset_link(acme, (await sign_in(acme, "Han")).staff),
        "/confirm-email": await email_link(acme.identity, jane.token),
    }


async def opened(acme: Acme, path: str, token: str) -> Answer:
    return await acme.identity.ask("GET", f"{path}?token={token}")


async def sent(acme: Acme, path: str, token: str, password: str = NEW) -> Answer:
    return await acme.identity.ask("POST", path, data={"token": token, "password": password})


@pytest.mark.checklist("F04")
async def test_every_page_is_whole_by_itself_and_tells_nobody_where_it_was(acme: Acme) -> None:
    for path, token in (await forms(acme)).items():
        for answer in (await opened(acme, path, token), await sent(acme, path, token), await opened(acme, path, token)):
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "<script" not in answer.text
            assert {*LINKED.findall(answer.text)} <= {path}, (
                "nothing is loaded, and the form goes back where it came from"
            )
            assert "set-cookie" not in {name.lower() for name in answer.headers}


@pytest.mark.checklist("F02", "F05")
async def test_each_form_does_what_its_operation_does_once(acme: Acme) -> None:
    for path, token in (await forms(acme)).items():
        statuses = [
            (await opened(acme, path, token)).status,
            (await sent(acme, path, token)).status,
            (await sent(acme, path, token)).status,
            (await opened(acme, path, token)).status,
        ]
        assert statuses == [200, 200, 410, 410], path


@pytest.mark.checklist("A09")
async def test_the_page_carries_the_organisation_and_so_does_the_one_after_it(acme: Acme) -> None:
    pages = await forms(acme)
    for path, name in (("/activate", "Luke"), ("/set-password", "Han"), ("/confirm-email", "Jane")):
        login = f"{acme.number}\\{name}"
        page, done = await opened(acme, path, pages[path]), await sent(acme, path, pages[path])
        assert login in page.text, path
        assert login in done.text, path
        assert "ACME Crates" in page.text, path


@pytest.mark.checklist("B03")
async def test_a_weak_password_is_refused_on_the_page_with_its_reason_and_the_form_is_there_again(acme: Acme) -> None:
    pages = await forms(acme)
    for path in ("/activate", "/set-password"):
        weak = await sent(acme, path, pages[path], "password1")
        assert (weak.status, 'role="alert"' in weak.text, "easy to guess" in weak.text) == (422, True, True)
        assert 'type="password"' in weak.text
        assert "password1" not in weak.text
        assert (await sent(acme, path, pages[path])).status == 200


async def test_a_page_can_be_used_by_everybody(acme: Acme) -> None:
    """Language, title, viewport, a label for what is typed, one heading; and what password managers look for."""
    pages = await forms(acme)
    for path, token in pages.items():
        text = (await opened(acme, path, token)).text
        assert '<html lang="en">' in text
        assert 'name="viewport"' in text
        assert re.search(r"<title>[^<]+ · Staffgate</title>", text)
        assert text.count("<h1>") == 1
        if path != "/confirm-email":
            assert '<label for="password">' in text
            assert 'autocomplete="new-password"' in text
            assert 'autocomplete="username"' in text
            assert 'minlength="8" maxlength="256"' in text


async def test_a_name_on_a_page_is_text_and_nothing_else(acme: Acme) -> None:
    name = "Laya & 'Co' \"x\" {{ 7 * 7 }}"
    token = await activation_link(acme, await acme.add("Laya", name=name))
    text = (await opened(acme, "/activate", token)).text
    assert name not in text
    assert name in html.unescape(text)
    assert "49" not in html.unescape(text).split("Welcome,")[1].split("</h1>")[0]


async def test_no_token_and_nonsense_are_dead_links(acme: Acme) -> None:
    for path in ("/activate", "/set-password", "/confirm-email"):
        for token in ("", "x", "A" * 65, "%00", "<b>"):
            page = await acme.identity.ask("GET", path, params={"token": token})
            assert (page.status, "does not work any more" in page.text) == (410, True)
            assert token not in page.text or token in ("", "x")
