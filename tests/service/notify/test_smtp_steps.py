"""What became of an e-mail, by the step at which something went wrong: not taken, for sure, or perhaps taken."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.notify.channels import connections, email
from services.notify.channels.email import SmtpProvider
from services.notify.channels.port import Deferred, Down, Outgoing, Rejected, Unreachable, Unsure
from tests.service.notify.scripted import HANG_UP, SILENCE, Script, scripted_server
from tests.unit.notify.reports.samples import TOKENS

MESSAGE = Outgoing(
    id=UUID("01990000-0000-7000-8000-000000000001"),
    to="jane@acme.example",
    subject="Hello",
    text="text\n.\n..dots\n",
    html="<p>text</p>",
    sent_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
)


def provider(url: str) -> SmtpProvider:
    return SmtpProvider(
        "mail", url, "Staffgate <no-reply@staffgate.example>", TOKENS, bounces_to="bounces@staffgate.example"
    )


async def outcome(script: Script, message: Outgoing = MESSAGE) -> BaseException | str:
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        try:
            return (await channel.send(message)).answer
        except Exception as fault:
            return fault


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, a tenth of a second each."""
    monkeypatch.setattr(connections, "_TO_CONNECT", 0.1)
    monkeypatch.setattr(email, "_TO_BEGIN", 0.1)


async def test_an_email_goes_out_step_by_step() -> None:
    script = Script(extensions=("SIZE 1000000", "DSN"))
    assert await outcome(script) == "250 2.0.0 Ok: queued as 4F1A2B"
    content = script.taken[0]
    size = len(content.replace(b"\r\n..", b"\r\n.")) - 3
    assert script.heard == [
        "EHLO",
        f"MAIL FROM:<bounces@staffgate.example> SIZE={size} RET=HDRS ENVID={TOKENS.name(MESSAGE.id)}",
        "RCPT TO:<jane@acme.example>",
        "DATA",
        "QUIT",
    ]
    assert b"\r\n..\r\n" in content
    assert b"\r\n...dots\r\n" in content


# --- what a loss means ----------------------------------------------------------------------------------------


@pytest.mark.checklist("M08")
@pytest.mark.parametrize("how", [HANG_UP, SILENCE])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.usefixtures("impatient")
async def test_what_is_lost_before_the_content_has_not_been_taken(step: str, how: str) -> None:
    assert isinstance(await outcome(Script({step: [how]})), Down)


@pytest.mark.checklist("M04")
@pytest.mark.parametrize("how", [HANG_UP, SILENCE, "hello?", "354 what?"])
async def test_what_is_lost_after_the_content_may_have_been_taken(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(email, "_TO_TAKE", 0.3)
    assert isinstance(await outcome(Script({"content": [how]})), Unsure)


async def test_what_is_lost_within_the_content_has_not_been_taken() -> None:
    """The end of it goes out by itself, when all the rest has gone."""
    size = 24 << 20  # more than two kernels keep for each other
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            if line == b"DATA\r\n":
                writer.write(b"354 go on\r\n")
                await reader.readexactly(1000)
                writer.transport.abort()
                break
            writer.write(b"250 Ok\r\n")
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with (
        server,
        (channel := provider(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none")).opened(),
    ):
        with pytest.raises(Down):
            await channel.send(msgspec.structs.replace(MESSAGE, text="long " * (size // 5)))
        await closed.wait()


@pytest.mark.checklist("M08")
async def test_a_server_that_says_nothing_is_given_up_within_five_seconds() -> None:
    began = time.monotonic()
    assert isinstance(await outcome(Script({"RCPT": [SILENCE]})), Down)
    assert time.monotonic() - began < 5


@pytest.mark.checklist("M08")
@pytest.mark.parametrize(("module", "limit"), [(connections, "_TO_CONNECT"), (email, "_TO_BEGIN")])
async def test_many_slow_answers_are_too_slow_together(
    monkeypatch: pytest.MonkeyPatch, module: Any, limit: str
) -> None:
    """Each step by itself would be in time."""
    monkeypatch.setattr(module, limit, 0.3)
    assert isinstance(await outcome(Script(thinks=0.2)), Down)


# --- what an answer means -------------------------------------------------------------------------------------

OF_THE_SERVER = [
    ("greeting", "554 5.7.1 go away"), ("greeting", "421 4.3.2 closing"), ("EHLO", "550 who are you"),
    ("MAIL", "421 4.3.2 closing"), ("MAIL", "451 4.3.0 later"), ("MAIL", "452 4.3.1 no room"),
    ("MAIL", "530 5.7.0 log in first"), ("MAIL", "550 5.7.1 you may not send as this"), ("MAIL", "503 what?"),
    ("RCPT", "421 4.7.0 closing"), ("RCPT", "454 4.7.0 too fast"), ("RCPT", "530 5.7.0 log in first"),
    ("RCPT", "451 4.3.5 misconfigured"), ("RCPT", "450 4.4.2 no connection behind"), ("DATA", "421 closing"),
    ("content", "421 4.3.0 closing"), ("content", "454 4.7.0 throttled"), ("content", "452 4.3.1 no room"),
]  # fmt: skip
OF_THE_MESSAGE = [
    ("RCPT", "450 4.2.0 greylisted"), ("RCPT", "451 4.7.1 try again later"), ("RCPT", "452 4.2.2 mailbox full"),
    ("DATA", "451 later"), ("content", "450 4.2.0 busy"), ("content", "451 4.7.1 looking at it"), ("content", "452 full"),
]  # fmt: skip
NOBODY_THERE = [
    ("RCPT", "550 5.1.1 nobody of that name"), ("RCPT", "553 5.1.3 no address"), ("RCPT", "556 5.1.10 takes no mail"),
]  # fmt: skip
FOR_EVER = [
    ("MAIL", "552 5.3.4 too large"), ("RCPT", "550 5.7.1 not from you"), ("RCPT", "550 nobody says why"), ("DATA", "554 no valid recipients"), ("content", "552 5.3.4 too large"),
    ("content", "554 5.7.1 spam"), ("content", "550 5.7.26 not signed"),
]  # fmt: skip


@pytest.mark.checklist("M06", "M08")
@pytest.mark.parametrize(
    ("step", "answer", "meaning"),
    [
        *[(*one, Down) for one in OF_THE_SERVER],
        *[(*one, Deferred) for one in OF_THE_MESSAGE],
        *[(*one, Unreachable) for one in NOBODY_THERE],
        *[(*one, Rejected) for one in FOR_EVER],
    ],
)
async def test_an_answer_is_about_the_server_or_the_message_now_or_for_ever(
    step: str, answer: str, meaning: type[Exception]
) -> None:
    fault = await outcome(Script({step: [answer]}))
    assert type(fault) is meaning
    assert str(fault) == answer


@pytest.mark.checklist("N09")
async def test_an_international_address_takes_a_server_that_knows_them() -> None:
    international = msgspec.structs.replace(MESSAGE, to="用户@acme.example")
    assert isinstance(await outcome(Script(), international), Rejected)
    script = Script(extensions=("SMTPUTF8",))
    assert str(await outcome(script, international)).startswith("250 ")
    assert script.heard[1:3] == ["MAIL FROM:<bounces@staffgate.example> SMTPUTF8", "RCPT TO:<用户@acme.example>"]


# --- connections ----------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again_even_after_a_refusal() -> None:
    script = Script({"RCPT": ["250 Ok", "550 5.1.1 nobody"], "content": ["250 Ok", "451 4.7.1 later"]})
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        await channel.send(MESSAGE)
        with pytest.raises(Rejected):
            await channel.send(MESSAGE)
        with pytest.raises(Deferred):
            await channel.send(MESSAGE)
        await channel.send(MESSAGE)
    assert script.connections == 1
    assert script.heard.count("RSET") == 1


@pytest.mark.parametrize("how", [HANG_UP, SILENCE, "421 4.4.2 idle for too long"])
async def test_a_kept_connection_that_is_dead_is_replaced_at_once(how: str) -> None:
    script = Script({"MAIL": ["250 Ok", how]})
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        await channel.send(MESSAGE)
        assert (await channel.send(MESSAGE)).answer.startswith("250 ")
    assert script.connections == 2
    assert len(script.taken) == 2


async def test_a_connection_that_was_hung_up_is_not_tried_again() -> None:
    script = Script()
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        for _ in range(3):
            await channel.send(MESSAGE)
            script.hang_up()
    assert len(script.taken) == 3


async def test_one_failure_to_connect_is_everybodys_who_waited_for_it() -> None:
    """Of forty messages a server that is down sees four, and nobody waits for more than one of them."""
    script = Script({"greeting": [SILENCE] * 100})
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        began = time.monotonic()
        ends = await asyncio.gather(*(channel.send(MESSAGE) for _ in range(40)), return_exceptions=True)
        assert time.monotonic() - began < 5
    assert {type(end) for end in ends} == {Down}
    assert script.connections == connections._CONNECTING


async def test_there_are_never_more_connections_than_are_wanted() -> None:
    script, most = Script(), 0

    class Counting(Script):
        async def serve(self, *streams: Any) -> None:
            nonlocal most
            most = max(most, len(self.open) + 1)
            await super().serve(*streams)

    script = Counting()
    async with scripted_server(script) as url, (channel := provider(url)).opened():
        await asyncio.gather(*(channel.send(MESSAGE) for _ in range(100)))
    assert len(script.taken) == 100
    assert most <= connections._MOST
