"""Bounces and complaints, as servers write them and as somebody might who wants to see what happens."""

from __future__ import annotations

import base64
import quopri
import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.channels.tokens import Tokens
from services.notify.receipt import dsn
from services.notify.receipt.dsn import Report
from shared.ids import RandomIds
from tests.unit.notify.reports import samples
from tests.unit.notify.reports.samples import TOKENS, about

ID = RandomIds().uuid()


def read(sample: str, **how: str) -> Report | None:
    return dsn.read(about(ID, sample, **how), TOKENS)


@pytest.mark.parametrize("lines", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("sample", "word", "permanent"),
    [
        (samples.POSTFIX_UNKNOWN, "bounced", True),
        (samples.EXCHANGE_UNKNOWN, "bounced", True),
        (samples.EXIM_FULL, "bounced", False),
        (samples.UNWANTED, "bounced", False),
        (samples.GIVEN_UP, "bounced", False),
        (samples.FOR_TWO, "bounced", True),
        (samples.DELAYED, "delayed", False),
        (samples.ARRIVED, "delivered", False),
        (samples.COMPLAINT, "complained", False),
    ],
)
def test_a_report_says_what_became_of_which_message(sample: str, word: str, permanent: bool, lines: str) -> None:
    found = read(sample, lines=lines)
    assert found is not None
    assert (found.delivery, found.word, found.permanent) == (ID, word, permanent)


def test_what_the_other_server_said_is_in_the_report() -> None:
    found = read(samples.EXCHANGE_UNKNOWN)
    assert found is not None
    assert found.answer.startswith("5.1.10 smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound")
    full = read(samples.EXIM_FULL)
    assert full is not None
    assert full.answer.startswith("5.2.2 smtp; 552"), "5.0.0 says nothing, and what it was stands in the diagnostics"


@pytest.mark.parametrize("code", ["5.2.2", "5.3.4", "5.6.0", "5.7.1", "5.7.606", "4.2.2", "4.4.7"])
def test_what_is_said_of_the_message_or_the_moment_says_nothing_of_the_address(code: str) -> None:
    found = read(samples.POSTFIX_UNKNOWN.replace("5.1.1", code))
    assert found is not None
    assert (found.word, found.permanent) == ("bounced", False)


@pytest.mark.parametrize("code", ["5.0.0", "5.1.1", "5.1.2", "5.1.10", "5.2.1", "5.4.1", "5.4.4"])
def test_an_address_that_is_dead_is_dead(code: str) -> None:
    found = read(samples.POSTFIX_UNKNOWN.replace("5.1.1", code))
    assert found is not None
    assert found.permanent


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus", "dmarc", "", "x" * 500])
def test_a_feedback_report_that_is_no_complaint_is_none(kind: str) -> None:
    assert read(samples.COMPLAINT.replace("abuse", kind)) is None


@pytest.mark.parametrize("sample", [samples.HOLIDAY, samples.RELAYED, "", "\n\n", "nonsense"])
def test_what_is_no_report_of_a_message_is_none(sample: str) -> None:
    assert read(sample) is None


@pytest.mark.parametrize(
    "ours", ["<{id}@staffgate.example>", "<8c0d7d54@x>", "<>", "{id}", "<{id}>", "<{id}@a@b>", "\N{BUG}"]
)
def test_only_the_id_of_the_message_that_came_back_counts(ours: str) -> None:
    """And not the id of the report itself, or one in its text."""
    wanted = UUID(str(ID)) if ours == "<{id}@staffgate.example>" else None
    found = read(samples.POSTFIX_UNKNOWN.replace("Message-ID: <{id}@staffgate.example>", f"Message-ID: {ours}"))
    assert (found.delivery if found else None) == wanted
    outside = samples.POSTFIX_UNKNOWN.replace("<{id}@staffgate.example>", "<another@x>")
    assert read(outside.replace("<20261122090003.4F1A2B3C@mx.acme.example>", "<{id}@staffgate.example>")) is None


def test_where_nothing_of_the_message_came_back_its_envelope_says_which_it_was() -> None:
    named = samples.POSTFIX_UNKNOWN.replace("Reporting-MTA:", "Original-Envelope-Id: {id}\nReporting-MTA:")
    found = read(named.replace("Message-ID: <{id}@staffgate.example>", "X: y"))
    assert found is not None
    assert (found.delivery, found.word, found.permanent) == (ID, "bounced", True)
    assert read(named.replace("{id}", "another")) is None


@pytest.mark.parametrize("sample", [samples.POSTFIX_UNKNOWN, samples.COMPLAINT, samples.ARRIVED])
def test_who_knows_the_delivery_and_not_the_letter_tells_nothing(sample: str) -> None:
    """Administrators see ids: with one alone, or with the token of another letter, nobody can write a report."""
    other = TOKENS.name(RandomIds().uuid()).partition(".")[2]
    for name in (f"{ID}", f"{ID}.", f"{ID}.{other}", f"{ID}.{'0' * 16}", Tokens(b"another key").name(ID)):
        assert dsn.read(about(name, sample), TOKENS) is None
        enveloped = sample.replace("Reporting-MTA:", "Original-Envelope-Id: {id}\nReporting-MTA:")
        assert dsn.read(about(name, enveloped.replace("Message-ID: <{id}@", "X: <{id}@")), TOKENS) is None
    found = dsn.read(about(TOKENS.name(ID).upper(), sample), TOKENS)
    assert found is not None
    assert found.delivery == ID


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_parts_may_be_encoded(encoding: str) -> None:
    head, _, rest = samples.POSTFIX_UNKNOWN.partition("Content-Type: message/delivery-status\n\n")
    status, _, tail = rest.partition("\n--4F1A")
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    written = encode(status.encode()).decode()
    kind = f"Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: {encoding}\n\n"
    found = read(f"{head}{kind}{written}\n--4F1A{tail}")
    assert found is not None
    assert (found.word, found.permanent) == ("bounced", True)
    broken = read(f"{head}{kind}{written[:-6]}A\n--4F1A{tail}")
    assert broken is None or broken.word == "bounced"


# --- what a stranger may write ----------------------------------------------------------------------------------


@given(st.binary(max_size=3000))
def test_any_bytes_can_be_read(content: bytes) -> None:
    assert dsn.read(content, TOKENS) is None


@settings(max_examples=300)
@given(st.data())
def test_a_report_with_anything_in_it_can_be_read(data: st.DataObject) -> None:
    """Pieces cut out, doubled, or written over: a report or none, and of no other message."""
    content = about(ID, data.draw(st.sampled_from(sorted(samples.EVERY.values()))))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 200)))
        instead = data.draw(st.one_of(st.binary(max_size=50), st.just(content[start:end] * 2), st.just(b"\r\n\r\n")))
        content = content[:start] + instead + content[end:]
    found = dsn.read(content, TOKENS)
    assert found is None or found.word in ("delivered", "delayed", "bounced", "complained")


_MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n" * (_MEGABYTE // 4),
        b"".join(b"Content-Type: multipart/report; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
        b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n" + b"\n \n" * 300_000,
        b"Content-Type: multipart/report; boundary=x\n\n--x\nMessage-ID: " + b"<" * _MEGABYTE,
        b"Content-Type: multipart/report" + b"\n " * (_MEGABYTE // 2),
        b"A: " + b" boundary=" * 100_000 + b"\n\n",
        b"Content-Type: multipart/report;" + b" boundary" * 100_000 + b"\n\n",
        b"a:" * (_MEGABYTE // 2),
        b"--x" + b" " * _MEGABYTE,
        b"Content-Type: multipart/report; boundary=x\n\n" + (b"--x" + b" " * 1000 + b".\n") * 1000,
    ],
)  # fmt: skip
def test_what_is_made_to_take_long_does_not(content: bytes) -> None:
    began = time.process_time()
    assert dsn.read(content[:_MEGABYTE], TOKENS) is None
    assert time.process_time() - began < 0.5
