"""Access tokens verified in a product's own process, and those refused whose session has ended, however fresh they are.

    async with Sessions(identity, issuer, amqp_url=amqp_url) as sessions:
        caller = sessions.verify(token)

Ended sessions are heard of within milliseconds. What ended before, or while nothing could be heard, is loaded; while
nothing can be heard that is twice a second; and who could do neither for too long verifies nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from staffgate.access import Verifier
from staffgate.client import IdentityClient, Refused, ServiceAway
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.caller import Caller
from staffgate.contracts.envelope import Undecodable, decode, open_envelope
from staffgate.contracts.identity import SessionsEnded

_EVERY_DEAF = 0.5  # seconds between loads while nothing can be heard: who is put out is out within a second
_EVERY_HEARING = 30.0  # and while it can: a connection may be dead and not know it
_TOO_OLD = 10.0

log = logging.getLogger("staffgate")


class Sessions:
    """`issuer` is what tokens name: identity's public address. Without `amqp_url` nothing can be heard."""

    def __init__(
        self,
        identity: IdentityClient,
        issuer: str,
        *,
        amqp_url: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._identity = identity
        self._amqp_url = amqp_url
        self._verifier = Verifier(issuer, now)
        self._hearing_since = float("inf")
        self._loaded_at = float("-inf")
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def verify(self, token: str) -> Caller:
        """Raise TokenRefused, or ServiceAway while it can't be known whose session has ended."""
        # What ended while nothing could be heard is known only from a load that began after hearing came back.
        current = self._loaded_at >= self._hearing_since
        if not current and time.monotonic() - self._loaded_at > _TOO_OLD:
            raise ServiceAway("it can't be told whose session has ended")
        return self._verifier.verify(token)

    async def __aenter__(self) -> Sessions:
        """With the keys and what has ended, if identity can be reached."""
        await self._load()
        self._tasks = [asyncio.create_task(self._keep(), name="sessions")]
        if self._amqp_url is not None:
            from staffgate.listener import Listener  # aio-pika is an extra

            # Sessions end seldom; the heartbeats show that they would be heard of.
            listener = Listener(self._amqp_url, [SessionsEnded.type, Heartbeat.type], self)
            self._tasks.append(asyncio.create_task(listener.run(), name="sessions.listener"))
        return self

    async def __aexit__(self, *_fault: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- hearing ----------------------------------------------------------------------------------------------

    def heard(self, body: bytes) -> None:
        try:
            event = decode(open_envelope(body))
        except Undecodable as fault:
            log.error("What ended can't be read, so it is loaded: %s", fault)
            self._due.set()
            return
        if isinstance(event, SessionsEnded):
            self._verifier.end(event.sessions)

    def lost(self) -> None:
        self._hearing_since = float("inf")
        self._due.set()

    def restored(self) -> None:
        self._hearing_since = time.monotonic()
        self._due.set()

    # --- keeping current --------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            current = self._loaded_at >= self._hearing_since
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_HEARING if current else _EVERY_DEAF):
                    await self._due.wait()
            self._due.clear()
            await self._load()

    async def _load(self) -> None:
        began = time.monotonic()
        try:
            keys, ended = await self._identity.keys(), await self._identity.ended_sessions()
            self._verifier.trust(keys)
        except (ServiceAway, Refused) as fault:
            log.warning("Keys and ended sessions can't be loaded: %s", fault)
            return
        except Exception:  # keys that are none: whoever dies of it never loads again, and nobody notices
            log.exception("Keys and ended sessions can't be loaded")
            return
        self._verifier.end(ended)
        self._loaded_at = began
