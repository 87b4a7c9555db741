"""A product's own access token, renewed by itself (RFC 6749, section 4.4)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from staffgate.client.faults import Refused, ServiceAway
from staffgate.contracts.identity import Tokens

_RENEWED_AFTER = 0.7  # of its life; what is left is for identity to come back in
_MARGIN = 5.0  # seconds before its end in which it is not shown any more: it has a way to go, and clocks differ
_PAUSE = 1.0  # seconds after a fetch in which there is no other one
_LONGEST_PAUSE = 15.0

log = logging.getLogger("staffgate")


class ServiceToken:
    """Call it for a token. Whoever asks while there is none waits for one request, the same for all; later it is renewed
    beside the requests, and nobody waits. While identity is away the one that is there is shown for as long as it is
    good."""

    def __init__(self, fetch: Callable[[], Awaitable[Tokens]], now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._token = ""
        self._renew_at = self._good_until = self._fetched_at = float("-inf")
        self._pause = _PAUSE
        self._fetching: asyncio.Task[str] | None = None

    async def __call__(self) -> str:
        """Raise ServiceAway, or Refused where identity does not know these credentials."""
        known = self.at_hand()
        if known is not None:
            return known
        return await asyncio.shield(self._begin())  # for whoever else waits: one who gives up ends it for nobody

    def at_hand(self) -> str | None:
        """The same without waiting; None where somebody has to. It is renewed beside that when it is time."""
        now = self._now()
        if now >= self._renew_at:
            self._begin()
        return self._token if now < self._good_until else None

    def refused(self, token: str) -> None:
        """A service does not take it. The next one who asks gets another, unless this one is quite new: who refuses that
        refuses every one."""
        if token == self._token and self._now() - self._fetched_at >= _PAUSE:
            self._renew_at = self._good_until = float("-inf")

    def _begin(self) -> asyncio.Task[str]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._renew(), name="service token")
            self._fetching.add_done_callback(self._end)
        return self._fetching

    async def _renew(self) -> str:
        began = self._now()
        try:
            tokens = await self._fetch()
        except (ServiceAway, Refused) as fault:
            self._renew_at = min(self._now() + self._pause, self._good_until)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            log.warning("The access token of this service can't be renewed: %s", fault)
            raise
        self._token, self._fetched_at, self._pause = tokens.access_token, began, _PAUSE
        life = float(tokens.expires_in)
        self._renew_at, self._good_until = began + life * _RENEWED_AFTER, began + life - min(_MARGIN, life / 10)
        return self._token

    def _end(self, fetching: asyncio.Task[str]) -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # it was told; in the background nobody else takes it
