"""Hearing what services announce over authz's event stream: for products that have no connection to RabbitMQ.

    Stream(session, authz_url, identity.token, ear)

authz lets a stream last as long as an access token, so the next one is opened before the present one is over, with a new
token, and both are there for a while: nothing is missed, and nothing has to be forgotten. Any other end is a gap.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Self

import aiohttp
import msgspec

from staffgate.client import Refused, ServiceAway
from staffgate.contracts.event import event_types
from staffgate.contracts.problem import code_of
from staffgate.contracts.stream import CONTENT_TYPE, ENDED, OPENED, Ended, Opened
from staffgate.ear import Ear
from staffgate.serversent import Parser, ServerSent, TooLong

PATH = "/v1/replica/stream"
_OPEN_WITHIN = 5.0  # seconds
_PAUSE = (0.2, 1.0)  # seconds before it is tried again
_LASTS = (0.7, 0.85)  # of the time that a stream may last: when the next one is opened, each at a time of its own
# Seconds for which both are read. The other one may come from another process, which hears a little sooner or later.
_OVERLAP = 2.0
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=_OPEN_WITHIN)

log = logging.getLogger("staffgate")


class StreamEnded(Exception):
    """Why, if it was said."""


_EXPECTED = (
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    ServiceAway,
    Refused,
    StreamEnded,
    TooLong,
    msgspec.DecodeError,
)


class Stream:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        authz_url: str,
        token: Callable[[], Awaitable[str]],
        ear: Ear,
        *,
        silence: float = 10.0,
    ) -> None:
        """`silence` is for how many seconds nothing may come before another stream is opened: authz is never silent for so
        long."""
        self._session = session
        self._url = authz_url.rstrip("/") + PATH
        self._token = token
        self._ear = ear
        self._silence = silence

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._follow(await self._open())
            except Exception as fault:  # any: whoever dies of one hears nothing ever after, and nobody notices
                unforeseen = None if isinstance(fault, _EXPECTED) else fault
                log.warning("authz can't be heard: %s: %s", type(fault).__name__, fault, exc_info=unforeseen)
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311 - jitter, so that not all come back as one

    async def _follow(self, present: _Open) -> None:
        self._ear.restored()
        try:
            while True:
                present = await self._succeeded(present)
        finally:
            self._ear.lost()
            present.close()

    async def _succeeded(self, present: _Open) -> _Open:
        """Read until the next one is there, and a little longer. What is told by both is heard twice, which says nothing new."""
        reading = asyncio.create_task(self._read(present), name="stream.read")
        opening = asyncio.create_task(self._open_next(present.seconds), name="stream.open")
        following: _Open | None = None
        try:
            await asyncio.wait((reading, opening), return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                await asyncio.wait((reading,), timeout=_OVERLAP)
            if reading.done():
                reading.result()
            following = opening.result()
            present.close()
            return following
        finally:
            reading.cancel()
            if following is None:
                _give_up(opening)

    async def _read(self, stream: _Open) -> None:
        """Never returns."""
        while True:
            for event in await stream.events(self._silence):
                if event.name == ENDED:
                    raise StreamEnded(msgspec.json.decode(event.data, type=Ended).reason)
                if event.name in event_types():  # what a newer authz tells besides is for newer readers
                    self._ear.heard(event.data)

    async def _open_next(self, seconds: float) -> _Open:
        await asyncio.sleep(seconds * random.uniform(*_LASTS))  # noqa: S311 - jitter
        while True:
            try:
                return await self._open()
            except _EXPECTED as fault:
                log.warning("The next event stream of authz can't be opened yet: %s: %s", type(fault).__name__, fault)
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311 - jitter

    async def _open(self) -> _Open:
        async with asyncio.timeout(_OPEN_WITHIN):
            headers = {"Authorization": f"Bearer {await self._token()}", "Accept": CONTENT_TYPE}
            response = await self._session.get(
                self._url, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )  # fmt: skip
            try:
                await _require(response)
                return await _Open(response).begun(self._silence)
            except BaseException:
                response.close()
                raise


class _Open:
    """A stream that has said that it is one."""

    seconds: float

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._parser = Parser()
        self._first: list[ServerSent] = []

    async def begun(self, silence: float) -> Self:
        while not self._first:
            self._first = await self.events(silence)
        opened = self._first.pop(0)
        if opened.name != OPENED:
            raise StreamEnded(f"it begins with {opened.name}")
        self.seconds = msgspec.json.decode(opened.data, type=Opened).seconds
        return self

    async def events(self, silence: float) -> list[ServerSent]:
        """Those that have come; none, for what was no event."""
        if self._first:
            first, self._first = self._first, []
            return first
        try:
            async with asyncio.timeout(silence):
                chunk = await self._response.content.readany()
        except TimeoutError:
            raise StreamEnded(f"nothing came for {silence:g} s") from None
        if not chunk:
            raise StreamEnded("without a word")
        return self._parser.feed(chunk)

    def close(self) -> None:
        self._response.close()


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""


async def _require(response: aiohttp.ClientResponse) -> None:
    if response.status == 200 and response.content_type == CONTENT_TYPE:
        return
    content = await response.content.read(4096)
    try:
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(detail=content[:200].decode(errors="replace"))
    if 400 <= response.status < 500:
        raise Refused(response.status, code_of(problem.type), problem.detail)
    raise ServiceAway(f"no event stream: {response.status} {response.content_type} {problem.detail}")


def _give_up(opening: asyncio.Task[_Open]) -> None:
    if not opening.cancel() and not opening.cancelled() and opening.exception() is None:
        opening.result().close()
