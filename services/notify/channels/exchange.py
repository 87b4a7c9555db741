"""One question to a provider over HTTP: what it answered, or what is known when it did not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from services.notify.channels.port import Down, Rejected, Unsure

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)  # who is not there in three seconds is replaced within five
_LONGEST = 65_536  # bytes of an answer that are read: what an SMS provider says fits ten times over
# Of the 4xx these are not about the message: our credentials, our pace.
_PASSING = frozenset({401, 403, 407, 408, 425, 429})


class Answer(msgspec.Struct, frozen=True):
    """`body` is cut when it is too long, so it may be no JSON where JSON was meant."""

    status: int
    body: bytes


class Exchange:
    """TLS is verified as anywhere, redirects are not followed (they would carry secrets elsewhere), cookies not kept."""

    def __init__(self, timeout: aiohttp.ClientTimeout = _TIMEOUT) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            self._session = session
            yield
        self._session = None

    async def ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raise Down where nobody was reached. Whatever goes wrong after that leaves open what was done there."""
        assert self._session is not None
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, await _beginning(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as fault:
            raise Down(f"no connection: {type(fault).__name__}") from None
        except (aiohttp.ClientError, OSError) as fault:
            raise Unsure(f"no answer: {type(fault).__name__}") from None


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST:
            response.close()  # the rest is still on its way, so nothing else can come over this connection
            return body[:_LONGEST]
    return body


def meaning(status: int) -> type[Exception]:
    """Of an answer that is no success. What a gateway in between says of a server behind it leaves open what that did."""
    if status in (502, 504):
        return Unsure
    return Rejected if 400 <= status < 500 and status not in _PASSING else Down
