"""The e-mail as it leaves: whole, ours, and with nothing in a header that does not belong there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.letter import Letter, Sender, address, written
from services.notify.channels.port import LOGO_ID, Outgoing, Picture, Rejected
from tests.unit.notify.reports.samples import TOKENS

ID = UUID("01990000-0000-7000-8000-000000000001")
SENDER = Sender("Staffgate <no-reply@staffgate.example>", TOKENS, "bounces@staffgate.example")
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
    "Content-Type",
]  # fmt: skip
BREAKS = ["\r\nBcc: all@evil.example", "\nX: y", "\rX: y", "\0", "\x1b[31m", "\u2028X: y", "\x85X: y", "\ud800"]


def outgoing(**changed: Any) -> Outgoing:
    message = Outgoing(
        id=ID,
        to="jane@acme.example",
        subject="Hello",
        text="text",
        html="<p>text</p>",
        sent_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
    )
    return msgspec.structs.replace(message, **changed)


def received(message: Outgoing, sender: Sender = SENDER) -> EmailMessage:
    return parsed(written(message, sender))


def parsed(letter: Letter) -> EmailMessage:
    mail = message_from_string(letter.content.decode(), policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.checklist("N09")
def test_the_letter_is_whole_and_ready_to_be_signed() -> None:
    letter = written(outgoing(text="Zoë\r.\n.", html="<p>Zoë " + "x" * 2000 + "</p>"), SENDER)
    mail = received(outgoing(text="Zoë"))
    assert mail.keys() == HEADERS
    assert (mail["From"], mail["To"]) == ("Staffgate <no-reply@staffgate.example>", "jane@acme.example")
    assert mail["Message-ID"].strip() == f"<{TOKENS.name(ID)}@staffgate.example>"
    assert mail["Date"] == "Sun, 22 Nov 2026 09:00:00 +0000"
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert letter.sender == "bounces@staffgate.example"
    # Nothing that a server on the way would have to re-code: DKIM signs what it looks like now.
    assert letter.content.isascii()
    assert max(map(len, letter.content.split(b"\r\n"))) <= 78
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", letter.content)
    assert letter.content.endswith(b"--\r\n")


@pytest.mark.checklist("M04")
def test_the_same_message_is_the_same_letter_however_often_it_is_tried() -> None:
    headers = [received(outgoing(sent_at=datetime(2026, 11, 22, hour, tzinfo=UTC)))["Message-ID"] for hour in (9, 10)]
    assert headers[0] == headers[1]


def test_without_an_address_for_bounces_they_go_to_the_sender() -> None:
    assert written(outgoing(), Sender("no-reply@staffgate.example", TOKENS)).sender == "no-reply@staffgate.example"


@pytest.mark.parametrize(
    "setting", ["", "Staffgate", "Staffgate <no-reply>", "Zoë <zoë@acme.example>", "a@b@c.example"]
)
def test_a_sender_that_no_server_takes_is_noticed_at_the_start(setting: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Sender(setting, TOKENS)
    with pytest.raises(ValueError, match="address"):
        Sender("no-reply@acme.example", TOKENS, setting or "nobody")


def test_a_senders_domain_is_as_the_dns_has_it() -> None:
    assert Sender("Staffgate <no-reply@bücher.example>", TOKENS).domain == "xn--bcher-kva.example"


# --- whose it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "Staffgate"),
        ("ACME Crates", "ACME Crates via Staffgate"),
        ("頂點箱業", "頂點箱業 via Staffgate"),
        ("Mr. Vada, Inc.", "Mr. Vada, Inc. via Staffgate"),
        ("ceo@bank.example", "ceo bank.example via Staffgate"),
        ("ceo＠bank.example", "ceo bank.example via Staffgate"),
        ('"Bank" <ceo@bank.example>', "Bank ceo bank.example via Staffgate"),
        ("A\r\nBcc: all@evil.example", "A Bcc: all evil.example via Staffgate"),
        ("right\u202eto left", "right to left via Staffgate"),
        ("x" * 200, "x" * 60 + " via Staffgate"),
    ],
)
def test_an_organisation_stands_before_the_sender_and_never_in_its_place(name: str, shown: str) -> None:
    mail = received(outgoing(sender_name=name))
    (who,) = mail["From"].addresses
    assert (who.display_name, who.addr_spec) == (shown, "no-reply@staffgate.example")


def test_answers_go_where_the_organisation_wants_them() -> None:
    assert received(outgoing(reply_to="help@acme.example"))["Reply-To"] == "help@acme.example"
    assert received(outgoing())["Reply-To"] is None


def test_a_logo_comes_along_with_the_page_that_shows_it() -> None:
    mail = received(outgoing(logo=Picture(content=b"\x89PNG...", subtype="png")))
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    *_, picture = mail.walk()
    assert picture["Content-ID"] == f"<{LOGO_ID}>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_payload(decode=True) == b"\x89PNG..."


# --- nothing in a header that does not belong there -----------------------------------------------------------


@pytest.mark.checklist("N05")
@pytest.mark.parametrize("field", ["to", "subject", "reply_to"])
@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_no_field_makes_a_header(field: str, broken: str, place: str) -> None:
    sound = {"to": "jane@acme.example", "subject": "Hello", "reply_to": "help@acme.example"}[field]
    with pytest.raises(Rejected):
        written(outgoing(**{field: sound + broken if place == "after" else broken + sound}), SENDER)


@pytest.mark.checklist("N05")
@pytest.mark.parametrize("field", ["text", "html"])
@pytest.mark.parametrize("broken", ["\0", "\ud800"])
def test_no_text_holds_what_is_no_text(field: str, broken: str) -> None:
    with pytest.raises(Rejected):
        written(outgoing(**{field: f"a{broken}b"}), SENDER)


@pytest.mark.checklist("N05")
@pytest.mark.parametrize(
    "to",
    [
        "jane@acme.example, all@evil.example", "jane@acme.example,", "<jane@acme.example> SIZE=1", "jane", "", "@", "a@b",
        "Jane <jane@acme.example>", "jane@acme.example>", "all:jane@acme.example", "jane@acme.example (Jane)",
        "jane@@acme.example", "jane@acme..example", "jane@-acme.example", "jane@acme.example.", "jane@[127.0.0.1]",
        "jane@acme\uff0cevil.example", "jane@\u202eacme.example", "ja\u202ene@acme.example", "jane@xn--.example",
        "\"jane doe\"@acme.example", "jane@acme.example\u00a0", "jane@a\u0338b.example/", "x" * 250 + "@acme.example",
    ],
)  # fmt: skip
def test_an_address_is_one_address(to: str) -> None:
    with pytest.raises(Rejected):
        written(outgoing(to=to), SENDER)


@pytest.mark.parametrize(
    ("to", "envelope", "international"),
    [
        ("jane+crates@acme.example", "jane+crates@acme.example", False),
        ("jane@bücher.example", "jane@xn--bcher-kva.example", False),
        ("jane@straße.example", "jane@xn--strae-oqa.example", False),  # not strasse.example, which is somebody else's
        ("jane@例え.example", "jane@xn--r8jz45g.example", False),
        ("jané@acme.example", "jané@acme.example", True),
        ("用户@例え.example", "用户@xn--r8jz45g.example", True),
    ],
)
def test_addresses_of_every_script(to: str, envelope: str, international: bool) -> None:
    letter = written(outgoing(to=to), SENDER)
    assert (letter.to, letter.international) == (envelope, international)
    (found,) = parsed(letter)["To"].addresses
    assert found.addr_spec == envelope
    assert letter.content.isascii() != international


_WORDS = st.text(max_size=60)
_LIKELY = st.from_regex(r"[a-zA-Zé用.+_:%\"\\ <>\r\n-]{1,20}@[a-zßü用。.\-]{1,20}\.[a-z]{2,5}", fullmatch=True)


@pytest.mark.checklist("N05")
@given(to=_WORDS | _LIKELY, subject=_WORDS, name=_WORDS, reply_to=_WORDS | _LIKELY, text=_WORDS)
def test_no_text_makes_a_header_a_recipient_or_a_part(
    to: str, subject: str, name: str, reply_to: str, text: str
) -> None:
    message = outgoing(to=to, subject=subject, sender_name=name, reply_to=reply_to, text=text, html=text)
    try:
        letter = written(message, SENDER)
    except Rejected:
        return
    mail = parsed(letter)
    assert [key for key in mail if key != "Reply-To"] == HEADERS
    assert [one.addr_spec for one in mail["To"].addresses] == [letter.to]
    assert [one.addr_spec for one in mail["From"].addresses] == ["no-reply@staffgate.example"]
    assert "@" not in mail["From"].addresses[0].display_name
    assert len(mail["Reply-To"].addresses if reply_to else [1]) == 1
    assert len(list(mail.walk())) == 3
    assert not mail.defects


@given(_LIKELY | st.emails())
def test_an_address_that_is_taken_stays_what_it_was(text: str) -> None:
    try:
        found = address(text)
    except Rejected:
        return
    assert found.username == text.rpartition("@")[0]
    assert re.fullmatch(r"[A-Za-z0-9.-]+", found.domain)
    if text.isascii():
        assert found.addr_spec == text
