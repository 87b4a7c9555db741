"""Requests that are answered where they arrive, in front of aiohttp's parser and of all that stands behind it.

For the few operations that are asked thousands of times a second and can mostly be answered from memory: aiohttp's own
way costs four times as much as the rest of the answer. What comes out is the same, to the byte, as the long way gives;
tests hold one against the other (tests/service/authz/test_express.py, tests/unit/http/test_express.py).

What makes it safe is how little is read here:

- Only what is exactly one whole request, written in the plainest way: visible ASCII, no header that has to do
  with where a request ends but one Content-Length at most, and a body of just that length.
- Only where besides the request line is one of ours and each header line one of the few that mean nothing to the answer,
  or are read here, each once. Whoever writes a request in another way gets the long way.
- What is not answered here goes to aiohttp whole, and so does what comes until that has been answered.
- Many clients send head and body apart: what is a head of this kind and the beginning of its body is held until the rest
  comes, for half a second and up to 256 KiB. What is heavy is aiohttp's, and it gets it whole: there it waits for its turn.
- As soon as aiohttp has been given anything else (a part of a request, two at once) the connection is aiohttp's until it
  ends: nobody but its parser knows where the next request begins.
- Whoever asks again writes the same head but for a few values. What is the same to the byte as in the request before on
  the connection need not be read again, and that is two thirds of the reading: 4.7 µs without it, 1.6 with it.

It leans on private attributes of aiohttp's RequestHandler, so aiohttp is pinned below the next minor release and the
tests are run against each. AUTHZ_EXPRESS=false turns it off.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.web_protocol import RequestHandler

from shared.http.middleware import REQUEST_ID, SAFE, seconds
from shared.http.operation import Api, AtOnce, is_heavy
from shared.http.times import Tally
from shared.trace import trace_id_in
from staffgate.contracts.caller import Caller
from staffgate.trace import digits

_LONGEST = 8192  # bytes of a head
_LARGEST = 1 << 18  # of a request
_HELD_FOR = 0.5  # seconds
_PIECES = 16  # in which a request may come: a thousand of them read again and again would be somebody's weapon
_LINES = 4096  # that are remembered: four megabytes where all are people's tokens
_VALUE = rb"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?"
_FIRST = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[\x21-\x7e]{0,2000} HTTP/1\.1")
_LINE = re.compile(rb"([A-Za-z][A-Za-z0-9-]{0,60}): ?(" + _VALUE + rb")")
_HOST = re.compile(rb"[A-Za-z0-9.\-]{1,255}(:[0-9]{1,5})?")
_BEARER = re.compile(rb"Bearer ([A-Za-z0-9._~+/=-]+)")
_JSON = re.compile(rb"application/json(; ?charset=utf-8)?", re.IGNORECASE)
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,6}")
_VISIBLE = re.compile(rb"[\x21-\x7e]+")

# What decides where a request ends, or what comes after it: whoever sends one of these is aiohttp's.
_FRAMING = frozenset(
    (b"transfer-encoding", b"connection", b"upgrade", b"expect", b"te", b"trailer", b"content-encoding", b"keep-alive",
     b"proxy-connection", b"http2-settings")
)  # fmt: skip
# What a line is. Each stands in a request once at most; but for what is of any other kind, with which nothing is at once.
_OTHER = -1
_HOSTS, _TOKEN, _TYPE, _SIZE, _ID, _TRACE = (1 << number for number in range(6))
_NEEDED = _HOSTS | _TOKEN | _TYPE | _SIZE
_CHANGING = _SIZE | _ID | _TRACE  # with every request of the same client
# Read by nobody on the long way either, or only for the log of what is not answered here.
_IGNORED = {
    name: 1 << number
    for number, name in enumerate(
        (b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"tracestate", b"x-forwarded-for",
         b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"via", b"forwarded", b"priority", b"connection"), 6,
    )
}  # fmt: skip

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    + REQUEST_ID.encode() + b": %b\r\n"
    + b"".join(f"{name}: {value}\r\n".encode().replace(b"%", b"%%") for name, value in SAFE.items())
    + b"Content-Length: %d\r\nDate: %b\r\nServer: " + SERVER_SOFTWARE.encode().replace(b"%", b"%%") + b"\r\n\r\n%b"
)  # fmt: skip


class Form(Enum):
    """WHOLE is exactly one request, written plainly, and BEGUN the head and a part of the body of one. All else is ODD."""

    ODD = 0
    BEGUN = 1
    WHOLE = 2


class Lane(msgspec.Struct, frozen=True):
    """An operation that may be answered at once, and who may ask."""

    operation: str
    path: str
    callers: tuple[type, ...]
    answer: AtOnce


def lanes(api: Api, service: object) -> list[Lane]:
    """Of the operations those that say that they can."""
    return [
        Lane(one.name, one.path, one.callers, one.at_once(service)) for one in api.operations if one.at_once is not None
    ]


class Express:
    """`recall` says whose an access token is, if it was shown before and is good."""

    def __init__(self, lanes: Iterable[Lane], recall: Callable[[str], Caller | None]) -> None:
        self._lanes = {
            f"POST {lane.path} HTTP/1.1".encode(): _Open(lane, seconds.of(lane.operation, 200)) for lane in lanes
        }
        self._recall = recall
        self._lines: dict[bytes, tuple[int, Any]] = {}
        self._date, self._second = b"", 0

    def speaking(self, server: web.Server) -> RequestHandler:
        """The protocol of a connection."""
        return _Handler(server, self)

    def answer(self, data: bytes, now: bool, usual: Usual) -> tuple[Form, bytes | None]:
        """Of what form this is; and the whole answer, if one is wanted `now` and can be given."""
        began = time.perf_counter()
        if usual.lane is not None and now:
            found = usual.read(data)
            if found is not None:
                body, request_id = found
                return Form.WHOLE, self._answer(usual.lane, usual.token, body, request_id, began)
        head, end, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        lane = self._lanes.get(first)
        if len(head) > _LONGEST or (lane is None and not _FIRST.fullmatch(first)):
            return Form.ODD, None
        seen, token, size, request_id = 0, "", 0, None
        kinds = []
        for line in lines:
            kind, value = self._lines.get(line) or self._read(line)
            if kind == _OTHER:
                lane = None
                continue
            if not kind or seen & kind:
                return Form.ODD, None
            seen |= kind
            kinds.append(kind)
            if kind == _SIZE:
                size = value
            elif kind == _TOKEN:
                token = value
            elif kind == _ID or (kind == _TRACE and request_id is None):
                request_id = value
        if not end:
            return Form.ODD, None
        if size != len(body):
            begun = len(body) < size and len(head) + size < _LARGEST
            return Form.BEGUN if begun else Form.ODD, None
        if lane is None or seen & _NEEDED != _NEEDED or not now:
            return Form.WHOLE, None
        usual.learn(first, lines, kinds, lane, token)
        return Form.WHOLE, self._answer(lane, token, body, request_id, began)

    def _answer(self, lane: _Open, token: str, body: bytes, request_id: bytes | None, began: float) -> bytes | None:
        if is_heavy(body):
            return None
        try:
            caller = self._recall(token)
            if caller is None or not isinstance(caller, lane.lane.callers):
                return None
            answer = lane.lane.answer(caller, body)
        except Exception:  # it would close the connection here; the long way answers, and writes it into the log
            return None
        if answer is None:
            return None
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._date = formatdate(self._second, usegmt=True).encode()
        request_id = request_id or digits(32).encode()
        whole = _HEAD % (request_id, len(answer), self._date, answer)
        lane.seconds.observe(time.perf_counter() - began)
        return whole

    def _read(self, line: bytes) -> tuple[int, Any]:
        """What a header line is, 0 where only aiohttp can tell what it means; and what of it matters."""
        match = _LINE.fullmatch(line)
        if match is None:
            return 0, None
        name, value = match[1].lower(), match[2]
        if name in _FRAMING and not (name == b"connection" and value.lower() == b"keep-alive"):
            return 0, None
        found = _READ[name](value) if name in _READ else (_IGNORED.get(name, _OTHER), None)
        if found[0] not in (0, _ID, _TRACE):  # these are another one each time
            if len(self._lines) >= _LINES:
                self._lines.clear()
            self._lines[line] = found
        return found


class _Open(msgspec.Struct, frozen=True):
    lane: Lane
    seconds: Tally


class Usual:
    """How the requests of one connection are written: the text between those values of the head that change."""

    __slots__ = ("_changing", "_last", "lane", "token")

    def __init__(self) -> None:
        self.lane: _Open | None = None  # until one has been read
        self.token = ""
        self._changing: list[tuple[bytes, int, int]] = []
        self._last = b""

    def learn(self, first: bytes, lines: Iterable[bytes], kinds: Iterable[int], lane: _Open, token: str) -> None:
        """From a whole request that was read line by line."""
        self.lane, self.token, self._changing = lane, token, []
        text = first
        for line, kind in zip(lines, kinds, strict=True):
            text += b"\r\n"
            if kind & _CHANGING:
                name, value = _LINE.fullmatch(line).span(2)  # type: ignore[union-attr]
                self._changing.append((text + line[:name], len(text) + name, kind))
                text = line[value:]
            else:
                text += line
        self._last = text + b"\r\n\r\n"

    def read(self, data: bytes) -> tuple[bytes, bytes | None] | None:
        """The body of another one, and its id; None where it is written otherwise, or is not whole."""
        at, size, request_id = 0, 0, None
        for text, length, kind in self._changing:
            if not data.startswith(text, at):
                return None
            at += length
            end = data.find(b"\r\n", at, at + _LONGEST)
            if end < 0:
                return None
            value, at = data[at:end], end
            if kind == _SIZE:
                size = _length(value)
            elif not _VISIBLE.fullmatch(value):
                return None
            elif kind == _ID:
                request_id = value
            elif request_id is None:
                request_id = _trace(value)[1]
        if not data.startswith(self._last, at):
            return None
        at += len(self._last)
        return (data[at:], request_id) if len(data) - at == size and at <= _LONGEST else None


@lru_cache(1024)
def _length(value: bytes) -> int:
    """Of a body; -1 where it is not for us to say."""
    kind, size = _size(value)
    return size if kind else -1


def _host(value: bytes) -> tuple[int, Any]:
    return (_HOSTS if _HOST.fullmatch(value) else _OTHER), None


def _token(value: bytes) -> tuple[int, Any]:
    match = _BEARER.fullmatch(value)
    return (_OTHER, None) if match is None else (_TOKEN, match[1].decode())


def _type(value: bytes) -> tuple[int, Any]:
    return (_TYPE if _JSON.fullmatch(value) else _OTHER), None


def _size(value: bytes) -> tuple[int, Any]:
    return (_SIZE, int(value)) if _LENGTH.fullmatch(value) else (0, None)


def _trace(value: bytes) -> tuple[int, Any]:
    found = trace_id_in(value.decode())
    return _TRACE, None if found is None else found.encode()


_READ: dict[bytes, Callable[[bytes], tuple[int, Any]]] = {
    b"host": _host,
    b"authorization": _token,
    b"content-type": _type,
    b"content-length": _size,
    b"x-request-id": lambda value: (_ID, value),
    b"traceparent": _trace,
}


class _Handler(RequestHandler):
    """aiohttp's protocol of one connection, with the express in front of it."""

    __slots__ = ("_express", "_given", "_held", "_its_own", "_timer", "_usual")

    def __init__(self, server: web.Server, express: Express) -> None:
        super().__init__(server, loop=server._loop, **server._kwargs)
        self._express = express
        self._given = False  # whether aiohttp has been given anything
        self._its_own = False  # whether only aiohttp's parser knows where the next request begins
        self._held: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._usual = Usual()

    def data_received(self, data: bytes) -> None:
        if self._its_own or not data:  # aiohttp calls it itself with nothing, to go on with what it has
            super().data_received(data)
            return
        self._held.append(data)
        whole = data if len(self._held) == 1 else b"".join(self._held)
        form, answer = self._express.answer(whole, self._is_idle(), self._usual)
        if answer is not None and self.transport is not None:
            self._taken()
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            self.transport.write(answer)
        elif form is Form.BEGUN and len(self._held) < _PIECES:
            self._timer = self._timer or self._loop.call_later(_HELD_FOR, self._let_go)
            # aiohttp takes the connection for an idle one, and is not to close it in the middle of a request.
            self._next_keepalive_close_time = max(self._next_keepalive_close_time, self._loop.time() + 2 * _HELD_FOR)
        else:
            self._let_go(whole=form is Form.WHOLE)

    def _let_go(self, whole: bool = False) -> None:
        """To aiohttp, which waits for the rest if there is any; in the pieces in which it came, for some of its answers
        depend on them."""
        self._given = True
        self._its_own = not whole
        for piece in self._taken():
            super().data_received(piece)

    def _taken(self) -> list[bytes]:
        pieces, self._held = self._held, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return pieces

    def eof_received(self) -> None:
        if self._held:
            self._let_go()
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._taken()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """Whether all that came has been answered, and an answer would be taken."""
        if self._close or self._force_close or self._paused or self._upgraded or self._messages:
            return False
        waiter = self._waiter
        return not self._given if waiter is None else not waiter.done()
