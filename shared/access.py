"""Who is asking, for the services that do not own the sessions: keys and ended sessions, kept current.

Ended sessions come by event within milliseconds. A replica that joins late, or could not hear for a while, loads the
list; while it can't hear, it loads it every second; and when it could do neither for too long it refuses every token
rather than accept one that may have been revoked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import structlog

from shared.bus.envelope import Undecodable, decode, open_envelope
from shared.bus.port import Bus, Message
from shared.clock import Clock
from shared.errors import Unauthenticated, Unavailable
from staffgate.access import TokenRefused, Verifier
from staffgate.client import IdentityClient, Refused, ServiceAway
from staffgate.contracts.caller import Caller
from staffgate.contracts.identity import SessionsEnded

_EVERY_DEAF = 1.0  # seconds between loads while nothing can be heard
_EVERY_HEARING = 30.0  # and while it can: a connection may be dead and not know it
_TOO_OLD = 10.0

log = structlog.get_logger()


class Access:
    """Listens (Hints) and is a part of the service's life (`kept`)."""

    def __init__(self, identity_url: str, issuer: str, clock: Clock) -> None:
        """`issuer` is what tokens name; `identity_url` is where this process reaches identity."""
        self._verifier = Verifier(issuer or identity_url, lambda: clock.now().timestamp())
        self._identity_url = identity_url
        self._hearing = False
        self._hearing_since = float("inf")
        self._loaded_at = float("-inf")
        self._due = asyncio.Event()

    def listen(self, bus: Bus) -> None:
        bus.listen([SessionsEnded.type], self)

    async def authenticate(self, token: str) -> Caller:
        """Raise Unauthenticated, or Unavailable while it is not known which sessions have ended."""
        await self.ready()
        try:
            return self._verifier.verify(token)
        except TokenRefused as fault:
            raise Unauthenticated("token_refused", f"This access token is not accepted ({fault}).") from fault

    async def ready(self) -> None:
        age = time.monotonic() - self._loaded_at
        # What ended while nothing could be heard is known only from a load that began after hearing came back.
        current = self._hearing and self._loaded_at >= self._hearing_since
        if not self._verifier.has_keys or (not current and age > _TOO_OLD):
            raise Unavailable("access_unknown", "It can't be told right now whose session has ended; try again.")

    # --- Hints ------------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> None:
        try:
            event = decode(open_envelope(message.body))
        except Undecodable:
            self._due.set()
            return
        if isinstance(event, SessionsEnded):
            self._verifier.end(event.sessions)

    def lost(self) -> None:
        self._hearing = False
        self._due.set()

    def restored(self) -> None:
        self._hearing, self._hearing_since = True, time.monotonic()
        self._due.set()

    # --- keeping current --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def kept(self, client_id: str, client_secret: str) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            identity = IdentityClient(session, self._identity_url, client_id, client_secret)
            task = asyncio.create_task(self._keep(identity), name="access")
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _keep(self, identity: IdentityClient) -> None:
        while True:
            self._due.clear()
            loaded = await self._load(identity)
            wait = _EVERY_HEARING if loaded and self._hearing else _EVERY_DEAF
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._due.wait()

    async def _load(self, identity: IdentityClient) -> bool:
        began = time.monotonic()
        try:
            keys, ended = await identity.keys(), await identity.ended_sessions()
            self._verifier.trust(keys)
        except (ServiceAway, Refused) as fault:
            log.warning("access.not_loaded", error=str(fault))
            return False
        except Exception:  # an answer that is none: whoever dies of it never loads again, and nobody notices
            log.exception("access.not_loaded")
            return False
        self._verifier.end(ended)
        self._loaded_at = began
        return True
