"""SMS over HTTP: what is asked of a provider, and what its answers, or their absence, mean for a message."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest
from aiohttp import web

from services.notify.channels.exchange import Exchange
from services.notify.channels.http import HttpProvider
from services.notify.channels.port import Accepted, Deferred, Outgoing, Provider, Rejected, Unsure
from services.notify.channels.twilio import TwilioProvider
from services.notify.provider.settings import AcceptedWhen, HttpSettings
from tests.service.notify.conftest import served
from tests.service.notify.test_tls import Certificate

ID = UUID("01990000-0000-7000-8000-0000000000ff")
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MESSAGE = Outgoing(id=ID, to="+61 400 000 000", text='82461937 "is" your {code} & €', sent_at=NOW)
PATH = "/2010-04-01/Accounts/AC1/Messages.json"


@dataclass
class Asked:
    headers: dict[str, str]
    body: bytes
    form: dict[str, str]


@dataclass
class Server:
    """Answers what it was told to, and keeps what it was asked."""

    status: int = 201
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(Asked(dict(request.headers), body, form))
        if self.hang_up:
            assert request.transport
            request.transport.abort()
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    def says(self, status: int, body: object) -> None:
        self.status, self.body = status, body if isinstance(body, bytes) else msgspec.json.encode(body)


@asynccontextmanager
async def server(**told: Any) -> AsyncIterator[Server]:
    one = Server(**told)
    async with served(web.route("*", "/{path:.*}", one.answer)) as one.port:
        yield one


def twilio(port: int, sender: str = "+61 400 111 111", **options: Any) -> TwilioProvider:
    return TwilioProvider("sms", f"http://AC1:the%20token@127.0.0.1:{port}", sender, **options)


def described(port: int, receipts: str = "", **changed: Any) -> HttpProvider:
    body = {"to": ["{to}"], "number": "{digits}", "content": {"text": "{text}", "kind": 7}, "ref": "{id}"}
    settings = HttpSettings(name="sms", url=f"http://127.0.0.1:{port}/v1/messages", json=body)
    return HttpProvider(msgspec.structs.replace(settings, **changed), receipts)


async def sent(provider: Provider, message: Outgoing = MESSAGE) -> Accepted:
    async with provider.opened():
        return await provider.send(message)


async def refused(provider: Provider) -> tuple[str, str]:
    """How it was refused, and what is kept of why."""
    with pytest.raises((Deferred, Unsure, Rejected)) as caught:
        await sent(provider)
    return caught.typename, str(caught.value)


# --- Twilio's interface ---------------------------------------------------------------------------------------


async def test_what_twilio_is_asked() -> None:
    async with server(body=b'{"sid": "SM1"}') as one:
        receipts = "https://notify.acme.example/v1/receipts/sms"
        provider = twilio(one.port, receipts=receipts, idempotency_header="Idempotency-Key")
        message = msgspec.structs.replace(MESSAGE, expires_at=NOW + timedelta(minutes=10))
        assert await sent(provider, message) == Accepted(answer="201 SM1", reference="SM1")
    (asked,) = one.asked
    assert asked.form == {
        "To": "+61400000000",
        "From": "+61400111111",
        "Body": MESSAGE.text,
        "StatusCallback": f"{receipts}?delivery={ID}",
        "ValidityPeriod": "600",
    }
    assert asked.headers["Authorization"] == aiohttp.encode_basic_auth("AC1", "the token")
    assert asked.headers["Idempotency-Key"] == str(ID)


@pytest.mark.parametrize(
    ("sender", "field"),
    [
        ("MG0123456789abcdef0123456789abcdef", {"MessagingServiceSid": "MG0123456789abcdef0123456789abcdef"}),
        ("Staff gate", {"From": "Staff gate"}),
        ("12345", {"From": "12345"}),
    ],
)
async def test_who_it_is_from(sender: str, field: dict[str, str]) -> None:
    async with server() as one:
        await sent(twilio(one.port, sender))
    assert one.asked[0].form == {"To": "+61400000000", "Body": MESSAGE.text} | field


@pytest.mark.parametrize(("seconds", "said"), [(0.5, "1"), (59.9, "59"), (7 * 86_400, "36000")])
async def test_how_long_it_is_of_use_stays_within_what_twilio_takes(seconds: float, said: str) -> None:
    async with server() as one:
        await sent(twilio(one.port), msgspec.structs.replace(MESSAGE, expires_at=NOW + timedelta(seconds=seconds)))
    assert one.asked[0].form["ValidityPeriod"] == said


@pytest.mark.checklist("M06")
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": 21211}, "Unreachable"),  # no such number
        (400, {"code": 21610}, "Unreachable"),  # opted out
        (400, {"code": 21635}, "Rejected"),  # a landline
        (403, {"code": 21610}, "Unreachable"),
        (500, {"code": 30005}, "Unreachable"),
        (400, {"code": 99999}, "Rejected"),
        (404, b"", "Rejected"),
        (400, {"code": 21408}, "Elsewhere"),  # not to this country from here
        (400, {"code": 21612}, "Elsewhere"),  # not to this number
        (400, {"code": 21601}, "Down"),  # the sender is not ours
        (401, {"code": 20003}, "Down"),
        (429, {"code": 20429}, "Down"),
        (429, b"", "Down"),
        (500, b"", "Down"),
        (503, b"", "Down"),
        (301, b"", "Down"),
        (502, b"<html>", "Unsure"),
        (504, b"", "Unsure"),
    ],
)
async def test_what_twilio_answers(status: int, body: object, kind: str) -> None:
    async with server(headers={"Retry-After": "7", "Location": "/elsewhere"}) as one:
        one.says(status, body)
        assert (await refused(twilio(one.port)))[0] == kind
    assert len(one.asked) == 1  # redirects are not followed


DEEP = b'{"status": 0, "more": ' + b"[" * 60_000


@pytest.mark.parametrize("body", [b"", b"<html>", DEEP, b'{"sid": 7}'])
async def test_an_answer_that_can_not_be_read_is_an_answer(body: bytes) -> None:
    async with server(body=body) as one:
        assert await sent(twilio(one.port)) == Accepted(answer="201", reference="")
        one.status = 400
        assert (await refused(twilio(one.port)))[0] == "Rejected"


async def test_an_answer_that_never_ends_is_read_as_far_as_it_may_matter() -> None:
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 10_000)
        finally:
            ended.set()

    async with served(web.post(PATH, endless)) as port, asyncio.timeout(5):
        assert await sent(twilio(port)) == Accepted(answer="201", reference="")
        await ended.wait()


# --- a provider that the operator has described ---------------------------------------------------------------


async def test_what_a_described_provider_is_asked() -> None:
    """Values are filled into the structure, so that no text can change it."""
    async with server() as one:
        headers = {"Authorization": "Bearer the-secret", "X-Reference": "{id}/{digits}"}
        await sent(described(one.port, headers=headers, idempotency_header="Idempotency-Key"))
    (asked,) = one.asked
    assert msgspec.json.decode(asked.body) == {
        "to": ["+61400000000"],
        "number": "61400000000",
        "content": {"text": MESSAGE.text, "kind": 7},
        "ref": str(ID),
    }
    expected = {
        "Authorization": "Bearer the-secret",
        "X-Reference": f"{ID}/61400000000",
        "Idempotency-Key": str(ID),
        "Content-Type": "application/json",
    }
    assert expected.items() <= asked.headers.items()


async def test_a_described_provider_takes_a_form() -> None:
    form = {"to": "{to}", "msg": "{text}", "from": "{from}", "dlr": "{receipts}"}
    async with server() as one:
        provider = described(one.port, "https://n.example/v1/receipts/sms", json=None, form=form, sender="Staffgate")
        await sent(provider)
    assert one.asked[0].form == {
        "to": "+61400000000",
        "msg": MESSAGE.text,
        "from": "Staffgate",
        "dlr": f"https://n.example/v1/receipts/sms?delivery={ID}",
    }


async def test_a_body_may_be_of_a_kind_of_its_own() -> None:
    async with server() as one:
        await sent(described(one.port, headers={"content-type": "application/vnd.acme+json"}))
    assert one.asked[0].headers["Content-Type"] == "application/vnd.acme+json"


async def test_where_it_says_what_it_calls_the_message() -> None:
    async with server(status=202, body=b'{"messages": [{"id": "m-1"}]}') as one:
        accepted = await sent(described(one.port, reference_at="/messages/0/id"))
    assert accepted == Accepted(answer="202 m-1", reference="m-1")


JUDGING: dict[str, Any] = {
    "accepted": AcceptedWhen(statuses=frozenset({200}), at="/status", values=["0", "queued"]),
    "code_at": "/error/code",
    "permanent": ["7", "opted-out"],
}


@pytest.mark.parametrize("body", [{"status": 0}, {"status": "queued"}, {"status": 0, "error": {"code": 7}}])
async def test_what_counts_as_accepted(body: object) -> None:
    async with server() as one:
        one.says(200, body)
        assert await sent(described(one.port, **JUDGING))


@pytest.mark.checklist("M06")
@pytest.mark.parametrize(
    ("status", "body", "kind", "answer"),
    [
        (200, {"status": 9, "error": {"code": 7}}, "Rejected", "200 error 7"),
        (400, {"error": {"code": "opted-out"}}, "Rejected", "400 error opted-out"),
        (400, {"error": {"code": "no-route"}}, "Elsewhere", "400 error no-route"),
        (200, {"status": 9, "error": {"code": "no-route"}}, "Elsewhere", "200 error no-route"),
        (401, {"error": {"code": "no-route"}}, "Down", "401 error no-route"),
        (403, {"error": {"code": "no-route"}}, "Down", "403 error no-route"),
        (429, {"error": {"code": "no-route"}}, "Down", "429 error no-route"),
        (503, {"error": {"code": "no-route"}}, "Down", "503 error no-route"),
        (502, {"error": {"code": "no-route"}}, "Down", "502 error no-route"),
        (200, {"status": "9"}, "Down", "200 9"),
        (200, {}, "Unsure", "200, and nothing that says whether it was taken"),
        (200, b"<html>", "Unsure", "200, and nothing that says whether it was taken"),
        (200, DEEP, "Unsure", "200, and nothing that says whether it was taken"),
        (204, b"", "Unsure", "204, and nothing that says whether it was taken"),
        (202, {"status": 0}, "Unsure", "202, and nothing that says whether it was taken"),
        (400, b"", "Rejected", "400"),
        (401, b"", "Down", "401"),
        (429, b"", "Down", "429"),
        (500, {"status": "+61 400 000 000 is not there"}, "Down", "500 *** is not there"),
        (502, b"", "Unsure", "502"),
        (302, b"", "Down", "302"),
    ],
)
async def test_what_a_described_provider_answers(status: int, body: object, kind: str, answer: str) -> None:
    async with server(headers={"Location": "/elsewhere"}) as one:
        one.says(status, body)
        assert await refused(described(one.port, **JUDGING)) == (kind, answer)
    assert len(one.asked) == 1


@pytest.mark.parametrize("number", ["0400 000 000", "+61;ext=1", "+", "+()-- ", "+0400000000", "+61400000000000000"])
async def test_a_number_has_to_be_one(number: str) -> None:
    async with server() as one:
        for provider in (twilio(one.port), described(one.port)):
            with pytest.raises(Rejected):
                await sent(provider, msgspec.structs.replace(MESSAGE, to=number))
    assert not one.asked


# --- no answer ------------------------------------------------------------------------------------------------


async def test_nobody_there_is_certain_and_a_lost_answer_is_not() -> None:
    async with server(hang_up=True) as one:
        for provider in (twilio(one.port), described(one.port)):
            assert (await refused(provider))[0] == "Unsure"
    assert len(one.asked) == 2
    for provider in (twilio(one.port), described(one.port)):
        assert (await refused(provider))[0] == "Down"


async def test_an_answer_that_is_cut_off_leaves_it_open() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
        writer.close()

    listening = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        assert (await refused(twilio(port)))[0] == "Unsure"


async def test_one_who_does_not_answer_leaves_it_open() -> None:
    hung = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await hung.wait()
        return web.Response()

    async with served(web.post(PATH, hang)) as port:
        provider = twilio(port)
        provider._exchange = Exchange(aiohttp.ClientTimeout(total=0.2, connect=5))
        assert await refused(provider) == ("Unsure", "no answer: TimeoutError")
        hung.set()


@pytest.mark.checklist("M08")
async def test_a_handshake_that_is_never_finished_is_nobody_there() -> None:
    """Nothing was said yet, and it is known in time to ask another one within five seconds."""
    seen = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set()
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        provider = TwilioProvider("sms", f"https://AC1:token@127.0.0.1:{port}", "Staffgate")
        async with asyncio.timeout(4.5):
            assert await refused(provider) == ("Down", "no connection: ConnectionTimeoutError")
        assert seen.is_set()


async def test_a_certificate_that_nobody_vouches_for_ends_it(unvouched: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    listening = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=unvouched)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        provider = TwilioProvider("sms", f"https://AC1:token@127.0.0.1:{port}", "Staffgate")
        assert await refused(provider) == ("Down", "no connection: ClientConnectorCertificateError")
    assert not any(heard)


@pytest.fixture
def unvouched(tmp_path: Path) -> ssl.SSLContext:
    return Certificate(tmp_path, "127.0.0.1").server()
