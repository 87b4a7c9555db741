"""What leaves, and what is kept of the answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from services.notify.channels.connections import Server
from services.notify.channels.port import Outgoing, Rejected, fit_to_keep
from services.notify.channels.twilio import TwilioProvider

ID = UUID("01990000-0000-7000-8000-000000000001")


def outgoing(**changed: str) -> Outgoing:
    message = Outgoing(
        id=ID,
        to="jane@acme.example",
        subject="Hello",
        text="text",
        html="<p>text</p>",
        sent_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
    )
    return msgspec.structs.replace(message, **changed)


async def test_a_number_has_to_be_one() -> None:
    channel = TwilioProvider("sms", "http://AC1:secret@127.0.0.1:9", "Staffgate")
    async with channel.opened():
        for number in ("0400 000 000", "+61\r\nFrom: x", "", "+61;ext=1"):
            with pytest.raises(Rejected):
                await channel.send(outgoing(to=number))


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.acme.example", ("mail.acme.example", 587, None, None, "starttls")),
        ("smtp://mail.acme.example:25?tls=none", ("mail.acme.example", 25, None, None, "none")),
        ("smtps://us%40er:p%3Aw@mail.acme.example", ("mail.acme.example", 465, "us@er", "p:w", "from the start")),
        ("smtp://u:p@[::1]:2525/?tls=starttls", ("::1", 2525, "u", "p", "starttls")),
    ],
)
def test_servers_are_named_by_url(url: str, server: tuple[object, ...]) -> None:
    assert msgspec.structs.astuple(Server.at(url)) == server


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("550 5.1.1 <jane@acme.example>: no such user", "550 5.1.1 *** no such user"),
        ("250 2.0.0 Ok: queued as 4F1A2B3C4D", "250 2.0.0 Ok: queued as 4F1A2B3C4D"),
        ("400 error 21211 The 'To' number +61 400 000 000 is not valid", "400 error 21211 The 'To' number *** is not valid"),
        ("554 spam: code 82461937, see https://id.acme.example/activate?token=Zm9v", "554 spam: code ***, see ***"),
        ("451 try\r\nagain\x1b[31m later", "451 try again [31m later"),
        ("x" * 500, "x" * 200),
    ],
)  # fmt: skip
def test_answers_are_kept_without_what_is_private(answer: str, kept: str) -> None:
    assert fit_to_keep(answer) == kept


def test_an_answer_without_end_is_looked_at_in_no_time() -> None:
    """A bounce can quote a word of any length, and what is private is looked for in the square of that."""
    began = time.process_time()
    assert fit_to_keep("smtp; " + "a" * 60_000) == "smtp;"
    assert fit_to_keep("no " * 400 + "jane@acme.example " + "b" * 60_000).startswith("no no")
    assert time.process_time() - began < 1
