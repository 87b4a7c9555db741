"""Server-sent events: the standard's own examples, and the same events whatever way the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffgate.serversent import Parser, ServerSent, TooLong

PIECES = [
    b"data",
    b"event",
    b"id",
    b"retry",
    b":",
    b": ",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"\0",
    b"x",
    "ü".encode(),
]
STREAMS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.binary(max_size=200))


def read(content: bytes, cuts: list[int] | None = None) -> list[ServerSent]:
    parser, places = Parser(), [0, *sorted(cut % (len(content) + 1) for cut in cuts or ()), len(content)]
    return [event for start, end in pairwise(places) for event in parser.feed(content[start:end])]


def by_the_standard(content: bytes) -> list[ServerSent]:
    """Section 9.2.6 word for word, over the whole of it: lines as section 9.2.5 has them, then the fields."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    lines: list[bytes] = []
    found, line, at = [], b"", 0
    while at < len(content):
        if content[at : at + 2] == b"\r\n":
            lines, line, at = [*lines, line], b"", at + 2
        elif content[at : at + 1] in (b"\r", b"\n"):
            lines, line, at = [*lines, line], b"", at + 1
        else:
            line, at = line + content[at : at + 1], at + 1
    data, kind, last = b"", b"", b""
    for line in lines:
        if line == b"":
            if data != b"":
                found.append(
                    ServerSent(kind.decode(errors="replace") or "message", data[:-1], last.decode(errors="replace"))
                )
            data, kind = b"", b""
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if field == b"event":
                kind = value
            elif field == b"data":
                data += value + b"\n"
            elif field == b"id" and b"\0" not in value:
                last = value
    return found


@given(STREAMS, st.lists(st.integers(0, 1000), max_size=20))
def test_however_it_is_cut_it_is_what_the_standard_says(content: bytes, cuts: list[int]) -> None:
    assert read(content, cuts) == by_the_standard(content)


@given(STREAMS)
def test_byte_by_byte_too(content: bytes) -> None:
    assert read(content, list(range(len(content)))) == by_the_standard(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", b"YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [("message", b"first event", "1"), ("message", b"second event", ""), ("message", b" third event", "")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", b"", ""), ("message", b"\n", "")]),
        (b"data:test\n\ndata: test\n\n", [("message", b"test", "")] * 2),
        (b"event: add\ndata: 1\n\nevent: remove\n\ndata: 2\n\n", [("add", b"1", ""), ("message", b"2", "")]),
    ],
)
def test_the_standards_own_examples(content: bytes, said: list[tuple[str, bytes, str]]) -> None:
    for ends in (b"\n", b"\r", b"\r\n"):
        assert [(one.name, one.data, one.id) for one in read(content.replace(b"\n", ends))] == said


def test_an_event_is_there_as_soon_as_its_last_line_has_ended() -> None:
    parser = Parser()
    assert parser.feed(b"data: x\r\n") == []
    assert [event.data for event in parser.feed(b"\r")] == [b"x"], "the line feed that may follow is not waited for"
    assert parser.feed(b"\n") == []


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 100, b"data: x\n" * 50, b"x" * 101])
def test_an_event_that_never_ends_is_not_gathered_for_ever(endless: bytes) -> None:
    parser = Parser(longest=100)
    with pytest.raises(TooLong):
        for at in range(len(endless)):
            parser.feed(endless[at : at + 1])


def test_many_short_ones_are_not_too_long() -> None:
    parser = Parser(longest=100)
    assert len(parser.feed(b"data: 0123456789\n\n" * 50)) == 50
