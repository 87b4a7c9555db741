"""How long what is over is kept: some days for whoever has to find out what happened, and then it is deleted.

Nothing goes that still counts. Each kind is deleted by the time at which it stopped to count for anything, and that is
always later than the longest limit that looks back at it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from services.identity import replies
from services.identity.login import devices
from services.identity.store import retention as store
from services.identity.store import throttle
from shared.db import Database, Tx
from shared.errors import Unavailable
from shared.rounds import Round

_EVERY = 600.0  # seconds; what counts is days
_BATCH = 500  # a transaction's: whoever holds rows for long holds up who logs in
log = structlog.get_logger()
forgotten = Counter("identity_forgotten_total", "Rows deleted because they had been over for long enough", ["kind"])


@dataclass(frozen=True)
class Kind:
    """`kept`: so long from the time at which it is over, where that is not for the setting to say."""

    name: str
    forget: Callable[[Tx, datetime, int], Awaitable[int]]
    kept: timedelta | None = None


class Logins:
    """Of these many are kept, and the oldest are looked at first: each batch begins where the one before has ended."""

    def __init__(self) -> None:
        self._after = store.FIRST

    async def forget(self, tx: Tx, before: datetime, limit: int) -> int:
        """None only where none is left, wherever: what has gone can have been what kept an earlier one."""
        gone = await store.forget_logins_anywhere(tx, before, limit, self._after)
        if not gone and self._after != store.FIRST:
            gone = await store.forget_logins_anywhere(tx, before, limit)
        self._after = gone[-1] if gone else store.FIRST
        return len(gone)


KINDS = (
    Kind("session", store.forget_sessions_anywhere),
    Kind("link", store.forget_links_anywhere),
    Kind("challenge", store.forget_challenges_anywhere),
    Kind("password_failure", store.forget_password_failures_anywhere),
    Kind("import", store.forget_imports_anywhere),
    Kind("device", store.forget_devices_anywhere, devices.UNUSED),
    Kind("throttle", store.forget_throttles_anywhere, throttle.KEPT),
    Kind("reply", store.forget_replies_anywhere, replies.KEPT),
)


class Retention:
    def __init__(self, db: Database, keep_days: int) -> None:
        self._db = db
        self._keep = timedelta(days=keep_days)
        self._kinds = (Kind("login", Logins().forget), *KINDS)
        self.round = Round("retention", _EVERY, self.sweep)

    async def sweep(self) -> int:
        """The next of each kind; how many they were. Any number of replicas may be at it. A kind that fails keeps no other
        back, and is tried again."""
        return sum([await self._try(kind) for kind in self._kinds])

    async def _try(self, kind: Kind) -> int:
        try:
            return await self._forget(kind)
        except Unavailable:
            raise
        except Exception:
            log.exception("retention.failed", kind=kind.name)
            return 0

    async def _forget(self, kind: Kind) -> int:
        before = self._db.clock.now() - (kind.kept or self._keep)
        async with self._db.begin_anywhere() as tx:
            count = await kind.forget(tx, before, _BATCH)
        forgotten.labels(kind.name).inc(count)
        return count
