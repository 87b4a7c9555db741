"""Who is asking, for the services that do not own the sessions: the SDK's Validity, fed by this process's own bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import structlog

from shared.bus.port import Bus, Message
from shared.clock import Clock
from shared.errors import Unauthenticated, Unavailable
from staffgate.access import TokenRefused
from staffgate.client import IdentityClient, Refused, ServiceAway
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.caller import Caller
from staffgate.contracts.identity import SessionsEnded
from staffgate.validity import Validity

log = structlog.get_logger()


class Access:
    """Listens (Hints) and is a part of the service's life (`kept`)."""

    def __init__(self, identity_url: str, issuer: str, clock: Clock) -> None:
        """`issuer` is what tokens name; `identity_url` is where this process reaches identity."""
        self._validity = Validity(issuer or identity_url, clock.seconds, _report)
        self._identity_url = identity_url

    def listen(self, bus: Bus) -> None:
        bus.listen([SessionsEnded.type, Heartbeat.type], self)  # these show until when one was heard

    async def authenticate(self, token: str) -> Caller:
        """Raise Unauthenticated, or Unavailable while it is not known which sessions have ended."""
        try:
            return await self._validity.authenticate(token)
        except ServiceAway as fault:
            raise _unknown() from fault
        except TokenRefused as fault:
            raise Unauthenticated("token_refused", f"This access token is not accepted ({fault}).") from fault

    def recall(self, token: str) -> Caller | None:
        """The same without waiting, for who was here before; None where `authenticate` has more to say."""
        return self._validity.recall(token)

    async def ready(self) -> None:
        try:
            self._validity.require()
        except ServiceAway as fault:
            raise _unknown() from fault

    # --- Hints ------------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> None:
        self._validity.heard(message.body)

    def lost(self) -> None:
        self._validity.lost()

    def restored(self) -> None:
        self._validity.restored()

    # --- keeping current --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def kept(self, client_id: str, client_secret: str) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            self._validity.ask(IdentityClient(session, self._identity_url, client_id, client_secret))
            task = asyncio.create_task(self._validity.keep(), name="access")
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def _unknown() -> Unavailable:
    return Unavailable("access_unknown", "It can't be told right now whose session has ended; try again.")


def _report(what: str, fault: Exception) -> None:
    expected = isinstance(fault, ServiceAway | Refused)
    log.warning("access.not_current", what=what, error=str(fault), exc_info=None if expected else fault)
