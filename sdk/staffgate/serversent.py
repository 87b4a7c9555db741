"""Reading server-sent events, as the WHATWG's HTML has them in section 9.2.6: whatever way the bytes are cut."""

from __future__ import annotations

import msgspec

_MARK = b"\xef\xbb\xbf"  # one byte-order mark may stand at the beginning
_LONGEST = 8 << 20  # bytes of one event


class TooLong(ValueError):
    """An event that never ends."""


class ServerSent(msgspec.Struct, frozen=True):
    """`name` is "message" where the event says none, `id` the last one that was said. The lines of `data` are joined by
    line feeds."""

    name: str
    data: bytes
    id: str


class Parser:
    """Of one connection: what is begun when it ends is no event."""

    def __init__(self, longest: int = _LONGEST) -> None:
        self._longest = longest
        self._begun = False  # past where the mark may stand
        self._return = False  # the last byte was a carriage return: a line feed that follows it ends nothing
        self._line = bytearray()
        self._name = ""
        self._id = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerSent]:
        """The events that are whole by now. Raise TooLong."""
        if self._return and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._return = False
        self._return = self._return or chunk.endswith(b"\r")
        *ended, rest = _lines(chunk)
        if ended:
            ended[0] = bytes(self._line) + ended[0]
            self._line.clear()
        self._line += rest
        self._bound(len(self._line))
        return [event for line in ended if (event := self._take(line)) is not None]

    def _take(self, line: bytes) -> ServerSent | None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_MARK)
        if not line:
            return self._dispatched()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(value) + 1
                self._bound(0)
            case b"event":
                self._name = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
        return None  # a comment has no name, `retry` is ours to say, and what else there is, is passed over

    def _dispatched(self) -> ServerSent | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        return ServerSent(name or "message", b"\n".join(data), self._id) if data else None

    def _bound(self, more: int) -> None:
        if self._size + more > self._longest:
            raise TooLong(f"an event is longer than {self._longest} bytes")


def _lines(chunk: bytes) -> list[bytes]:
    """What stands before, between and after the ends of lines: CR, LF or both."""
    return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
