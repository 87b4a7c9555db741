"""An answer is read strictly, however its bytes come; what could be read in two ways is not read at all."""

from __future__ import annotations

import http.client
import io
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffgate.client.answer import Answer, Garbage, Reader

LARGEST = 10_000
SERVED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nX-Request-ID: 0af7651916cd43dd\r\n"
    b"Cache-Control: no-store\r\ncontent-length: 17\r\nDate: Sun, 22 Nov 2026 09:00:00 GMT\r\n\r\n"
    b'{"decision":true}'
)


def answer(body: bytes = b"{}", *fields: bytes, status: bytes = b"200 OK", length: bytes | None = None) -> bytes:
    lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: " + (length or b"%d" % len(body))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def read(*parts: bytes) -> Answer | None:
    """The answer, once it is there; raises where anything comes after it, as a connection does."""
    reader, found = Reader(LARGEST), None
    for part in parts:
        if found is not None:
            raise Garbage("bytes that nobody asked for")
        found = reader.feed(part)
    return found


def test_an_answer_is_its_status_its_fields_and_its_body() -> None:
    found = read(SERVED)
    assert found is not None
    assert (found.status, found.body, found.last) == (200, b'{"decision":true}', False)
    assert (found.field("x-request-id"), found.field("content-length")) == ("0af7651916cd43dd", "17")
    assert found.field("request-id") == found.field("etag") == ""


def test_a_reader_reads_one_after_the_other() -> None:
    reader = Reader(LARGEST)
    for number in range(3):
        body = b"%d" % number * (number + 1)
        whole = answer(body)
        assert reader.feed(whole[:-1]) is None
        found = reader.feed(whole[-1:])
        assert found is not None
        assert found.body == body
        assert not reader.begun


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n", 204, b""),
        (answer(b"", status=b"204 No Content"), 204, b""),
        (answer(b"", status=b"200 "), 200, b""),
        (answer(b"{}", b"X-Empty:", b"X-Spaced: \t a b \t", status=b"503 \xe4h"), 503, b"{}"),
        (answer(b"{}", length=b"\t 2 "), 200, b"{}"),
    ],
)
def test_what_is_unusual_and_plain_is_read(sent: bytes, status: int, body: bytes) -> None:
    found = read(sent)
    assert found is not None
    assert (found.status, found.body) == (status, body)


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ([b"Connection: keep-alive"], False),
        ([b"Connection: Keep-Alive"], False),
        ([b"Connection: close"], True),
        ([b"connection:CLOSE"], True),
        ([b"Connection: keep-alive, close"], True),
        ([b"Connection: keep-alive", b"Connection: close"], True),
        ([b"Connection: upgrade"], True),
    ],
)
def test_a_connection_that_ends_takes_no_further_request(fields: list[bytes], last: bool) -> None:
    found = read(answer(b"{}", *fields))
    assert found is not None
    assert found.last is last


@pytest.mark.parametrize(
    "sent",
    [
        answer(status=b"100 Continue"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + SERVED,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        answer(status=b"304 Not Modified"),
        answer(status=b"20 OK"),
        answer(status=b"2000 OK"),
        answer(status=b"+20 OK"),
        answer(status=b"600 ?"),
        answer(status=b"200"),
        SERVED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SERVED.replace(b"HTTP/1.1", b"HTTP/2.0"),
        SERVED.replace(b"HTTP/1.1", b"http/1.1"),
        b"\r\n" + SERVED,
        SERVED.replace(b"OK\r\n", b"OK\n"),
        SERVED.replace(b"OK", b"O\rK"),
        SERVED.replace(b"OK", b"O\0K"),
        answer(b"{}", b"Transfer-Encoding: chunked"),
        answer(b"{}", b"transfer-encoding : identity"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
        answer(b"{}", b"Content-Length: 2"),
        answer(b"{}", b"Content-Length: 3"),
        answer(b"{}", b"Folded: a\r\n b"),
        answer(b"{}", b" Content-Length: 2"),
        answer(b"{}", b"No colon"),
        answer(b"{}", b": no name"),
        answer(b"{}", b"Spaced : name"),
        answer(b"{}", b"N\xe4me: x"),
        answer(b"{}", b"Bare: a\rb"),
        answer(b"{}", b"Nothing: \0"),
        answer(b"{}", status=b"204 No Content"),
        *(
            answer(length=length)
            for length in (b"-2", b"+2", b"0x2", b"2, 2", b"2 2", b"2;", b"2.0", b"two", b"\xb2", b"9" * 13)
        ),
        answer(b"{}", length=b"1"),
        answer() + answer(),
        answer(length=b"%d" % (LARGEST + 1)),
        answer(b"{}", b"Long: " + b"x" * 40_000),
        b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 40_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>",
        b"\x16\x03\x01",
    ],
)
def test_everything_else_is_garbage(sent: bytes) -> None:
    for parts in ((sent,), [sent[at : at + 1] for at in range(len(sent))]):
        with pytest.raises(Garbage):
            read(*parts)


def test_what_has_no_end_is_no_answer_yet() -> None:
    assert read(SERVED.replace(b"\r\n", b"\n")) is None
    assert read(SERVED[:-1]) is None


def test_a_head_is_not_looked_through_again_with_every_byte() -> None:
    """Else a server that sends drop by drop would cost us a minute of work for a head of its own length."""
    reader = Reader(LARGEST)
    reader.feed(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(Garbage):
        for _ in range(40_000):
            reader.feed(b"x")


# --- whatever comes -------------------------------------------------------------------------------------------

tokens = st.text(st.sampled_from("abcXYZ-_09!"), min_size=1, max_size=8).map(str.encode)
values = st.binary(max_size=12).map(lambda text: bytes(c for c in text if c in b"\t" or (32 <= c != 127)))
fields = st.lists(
    st.tuples(tokens, values)
    .filter(lambda one: one[0].lower() not in (b"content-length", b"transfer-encoding", b"connection"))
    .map(lambda one: one[0] + b":" + one[1]),
    max_size=4,
)
answers = st.builds(
    lambda body, more, status: (status, body, answer(body, *more, status=b"%d x" % status)),
    st.binary(max_size=200),
    fields,
    st.sampled_from([200, 201, 202, 400, 404, 503]),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """At these places, counted from the beginning and around."""
    at = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[one:next] for one, next in itertools.pairwise(at) if one < next]


@given(answers, st.lists(st.integers(0, 10_000), max_size=6))
def test_however_it_is_cut_it_is_the_same(sent: tuple[int, bytes, bytes], places: list[int]) -> None:
    status, body, whole = sent
    found = read(*cut(whole, places))
    assert found is not None
    assert (found.status, found.body) == (status, body)


@given(answers, st.integers(0, 10_000), st.binary(min_size=1, max_size=3), st.sampled_from(["put", "replace", "remove"]),
       st.lists(st.integers(0, 10_000), max_size=3))  # fmt: skip
def test_what_is_spoilt_is_read_as_others_read_it_or_not_at_all(
    sent: tuple[int, bytes, bytes], place: int, other: bytes, how: str, places: list[int]
) -> None:
    """Beside a reader that is generous: where both find an answer, it is the same one."""
    whole = sent[2]
    at = place % len(whole)
    gone = 0 if how == "put" else len(other)
    spoilt = whole[:at] + (b"" if how == "remove" else other) + whole[at + gone :]
    try:
        found = read(*cut(spoilt, places))
    except Garbage:
        return
    if found is not None:
        assert (found.status, found.body) == generous(spoilt)


def generous(data: bytes) -> tuple[int, bytes]:
    class Socket:
        def makefile(self, *_how: Any) -> io.BytesIO:
            return io.BytesIO(data)

    response = http.client.HTTPResponse(Socket())  # type: ignore[arg-type]
    response.begin()
    return response.status, response.read()
