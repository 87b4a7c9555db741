"""What is looked at and done by the clock: what was spent and blocked is shown, and what nobody counts any more goes."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import Gauge

from services.notify.limit.settings import DAY, Limits
from services.notify.store import usage as store
from shared.db import Database
from shared.rounds import Round

_KINDS = ("prefix", "organisation", "source", "organisation_budget", "suite_budget")
_LOOKED_AT = 15.0  # seconds
_FORGOTTEN = 600.0
_LONGEST_WINDOW = DAY
_KEPT = timedelta(days=90)  # what an organisation has used each day
_BATCH = 5_000

spent_today = Gauge("notify_spent_today", "What today's messages may have cost at most, in millionths")
budget_today = Gauge("notify_budget_today", "What they may cost at most, in millionths")
blocked = Gauge("notify_blocked", "Alarm: what nothing is sent to, or spent for, for a while", ["kind"])


class Watch:
    def __init__(self, db: Database, limits: Limits) -> None:
        self._db = db
        self._limits = limits
        budget_today.set(limits.suite_budget_per_day)

    def rounds(self) -> list[Round]:
        return [Round("limits.look", _LOOKED_AT, self.look), Round("limits.forget", _FORGOTTEN, self.forget)]

    async def look(self) -> int:
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            counts = {row.kind: row.count for row in await store.blocked_counts(tx, now)}
            spent_today.set(await store.spent(tx, now.date()))
        for kind in _KINDS:
            blocked.labels(kind).set(counts.get(kind, 0))
        return 0

    async def forget(self) -> int:
        now = self._db.clock.now()
        unproven = now - timedelta(days=self._limits.conversion.proven_days)
        async with self._db.begin_anywhere() as tx:
            return await store.forget_anywhere(tx, now - _LONGEST_WINDOW, (now - _KEPT).date(), unproven, _BATCH)
