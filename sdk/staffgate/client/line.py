"""A line to one service: a request goes in and its answer comes out, whatever carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import aiohttp
import msgspec

from staffgate.client.answer import Answer
from staffgate.client.faults import ServiceAway
from staffgate.client.wire import Wire

# What carries requests: a Wire, or a session of aiohttp where something out of the ordinary stands between, as a proxy.
Session = aiohttp.ClientSession | Wire


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a client waits, in seconds: `connect` for a connection, `answer` for an answer, that included, and `total`
    for all of at most `tries` tries and the pauses between them. `decision` is for all of it where somebody waits for a
    yes or no; a connection that is silent for half of that is given up for another."""

    connect: float = 2.0
    answer: float = 5.0
    total: float = 10.0
    tries: int = 3
    decision: float = 2.0


class Line(Protocol):
    """`target` is path and query, `repeatable` says that to make the request twice is no harm."""

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, repeatable: bool, connect: float,
        within: float,
    ) -> Answer:  # fmt: skip
        """Raise ServiceAway where no answer is to be had."""
        ...

    def doubt(self) -> None:
        """Something was silent for long: keep no connection that is idle, where that is ours to say."""
        ...


def line_to(session: Session, url: str) -> Line:
    return session.to(url) if isinstance(session, Wire) else _Aiohttp(session, url)


class _Aiohttp:
    """Over a session that belongs to the caller, with its proxies, its certificates and its limits."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, repeatable: bool, connect: float,
        within: float,
    ) -> Answer:  # fmt: skip
        try:
            async with self._session.request(
                method, self._url + target, headers=headers, data=body or None, allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=within, connect=connect),
            ) as response:  # fmt: skip
                content = await response.read()
                fields = b"".join(b"\r\n%b: %b" % field for field in response.raw_headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as fault:
            raise ServiceAway(f"{self._url} can't be reached: {fault!r}", unsent=True) from fault
        except (aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise ServiceAway(f"{self._url} can't be reached: {fault!r}") from fault
        return Answer(response.status, content, fields)

    def doubt(self) -> None:
        """They are the caller's."""
