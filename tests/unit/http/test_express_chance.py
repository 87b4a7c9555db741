"""Requests of chance, one after the other on a connection, in whatever pieces: what is answered in front of aiohttp's parser is
what aiohttp would have answered. And what keeps it so is taken out, and found missing."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest

from shared.http import express
from shared.http.express import _Handler
from tests.conftest import LONG
from tests.unit.http import test_express as plain
from tests.unit.http.connection import HEAD, Both, comparable, request

RUNS = 60_000 if LONG else 800
pytestmark = pytest.mark.asyncio(loop_scope="module")

# --- whatever comes, in whatever pieces -----------------------------------------------------------------------

_PARTS = [*plain.ODD.values(), *[request()] * 200, *[request(b'{"text":"w","slow":2}')] * 40]
_BYTES = b"\r\n :%,;/\x00\xff0aPOSTHTTP1."


def _spoilt(chance: random.Random, whole: bytes) -> bytes:
    """One byte too many, too few, or another one."""
    at = chance.randrange(len(whole))
    byte = bytes([chance.choice(_BYTES)])
    return chance.choice(
        (whole[:at] + whole[at + 1 :], whole[:at] + byte + whole[at:], whole[:at] + byte + whole[at + 1 :])
    )


def _pieces(chance: random.Random) -> list[bytes]:
    parts = [chance.choice(_PARTS) for _ in range(chance.randrange(1, 5))]
    parts = [_spoilt(chance, part) if chance.random() < 0.3 else part for part in parts]
    way = chance.random()
    if way < 0.3:
        return parts
    if way < 0.6:  # what comes next begins as if the one before had ended
        return [part[: chance.randrange(1, len(part) + 1)] if chance.random() < 0.4 else part for part in parts]
    whole = b"".join(parts)
    cuts = sorted({0, len(whole), *(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(1, 6)))})
    return [whole[start:end] for start, end in itertools.pairwise(cuts)]


async def test_chance_finds_no_difference(both: Both) -> None:
    before = both.fast.count
    for seed in range(RUNS):
        chance = random.Random(seed)  # noqa: S311 - the same seed, the same bytes
        pieces = _pieces(chance)
        quick, right = await both.fast.said(pieces), await both.slow.said(pieces)
        assert comparable(quick) == comparable(right), (seed, pieces)
    assert both.fast.count - before > RUNS / 5, "the express was on its way often"


def _again(chance: random.Random) -> list[bytes]:
    """A client's requests one after the other: the same head but for its values, in an order of its own; of the second and
    the third some are spoilt."""
    head = {**HEAD, "traceparent": "", "Accept": "*/*", "User-Agent": "chewie/1"}
    names = chance.sample([*head, "Content-Length"], len(head) + 1)
    kept = [name for name in names if name in {*HEAD, "Content-Length"} or chance.random() < 0.5]

    def one(number: int) -> bytes:
        body = b'{"text":"%s"}' % (b"x" * number)
        said = {"Content-Length": f"{len(body)}", "X-Request-ID": f"jane-{number}"}
        trace = f"00-{number:032x}-{'cd' * 8}-01" if number % 3 else "none"
        values = head | said | {"traceparent": trace}
        lines = b"".join(f"{name}: {values[name]}\r\n".encode() for name in kept)
        return b"POST /say HTTP/1.1\r\n" + lines + b"\r\n" + body

    others = [one(chance.randrange(1, 120)) for _ in range(3)]
    return [one(7), *(_spoilt(chance, other) if chance.random() < 0.4 else other for other in others)]


async def test_a_head_that_is_nearly_the_last_one_is_read_as_any_other(both: Both) -> None:
    before = both.fast.count
    for seed in range(RUNS // 2):
        pieces = _again(random.Random(seed))  # noqa: S311 - the same seed, the same bytes
        quick, right = await both.fast.said(pieces), await both.slow.said(pieces)
        assert comparable(quick) == comparable(right), (seed, pieces)
    assert both.fast.count - before > RUNS


# --- and each part of it is needed ----------------------------------------------------------------------------


async def test_without_the_watch_over_aiohttps_parser_it_is_found(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simple form of it, which anybody could smuggle through."""
    monkeypatch.setattr(_Handler, "_is_idle", lambda _: True)

    def never(self: _Handler, _value: bool) -> None: ...

    monkeypatch.setattr(_Handler, "_its_own", property(lambda _: False, never))
    with pytest.raises(AssertionError):
        await plain.test_a_header_that_is_cut_does_not_smuggle_the_next_line(both)
    with pytest.raises(AssertionError):
        await test_chance_finds_no_difference(both)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_VISIBLE", re.compile(rb"[^\r]*", re.DOTALL)),
        ("_length", lambda value: int(re.sub(rb"\D", b"", value) or b"0")),
        ("_CHANGING", 0xFFFFFF),
    ],
)
async def test_what_has_changed_in_a_head_has_to_be_looked_at(
    both: Both, monkeypatch: pytest.MonkeyPatch, name: str, broken: Any
) -> None:
    """Its id for what no header may hold, its length for what is none, and all else for being the same."""
    monkeypatch.setattr(express, name, broken)
    with pytest.raises(AssertionError):
        await test_a_head_that_is_nearly_the_last_one_is_read_as_any_other(both)
