"""A webhook: an event posted to a product's endpoint, signed as Standard Webhooks has it.

At least once, as that standard wants it: what was lost on its way is posted again, under the same id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Unsure
from shared.bus.envelope import CONTENT_TYPE
from staffgate.webhooks import ID, SIGNATURE, TIMESTAMP, secret_key, signature

TIMEOUT = 10.0  # seconds; the standard says 15 to 30, but what takes that long should be answered first and done then
_AGENT = "Staffgate"
_GONE = 410
# Of the 4xx these are not about this event: the endpoint is not set up as it should be, or asks for patience.
_NOT_ABOUT_IT = frozenset({401, 403, 404, 405, 407, 408, 425, 429})


class WebhookProvider:
    """One endpoint. Its answer's body is never read: it is nobody's business here, and could be endless."""

    channel = "webhook"

    def __init__(self, name: str, url: str, secrets: Sequence[str], *, timeout: float = TIMEOUT) -> None:
        self.name = name
        self._timeout = timeout
        self._url = url
        self._keys = [secret_key(secret) for secret in secrets]
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=self._timeout, connect=5)
        headers = {"User-Agent": _AGENT, "Content-Type": CONTENT_TYPE}
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            self._session = session
            yield
        self._session = None

    async def send(self, message: Outgoing) -> Accepted:
        assert self._session is not None
        body = message.text.encode()
        try:
            async with self._session.post(
                self._url, data=body, headers=self._signed(message, body), allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as fault:
            raise Down(f"no connection: {type(fault).__name__}") from None
        except (aiohttp.ClientError, OSError) as fault:
            raise Unsure(f"no answer: {type(fault).__name__}") from None
        if 200 <= status < 300:
            return Accepted(answer=str(status))
        raise _meaning(status)(str(status))

    def _signed(self, message: Outgoing, body: bytes) -> dict[str, str]:
        """The time is that of this attempt; with every secret there is, so that they can be replaced."""
        id, timestamp = str(message.id), int(message.sent_at.timestamp())
        signatures = " ".join(signature(key, id, timestamp, body) for key in self._keys)
        return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: signatures}


def _meaning(status: int) -> type[Exception]:
    """Of an answer that is no success. A redirect is one more endpoint that is not set up: where it leads is not asked,
    for nobody named that place."""
    if status == _GONE:
        return Rejected
    return Deferred if 400 <= status < 500 and status not in _NOT_ABOUT_IT else Down
