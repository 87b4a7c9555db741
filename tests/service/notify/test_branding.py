"""How an organisation's e-mails look: set by its administrators, checked, and seen in the next e-mail."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from services.notify.brand import brands
from services.notify.channels.port import LOGO_ID
from staffgate.contracts.caller import StaffType
from tests.service.notify.conftest import ACME, IDS, JANE, RAY, Running, code_issued, database_of, link_issued, until
from tests.service.notify.logos import JPEG, PNG, png

REBELS, LAYA = IDS.uuid(), IDS.uuid()
WHOLE = {"name": "ACME Crates", "colour": "#F2B600", "reply_to": "", "locale": "de"}


class Console:
    """An administrator's browser. Ray's, unless somebody else is named."""

    def __init__(self, notify: Running, session: aiohttp.ClientSession) -> None:
        self.notify = notify
        self._session = session

    async def __call__(
        self, method: str, path: str = "", *, staff: UUID = RAY, type: StaffType = StaffType.ADMINISTRATOR,
        org: UUID = ACME, fresh: bool = False, kind: str = "image/png", if_match: str | None = None, **body: Any,
    ) -> tuple[int, Any, str]:  # fmt: skip
        """Status, what was said, and its ETag."""
        headers = {"Authorization": f"Bearer {self.notify.token(staff, type, org, fresh=fresh)}"}
        headers |= {} if if_match is None else {"If-Match": if_match}
        if "data" in body:
            headers["Content-Type"] = kind
        url = f"{self.notify.url}/v1/branding{path}"
        async with self._session.request(method, url, headers=headers, **body) as response:
            return response.status, await response.json(content_type=None), response.headers.get("ETag", "")


@pytest_asyncio.fixture
async def console(notify: Running) -> AsyncIterator[Console]:
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            async with session.get(f"{notify.url}/readyz") as response:
                return response.status == 200

        await until(ready)
        yield Console(notify, session)


async def mail_to(notify: Running, address: str, count: int = 1) -> Any:
    await notify.mailbox.more_than(count - 1)
    return notify.mailbox.to(address)[-1]


async def test_without_a_brand_there_is_ours(console: Console) -> None:
    status, said, etag = await console("GET")
    assert status == 200
    assert said == {
        "name": "", "colour": "", "button": "#1f5fd0", "ink": "#ffffff", "reply_to": "", "locale": "en", "logo": None
    }  # fmt: skip
    assert etag == '"0"'


async def test_what_is_set_is_shown_with_what_becomes_of_it(console: Console) -> None:
    status, said, etag = await console("PUT", json=WHOLE)
    assert status == 200
    assert (said["colour"], said["button"], said["ink"]) == ("#f2b600", "#f2b600", "#000000")
    assert (said["name"], said["locale"]) == ("ACME Crates", "de")
    assert await console("GET") == (200, said, etag)


async def test_an_email_has_name_colour_logo_and_where_answers_go(console: Console) -> None:
    notify = console.notify
    await console("PUT", json=WHOLE | {"reply_to": "help@acme.example"}, fresh=True)
    await console("PUT", "/logo", data=PNG)
    await notify.publish(link_issued(notify.clock))
    mail = await mail_to(notify, "jane@acme.example")
    (who,) = mail["From"].addresses
    assert (who.display_name, who.addr_spec) == ("ACME Crates via Staffgate", "no-reply@staffgate.example")
    assert mail["Reply-To"] == "help@acme.example"
    html, picture = mail.get_body(("html",)).get_content(), [*mail.walk()][-1]
    assert f'src="cid:{LOGO_ID}"' in html
    assert "#f2b600" in html
    assert '<html lang="de"' in html
    assert (picture.get_content_type(), picture.get_content()) == ("image/png", PNG)


async def test_another_organisation_looks_as_it_did(console: Console) -> None:
    notify = console.notify
    await console("PUT", json=WHOLE)
    await notify.publish(link_issued(notify.clock, org=REBELS, staff=LAYA, to="laya@rebels.example"))
    mail = await mail_to(notify, "laya@rebels.example")
    assert mail["From"] == "Staffgate <no-reply@staffgate.example>"
    assert (await console("GET", staff=LAYA, org=REBELS))[1]["name"] == ""


async def test_a_change_is_seen_at_once_here_and_soon_elsewhere(console: Console) -> None:
    """Kept for five seconds: what was set in another process is seen after them."""
    notify = console.notify
    for number, name in enumerate(("First", "Second"), 1):
        await console("PUT", json=WHOLE | {"name": name})
        await notify.publish(link_issued(notify.clock, to="jane@acme.example"))
        assert (await mail_to(notify, "jane@acme.example", number))["From"].startswith(name)
    await notify.owner.execute("UPDATE brand SET name = 'Third' WHERE org = $1", ACME)
    await notify.publish(link_issued(notify.clock))
    assert (await mail_to(notify, "jane@acme.example", 3))["From"].startswith("Second")
    notify.clock.advance(seconds=5)
    await notify.publish(link_issued(notify.clock))
    assert (await mail_to(notify, "jane@acme.example", 4))["From"].startswith("Third")


async def test_no_more_brands_are_kept_than_there_is_room_for(notify: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brands, "_KEPT", 3)
    async with (db := database_of(notify)).opened():
        known = brands.Brands(db)
        for _ in range(10):
            assert await known.of(IDS.uuid()) == brands.PLAIN
        assert len(known._known) == 3


async def test_an_sms_has_no_brand_and_needs_none(console: Console) -> None:
    notify = console.notify
    await console("PUT", json=WHOLE | {"locale": "en"})
    code = code_issued(notify.clock)
    await notify.publish(code)
    await notify.row(code.code, "sent")
    assert "82461937" in notify.gateway.sent[0]["Body"]


# --- who, and against whom ------------------------------------------------------------------------------------


async def test_it_is_for_administrators(console: Console) -> None:
    for method, path, body in (("GET", "", {}), ("PUT", "", {"json": WHOLE}), ("PUT", "/logo", {"data": PNG}), ("DELETE", "/logo", {})):  # fmt: skip
        status, said, _ = await console(method, path, staff=JANE, type=StaffType.STANDARD, **body)
        assert (status, said["type"].rpartition(":")[2]) == (403, "administrators_only")
    assert await console.notify.owner.fetchval("SELECT count(*) FROM brand") == 0


async def test_where_answers_go_is_changed_by_who_showed_a_factor_just_now(console: Console) -> None:
    changed = WHOLE | {"reply_to": "help@acme.example"}
    status, said, _ = await console("PUT", json=changed)
    assert (status, said["type"].rpartition(":")[2]) == (401, "step_up_needed")
    assert (await console("PUT", json=changed, fresh=True))[0] == 200
    assert (await console("PUT", json=changed | {"colour": "#101010"}))[0] == 200  # that stays as it is
    assert (await console("PUT", json=WHOLE))[0] == 401  # and away is a change, too


async def test_who_was_slower_looks_again(console: Console) -> None:
    _, _, etag = await console("GET")
    assert (await console("PUT", json=WHOLE, if_match=etag))[0] == 200
    for method, path, body in (("PUT", "", {"json": WHOLE}), ("PUT", "/logo", {"data": PNG}), ("DELETE", "/logo", {})):
        status, said, _ = await console(method, path, if_match=etag, **body)
        assert (status, said["type"].rpartition(":")[2], said["etag"]) == (412, "changed_meanwhile", '"1"')
    assert (await console("PUT", json=WHOLE, if_match="*"))[0] == 200


async def test_of_many_at_once_with_one_etag_one_is_taken(console: Console) -> None:
    """The first row of all, and one that is there."""
    for _ in range(2):
        _, _, etag = await console("GET")
        ends = await asyncio.gather(*(console("PUT", json=WHOLE, if_match=etag) for _ in range(8)))
        assert sorted(status for status, *_ in ends) == [200] + [412] * 7


# --- what is refused ------------------------------------------------------------------------------------------


REFUSED = [
    ("name", "https://evil.example", "name_not_plain"),
    ("name", "ACME, see www.evil.example", "name_not_plain"),
    ("name", "ceo@bank.example", "name_not_plain"),
    ("name", "ACME\u202eetarC", "name_not_plain"),
    ("name", "two\nlines", "name_not_plain"),
    ("name", "x" * 61, "invalid"),
    ("colour", "red", "invalid"),
    ("colour", "#fff", "invalid"),
    ("colour", "#12345g", "invalid"),
    ("colour", '#123456";background:url(//evil.example)', "invalid"),
    ("colour", "#123456\n", "invalid"),
    ("reply_to", "help", "no_address"),
    ("reply_to", "help@acme.example\r\nBcc: all@evil.example", "no_address"),
    ("reply_to", "help@acme.example, all@evil.example", "no_address"),
    ("reply_to", "all:help@acme.example", "no_address"),
    ("locale", "tlh", "invalid"),
    ("text", "Click here", "invalid"),
]


@pytest.mark.checklist("N06")
async def test_nothing_but_a_name_a_colour_an_address_and_a_language(console: Console) -> None:
    for field, value, code in REFUSED:
        status, said, _ = await console("PUT", json=WHOLE | {field: value}, fresh=True)
        assert (status, said["type"].rpartition(":")[2]) == (422, code), (field, value)
    assert await console.notify.owner.fetchval("SELECT count(*) FROM brand") == 0


async def test_a_logo_is_a_picture_without_what_it_does_not_need(console: Console) -> None:
    for content, kind, size in ((PNG, "image/png", (96, 32)), (JPEG, "image/jpeg", (32, 24))):
        status, said, _ = await console("PUT", "/logo", data=content, kind=kind)
        assert status == 200
        assert (said["logo"]["type"], (said["logo"]["width"], said["logo"]["height"])) == (kind, size)
        assert base64.b64decode(said["logo"]["content"]) == content
    assert (await console("DELETE", "/logo"))[1]["logo"] is None
    status, said, _ = await console("DELETE", "/logo")
    assert (status, said["type"].rpartition(":")[2]) == (404, "no_logo")


NO_LOGOS = [
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", 422, "logo_unusable"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400, "wrong_content_type"),
    (b"GIF89a", "image/gif", 400, "wrong_content_type"),
    (PNG + b"<script>", "image/png", 422, "logo_unusable"),
    (PNG[:-4], "image/png", 422, "logo_unusable"),
    (png(4000, 20), "image/png", 422, "logo_unusable"),
    (b"", "image/png", 422, "logo_unusable"),
    (PNG + bytes(64 << 10), "image/png", 413, "too_large"),
]


async def test_what_is_no_logo_is_refused(console: Console) -> None:
    for content, kind, status, code in NO_LOGOS:
        answered, said, _ = await console("PUT", "/logo", data=content, kind=kind)
        assert (answered, said["type"].rpartition(":")[2]) == (status, code), content[:20]
    assert await console.notify.owner.fetchval("SELECT count(*) FROM brand") == 0


async def test_the_database_itself_keeps_organisations_apart(console: Console) -> None:
    await console("PUT", json=WHOLE)
    connection = await asyncpg.connect(console.notify.settings.database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM brand") == 0
        async with connection.transaction():
            await connection.execute(f"SET LOCAL app.org = '{REBELS}'")
            assert await connection.fetchval("SELECT count(*) FROM brand") == 0
        async with connection.transaction():
            await connection.execute(f"SET LOCAL app.org = '{ACME}'")
            assert await connection.fetchval("SELECT count(*) FROM brand") == 1
    finally:
        await connection.close()
