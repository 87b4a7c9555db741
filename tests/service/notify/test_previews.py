"""Previews: what messages look like, to administrators, of people who don't exist; and in which language real ones go."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.notify.content.samples import TEMPLATES
from services.notify.content.tags import LOCALES
from staffgate.contracts.caller import StaffType
from tests.service.notify.conftest import ACME, JANE, RAY, Running, code_issued, link_issued, notice_issued, until
from tests.service.notify.test_looking import ready


async def ask(notify: Running, method: str, path: str, *, type: StaffType = StaffType.OWNER, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {notify.token(RAY, type)}"} | more.pop("headers", {})
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, notify.url + path, headers=headers, **more) as got,
    ):
        return got.status, await got.json()


async def preview(notify: Running, **body: Any) -> Any:
    status, answer = await ask(notify, "POST", "/v1/previews", json=body)
    assert status == 200, answer
    return answer


@pytest_asyncio.fixture
async def office(notify: Running) -> Running:
    """notify, where tokens can be judged."""
    await until(lambda: ready(notify))
    return notify


def picture() -> bytes:
    """The smallest PNG that is a logo: sixteen pixels a side."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = (16).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 17 * 16)), chunk(b"IEND", b"")]
    )


@pytest.mark.checklist("N08")
async def test_every_template_of_the_list_can_be_looked_at_in_every_language(office: Running) -> None:
    status, listed = await ask(office, "GET", "/v1/templates")
    assert (status, listed["locales"]) == (200, [*LOCALES])
    assert {one["name"] for one in listed["templates"]} == TEMPLATES.keys()
    for locale in LOCALES:
        for one in listed["templates"]:
            for channel in one["channels"]:
                seen = await preview(office, template=one["name"], channel=channel, locale=locale)
                assert (seen["locale"], seen["segments"]) == (locale, 1 if channel == "sms" else None)
                assert seen["text"]
                assert bool(seen["html"]) == bool(seen["subject"]) == (channel == "email")


@pytest.mark.checklist("N08")
async def test_a_preview_sends_nothing_and_shows_no_real_code_or_link(office: Running) -> None:
    await office.publish(event := code_issued(office.clock))
    await office.row(event.code, "sent")
    real = office.gateway.sent[0]["Body"].split()[0]
    rows = await office.rows()
    for channel in ("email", "sms"):
        assert real not in str(await preview(office, template="code.login", channel=channel))
    links = re.findall(r"https?://[^\s\"<]+", (await preview(office, template="activate"))["html"])
    assert links
    assert all(link.startswith("https://id.acme.example/") for link in links)
    assert (await office.rows(), len(office.gateway.sent), office.mailbox.mails) == (rows, 1, [])


@pytest.mark.checklist("N08")
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/templates"), ("POST", "/v1/previews")])
async def test_previews_are_for_administrators(office: Running, method: str, path: str) -> None:
    body = {"json": {"template": "activate"}} if method == "POST" else {}
    assert (await ask(office, method, path, type=StaffType.STANDARD, **body))[0] == 403
    assert (await ask(office, method, path, type=StaffType.ADMINISTRATOR, **body))[0] == 200


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"template": "payment"}, "template_unknown"),
        ({"template": "layout"}, "template_unknown"),
        ({"template": "activate", "channel": "sms"}, "channel_unknown"),
    ],
)
async def test_what_there_is_not_can_not_be_looked_at(office: Running, body: dict[str, str], problem: str) -> None:
    status, answer = await ask(office, "POST", "/v1/previews", json=body)
    assert (status, answer["type"].rpartition(":")[2]) == (422, problem)


async def test_a_preview_has_the_organisations_look_and_what_is_not_saved_yet(office: Running) -> None:
    saved = {"name": "ACME", "colour": "#aa3300", "reply_to": "", "locale": "de"}
    assert (await ask(office, "PUT", "/v1/branding", json=saved))[0] == 200
    there = await preview(office, template="activate")
    assert (there["locale"], there["subject"]) == ("de", "Aktivieren Sie Ihr Konto bei ACME Crates")
    assert "#aa3300" in there["html"]
    tried = await preview(office, template="activate", branding=saved | {"colour": "#005500", "locale": "es"})
    assert tried["locale"] == "es"
    assert "#005500" in tried["html"]
    assert "#aa3300" not in tried["html"]
    assert (await preview(office, template="activate"))["html"] == there["html"], "nothing was saved"


async def test_a_logo_is_shown_in_the_page_itself(office: Running) -> None:
    content = picture()
    png = {"Content-Type": "image/png"}
    status, _ = await ask(office, "PUT", "/v1/branding/logo", data=content, headers=png)
    assert status == 200
    html = (await preview(office, template="reset"))["html"]
    assert f'src="data:image/png;base64,{base64.b64encode(content).decode()}"' in html
    assert "cid:" not in html


# --- real ones ------------------------------------------------------------------------------------------------


@pytest.mark.checklist("N07")
async def test_a_message_goes_in_its_persons_language_or_else_in_the_organisations(office: Running) -> None:
    look = {"name": "", "colour": "", "reply_to": "", "locale": "fr"}
    assert (await ask(office, "PUT", "/v1/branding", json=look))[0] == 200
    await office.publish(link_issued(office.clock))
    await office.publish(link_issued(office.clock, staff=RAY, locale="zh-TW"))
    await office.publish(code_issued(office.clock, "sms", locale="de-AT"))
    await office.publish(notice_issued(office.clock))
    await until(lambda: len(office.mailbox.mails) == 3 and len(office.gateway.sent) == 1)
    assert {mail["Subject"] for mail in office.mailbox.mails} == {
        "Activez votre compte ACME Crates",
        "啟用您在 ACME Crates 的帳號",
        "Connexion depuis un nouvel appareil – votre compte ACME Crates",
    }
    assert "ist Ihr Anmeldecode für ACME Crates" in office.gateway.sent[0]["Body"]
    assert all(row["org"] == ACME and row["staff"] in (JANE, RAY) for row in await office.rows())
