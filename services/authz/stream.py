"""What is announced, for products that have no connection to RabbitMQ: an event stream for each of them.

A stream is as good as this process's own hearing. When that is lost every stream ends, and none begins until it is back;
whoever reads so slowly that too much would have to wait for them is cut off. There is never a gap that is not told.

Who asks is known when it begins, and it lasts no longer than an access token may: whoever gets no token any more hears
nothing any more, soon.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from shared.bus.envelope import Envelope, Undecodable, open_envelope
from shared.bus.port import Message
from shared.errors import Unavailable
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.contracts.identity import SessionsEnded
from staffgate.contracts.stream import ENDED, OPENED, Ended, Opened, Reason

_WAITING = (
    1 << 20
)  # bytes that wait for one reader: the parts are shared, so that a thousand slow readers cost little more
_BEHIND = _WAITING // 4  # of these; whoever is so far behind is not told what announcements carry, and loads it
_QUIET = 3.0  # seconds without anything to tell, after which it is told that there is nothing
_FAREWELL = 1.0  # seconds for the last words
_SPREAD = 0.2  # of the time that a stream lasts, so that not all of them come back as one

Cut = Callable[[], None]  # what ends a reader's connection, whatever is still on its way
Told = Callable[[Cut], AsyncGenerator[bytes, None]]

log = structlog.get_logger()
present = Gauge("authz_streams", "Event streams that are open")
ended = Counter("authz_streams_ended", "Event streams that have ended, and why", ["reason"])


class Streams:
    """Listens (Hints): what comes is told to whoever follows, at once."""

    types = (PermissionsChanged.type, Heartbeat.type, CataloguePublished.type, SessionsEnded.type)

    def __init__(self, most: int, seconds: float) -> None:
        """So many at a time, each of which lasts so long at most."""
        self._most = most
        self._seconds = seconds
        self._open: set[_Stream] = set()
        self._hearing = False
        self._stopped = False

    def follow(self, product: str) -> Told:
        """What gives the bytes, once the reader is there. Raise Unavailable where nothing can be heard, or too many follow."""
        if self._stopped or not self._hearing:
            raise Unavailable("deaf", "Changes can't be heard here right now; try again, or another replica.")
        if len(self._open) >= self._most:
            raise Unavailable(
                "too_many_streams", f"{self._most} streams are open here, which is all; try another replica."
            )
        return lambda cut: self._told(product, cut)

    def stop(self) -> None:
        """At the end of the service, which waits for whoever has not had all of their answer."""
        self._stopped = True
        self._end("stopping")

    # --- Hints ------------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> None:
        if not self._open:
            return
        try:
            envelope = open_envelope(message.body)
        except Undecodable as fault:
            log.error("stream.announcement_unreadable", error=str(fault))
            self._end("unreadable")
            return
        part = lean = _event(envelope.type, message.body, str(envelope.id))
        if envelope.type == PermissionsChanged.type and any(stream.behind for stream in self._open):
            lean = _event(envelope.type, _lean(envelope, message.body), str(envelope.id))
        for stream in tuple(self._open):
            stream.put(lean if stream.behind else part)

    def lost(self) -> None:
        self._hearing = False
        self._end("deaf")

    def restored(self) -> None:
        self._hearing = True

    # --- each of them -----------------------------------------------------------------------------------------

    def _end(self, reason: Reason) -> None:
        for stream in tuple(self._open):
            stream.end(reason)

    async def _told(self, product: str, cut: Cut) -> AsyncGenerator[bytes, None]:
        if not self._hearing or self._stopped or len(self._open) >= self._most:  # since they were let in
            return
        loop = asyncio.get_running_loop()
        began, seconds = loop.time(), self._seconds * random.uniform(1 - _SPREAD, 1)  # noqa: S311 - jitter
        stream = _Stream(cut)
        over = loop.call_later(seconds, stream.end, "over")
        self._open.add(stream)
        present.inc()
        try:
            yield _event(OPENED, msgspec.json.encode(Opened(seconds=seconds)))
            while part := await stream.next():
                yield part
            yield _event(ENDED, msgspec.json.encode(Ended(reason=stream.ended or "gone")))
        finally:
            over.cancel()
            self._open.discard(stream)
            present.dec()
            reason = stream.ended or "gone"
            ended.labels(reason).inc()
            log.info("stream.ended", product=product, reason=reason, seconds=round(loop.time() - began, 1))


class _Stream:
    """What one reader has not been given yet."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self.ended: Reason | None = None

    @property
    def behind(self) -> bool:
        return self._size > _BEHIND

    def put(self, part: bytes) -> None:
        if self.ended is not None:
            return
        if self._parts and self._size + len(part) > _WAITING:
            self.end("slow")
            return
        self._parts.append(part)
        self._size += len(part)
        self._news.set()

    def end(self, reason: Reason) -> None:
        """With a word of farewell; who does not take that soon is cut off."""
        if self.ended is not None:
            return
        self.ended = reason
        self._news.set()
        if reason == "slow":
            self._cut()
        else:
            asyncio.get_running_loop().call_later(_FAREWELL, self._cut)

    async def next(self) -> bytes:
        """Everything that waits, as one; nothing when it is over."""
        if not self._parts and self.ended is None:
            await self._something()
        taken = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return taken

    async def _something(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(_QUIET):
                await self._news.wait()
        except TimeoutError:
            self._parts.append(b": nothing new\n\n")


def _lean(envelope: Envelope, body: bytes) -> bytes:
    """An announcement without what it carries; one that can't be read is as it is."""
    try:
        fields = msgspec.json.decode(envelope.data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return body
    if fields.pop("standings", None) is None:
        return body
    return msgspec.json.encode(msgspec.structs.replace(envelope, data=msgspec.Raw(msgspec.json.encode(fields))))


def _event(name: str, data: bytes, id: str = "") -> bytes:
    lines = [f"event: {name}".encode(), *([f"id: {id}".encode()] if id else [])]
    # A publisher's JSON may be written over several lines, and each of them is named.
    lines += [b"data: " + line for line in data.splitlines()]
    return b"\n".join(lines) + b"\n\n"
