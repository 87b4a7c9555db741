"""Which access tokens are good: identity's keys and the sessions that have ended, kept current.

Ended sessions are heard of within milliseconds. What ended before, or while nothing could be heard, is loaded; while
nothing can be heard that is twice a second; and who could do neither for too long verifies nothing rather than accept
what may have been revoked.

Keys are loaded with them. They are published long before anything is signed with them; where one is met all the same
that is not known here, there is another look, but at most once a minute: anybody can write a key's name into a token.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from staffgate.access import UnknownKey, Verifier
from staffgate.client import Refused, ServiceAway
from staffgate.contracts.caller import Caller
from staffgate.contracts.envelope import Undecodable, decode, open_envelope
from staffgate.contracts.identity import KeySet, SessionsEnded

_EVERY_DEAF = 0.5  # seconds between loads while nothing can be heard: who is put out is out within a second
_EVERY_HEARING = 30.0  # and while it can: a connection may be dead and not know it
_TOO_OLD = 10.0
_LOOK_AGAIN = 60.0

log = logging.getLogger("staffgate")


class Identity(Protocol):
    """What is asked of identity: IdentityClient."""

    async def keys(self) -> KeySet: ...

    async def ended_sessions(self) -> list[UUID]: ...


def warn(what: str, fault: Exception) -> None:
    """For programs that have no log of another kind. A fault that was not to be expected comes with its traceback."""
    expected = isinstance(fault, ServiceAway | Refused | Undecodable)
    log.warning("%s: %s", what, fault, exc_info=None if expected else fault)


class Validity:
    """`issuer` is what tokens name: identity's public address; `now` is seconds since the epoch."""

    def __init__(
        self, issuer: str, now: Callable[[], float], report: Callable[[str, Exception], None] = warn
    ) -> None:  # fmt: skip
        self._verifier = Verifier(issuer, now)
        self._report = report
        self._identity: Identity | None = None
        self._hearing_since = float("inf")
        self._loaded_at = float("-inf")
        self._heard_at = self._known_at = float("-inf")
        self._looked_at = float("-inf")
        self._loaded = False
        self._due = asyncio.Event()
        self._due.set()
        self._looking = asyncio.Lock()

    def require(self) -> None:
        """Raise ServiceAway while it can't be known whose session has ended."""
        if not self._verifier.has_keys or self._too_old:
            raise ServiceAway("it can't be told whose session has ended")

    def verify(self, token: str) -> Caller:
        """Raise TokenRefused, or ServiceAway. Asks nobody: a key that is not known is looked for meanwhile, and the same
        token may be good a moment later."""
        self.require()
        try:
            return self._verifier.verify(token)
        except UnknownKey:
            if self._may_look:
                self._looked_at = time.monotonic()
                self._due.set()
            raise

    def recall(self, token: str) -> Caller | None:
        """As `verify`, where the token was verified before; None where there is more to it, and nothing is begun."""
        if self._too_old:
            return None
        return self._verifier.recall(token)

    async def authenticate(self, token: str) -> Caller:
        """As `verify`, but what is looked for is waited for."""
        self.require()
        try:
            return self._verifier.verify(token)
        except UnknownKey:
            async with self._looking:
                if self._may_look:
                    self._looked_at = time.monotonic()
                    await self.load()
            return self._verifier.verify(token)

    @property
    def _may_look(self) -> bool:
        return time.monotonic() - self._looked_at >= _LOOK_AGAIN

    @property
    def _too_old(self) -> bool:
        """What was known when something was last heard or loaded was right then."""
        return not self._current and time.monotonic() - max(self._loaded_at, self._known_at) > _TOO_OLD

    @property
    def _current(self) -> bool:
        # What ended while nothing could be heard is known only from a load that began after hearing came back.
        return self._loaded_at >= self._hearing_since

    # --- hearing ----------------------------------------------------------------------------------------------

    def heard(self, body: bytes) -> None:
        self._heard_at = time.monotonic()
        try:
            event = decode(open_envelope(body))
        except Undecodable as fault:
            self._report("what ended can't be read, so it is loaded", fault)
            self._due.set()
            return
        if isinstance(event, SessionsEnded):
            self._verifier.end(event.sessions)

    def lost(self) -> None:
        if (
            self._current
        ):  # a connection that was dead already said nothing; heartbeats come each second where it was not
            self._known_at = self._heard_at
        self._hearing_since = float("inf")
        self._due.set()

    def restored(self) -> None:
        self._hearing_since = time.monotonic()
        self._due.set()

    # --- keeping current --------------------------------------------------------------------------------------

    def ask(self, identity: Identity) -> None:
        """Whom to load from."""
        self._identity = identity

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_HEARING if self._loaded and self._current else _EVERY_DEAF):
                    await self._due.wait()
            await self.load()

    async def load(self) -> bool:
        """Now. False where identity could not be asked, and what was known stays as it was."""
        began = time.monotonic()
        self._due.clear()
        self._loaded = False
        try:
            if self._identity is None:
                raise ServiceAway("nobody is there to be asked yet")
            keys, ended = await self._identity.keys(), await self._identity.ended_sessions()
            self._verifier.trust(keys)
        except Exception as fault:  # any: whoever dies of an answer that is none never loads again, and nobody notices
            self._report("keys and ended sessions can't be loaded", fault)
            return False
        self._verifier.end(ended)
        self._loaded, self._loaded_at = True, began
        return True
