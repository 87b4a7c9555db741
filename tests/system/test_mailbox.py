"""The development mailbox: e-mail by SMTP, SMS as Twilio takes them, kept through a kill."""

from __future__ import annotations

import asyncio
import base64
import hmac
from email.message import EmailMessage

import aiohttp
import aiosmtplib
import pytest
from aiohttp import web

from deploy.local.keys import Keys
from deploy.local.ports import HOST
from tests.system.bare import Bare, suite

__all__ = ["suite"]


async def messages(suite: Bare, **asked: str) -> list[dict[str, str]]:
    async with aiohttp.ClientSession() as http, http.get(suite.record.urls["mailbox"] + "/messages", params=asked) as r:
        return list(await r.json())


async def put_faults(suite: Bare, **faults: object) -> None:
    url = suite.record.urls["mailbox"] + "/faults"
    async with aiohttp.ClientSession() as http, http.put(url, json=faults) as response:
        assert response.status == 200


async def send_mail(suite: Bare, to: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Staffgate <no-reply@staffgate.localhost>", to, "Grüße <b>"
    mail["Message-ID"] = "<one@staffgate.localhost>"
    mail.set_content("Öffnen: http://127.0.0.1/x?a=1&b=2.\n<script>alert(1)</script>")
    mail.add_alternative("<p onclick='x'>Hallo</p>", subtype="html")
    await aiosmtplib.send(mail, hostname=HOST, port=suite.base + 6)


async def send_sms(suite: Bare, password: str | None = None, **form: str) -> tuple[int, dict[str, object]]:
    sid, token = Keys(suite.state).sms_account()
    url = f"{suite.record.urls['mailbox']}/2010-04-01/Accounts/{sid}/Messages.json"
    headers = {"Authorization": "Basic " + base64.b64encode(f"{sid}:{password or token}".encode()).decode()}
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, data=form) as response:
        return response.status, await response.json()


async def test_mail_comes_in_by_smtp_and_out_as_json_and_on_the_page(suite: Bare) -> None:
    await send_mail(suite, "jane@example.com")
    (mail,) = await messages(suite, to="JANE@example.com")
    assert mail["kind"] == "email"
    assert mail["subject"] == "Grüße <b>"
    assert mail["text"].startswith("Öffnen: http://127.0.0.1/x?a=1&b=2.\n")
    assert mail["html"].startswith("<p onclick='x'>Hallo</p>")
    assert mail["message_id"] == "<one@staffgate.localhost>"
    async with aiohttp.ClientSession() as http, http.get(suite.record.urls["mailbox"]) as response:
        page = await response.text()
    assert "<script>alert(1)" not in page
    assert 'href="http://127.0.0.1/x?a=1&amp;b=2"' in page
    assert "&lt;p onclick=&#39;x&#39;&gt;Hallo" in page
    assert await messages(suite, since=str(mail["id"])) == []


async def test_sms_come_in_as_twilio_takes_them(suite: Bare) -> None:
    status, accepted = await send_sms(suite, To="+4915112345678", From="Staffgate", Body="Your code is 123456")
    assert status == 201
    assert accepted["status"] == "queued"
    assert str(accepted["sid"]).startswith("SM")
    (sms,) = await messages(suite, kind="sms", to="+4915112345678")
    assert sms["text"] == "Your code is 123456"
    status, refused = await send_sms(suite, To="0151", From="Staffgate", Body="x")
    assert (status, refused["code"]) == (400, 21211)
    status, refused = await send_sms(suite, password="wrong", To="+4915112345678", From="Staffgate", Body="x")
    assert (status, refused["code"]) == (401, 20003)


async def test_an_sms_is_acknowledged_as_twilio_does(suite: Bare) -> None:
    """Signed with the account's token, at the address that came with the message."""
    heard: asyncio.Queue[tuple[str, str, dict[str, str]]] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        heard.put_nowait((request.path_qs, request.headers["X-Twilio-Signature"], fields))
        return web.Response(status=204)

    runner = web.AppRunner(app := web.Application())
    app.add_routes([web.post("/heard", hear)])
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    place = f"http://{HOST}:{runner.addresses[0][1]}"
    try:
        url = f"{place}/heard?delivery=1"
        _, accepted = await send_sms(suite, To="+4915112345678", From="Staffgate", Body="x", StatusCallback=url)
        path, signature, fields = await asyncio.wait_for(heard.get(), 30)
    finally:
        await runner.cleanup()
    assert (path, fields["MessageStatus"], fields["MessageSid"]) == ("/heard?delivery=1", "delivered", accepted["sid"])
    text = url + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(Keys(suite.state).sms_account()[1].encode(), text.encode(), "sha1").digest()
    assert base64.b64decode(signature) == digest


async def test_a_picture_that_an_email_brings_along_is_shown(suite: Bare) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Staffgate <no-reply@staffgate.localhost>", "logo@example.com", "Logo"
    mail.set_content("text")
    mail.add_alternative('<img src="cid:logo@x">', subtype="html")
    html = mail.get_body(("html",))
    assert html is not None
    html.add_related(b"\x89PNG", "image", "png", cid="<logo@x>")
    await aiosmtplib.send(mail, hostname=HOST, port=suite.base + 6)
    (kept,) = await messages(suite, to="logo@example.com")
    assert kept["html"].strip() == '<img src="data:image/png;base64,iVBORw==">'


async def test_the_mailbox_fails_as_it_is_told(suite: Bare) -> None:
    await put_faults(suite, smtp="451", sms=500)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await send_mail(suite, "later@example.com")
    assert refusal.value.recipients[0].code == 451
    assert (await send_sms(suite, To="+4915112345678", From="Staffgate", Body="x"))[0] == 500
    await put_faults(suite)
    await send_mail(suite, "later@example.com")
    assert len(await messages(suite, to="later@example.com")) == 1


async def test_what_the_mailbox_accepted_is_there_after_a_kill(suite: Bare) -> None:
    await send_mail(suite, "kept@example.com")
    killed = suite.kill("mailbox")
    await asyncio.to_thread(suite.await_return, "mailbox", killed)
    assert len(await messages(suite, to="kept@example.com")) == 1
    async with aiohttp.ClientSession() as http, http.delete(suite.record.urls["mailbox"] + "/messages") as response:
        assert response.status == 204
    assert await messages(suite) == []
