"""What a server answers, read strictly: a status line, fields, and as many bytes as Content-Length says (RFC 9112).

Whatever else there is in HTTP, interim answers, chunks, bodies that end with the connection, is garbage here, and so is
what two readers could read in two ways. None of it comes from our services; and where it comes from somebody between, the
connection can't be trusted with the next request.
"""

from __future__ import annotations

import re

import msgspec

_LONGEST_HEAD = 32768
_END = b"\r\n\r\n"
_START = b"HTTP/1.1 "
_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*"
    rb"((?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*)\r\n\r\n"
)
_NO_BODY, _NOT_MODIFIED = 204, 304


class Garbage(Exception):
    """No answer, or one of a kind that is not read here."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """`fields` are the header lines as they came. With `last` the connection takes no further request."""

    status: int
    body: bytes
    fields: bytes = b""
    last: bool = False

    def field(self, name: str) -> str:
        """Empty where there is none; `name` in small letters."""
        lowered, start = self.fields.lower(), b"\r\n" + name.encode() + b":"
        at = lowered.find(start)
        return self.fields[at + len(start) :].partition(b"\r\n")[0].strip().decode("latin-1") if at >= 0 else ""


class Reader:
    """One answer after the other, each from the bytes as they come."""

    __slots__ = ("_buffer", "_fields", "_largest", "_last", "_missing", "_status")

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._buffer = bytearray()
        self._missing = -1  # bytes of the body; -1 while the head is not there yet

    @property
    def begun(self) -> bool:
        """Something of an answer has come."""
        return bool(self._buffer) or self._missing >= 0

    def feed(self, data: bytes) -> Answer | None:
        """The answer, where it is whole now. Raises Garbage, after which nothing is to be fed any more."""
        if self._missing >= 0:
            self._buffer += data
            self._missing -= len(data)
            return self._whole(bytes(self._buffer)) if self._missing <= 0 else None
        if self._buffer:
            seen = max(0, len(self._buffer) - len(_END) + 1)
            self._buffer += data
            if self._buffer.find(_END, seen) < 0:
                self._check_beginning()
                return None
            data, self._buffer = bytes(self._buffer), bytearray()
        head = _HEAD.match(data)
        if head is None:
            if _END in data:
                raise Garbage("a head that can't be read")
            self._buffer += data
            self._check_beginning()
            return None
        body = data[head.end() :]
        self._read(head)
        self._missing -= len(body)
        if self._missing <= 0:
            return self._whole(body)
        self._buffer += body
        return None

    def _check_beginning(self) -> None:
        if len(self._buffer) > _LONGEST_HEAD:
            raise Garbage("a head that does not end")
        if not _START.startswith(self._buffer[: len(_START)]):
            raise Garbage("no HTTP/1.1")

    def _read(self, head: re.Match[bytes]) -> None:
        if head.end() > _LONGEST_HEAD:
            raise Garbage("a head that is too long")
        self._status, self._fields = int(head[1]), head[2]
        lowered = self._fields.lower()
        if b"\ntransfer-encoding:" in lowered or self._status == _NOT_MODIFIED:
            raise Garbage("a body without a length")
        self._last = b"\nconnection:" in lowered and not _keeps(lowered)
        self._missing = self._length(lowered)

    def _length(self, lowered: bytes) -> int:
        _, named, rest = lowered.partition(b"\ncontent-length:")
        if not named and self._status == _NO_BODY:
            return 0
        text = rest.partition(b"\r")[0].strip(b" \t")
        if b"\ncontent-length:" in rest or not text.isdigit() or len(text) > 12:
            raise Garbage("no length, or more than one")
        length = int(text)
        if length > (0 if self._status == _NO_BODY else self._largest):
            raise Garbage(f"{length} bytes are too many")
        return length

    def _whole(self, body: bytes) -> Answer:
        if self._missing < 0:
            raise Garbage("more than was asked for")
        self._missing = -1
        if self._buffer:
            self._buffer = bytearray()
        return Answer(self._status, body, self._fields, self._last)


def _keeps(lowered: bytes) -> bool:
    _, _, rest = lowered.partition(b"\nconnection:")
    return rest.partition(b"\r")[0].strip(b" \t") == b"keep-alive" and b"\nconnection:" not in rest
