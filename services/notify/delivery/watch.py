"""What waits, how long, and what is dead: figures that no single attempt shows.

Alarms are made of them, and no readiness: a provider that is away, or a product whose endpoint is, is mended by nobody's
restart, and a service that is taken out of rotation for it only sends less.
"""

from __future__ import annotations

from prometheus_client import Gauge

from services.notify.store import watch as store
from shared.db import Database

EVERY = 5.0  # seconds
NOBODY = "none"  # given to no provider yet

oldest_seconds = Gauge(
    "notify_oldest_waiting_seconds",
    "Age of the oldest message that waits, by who was last asked to send it: the alarm",
    ["channel", "provider"],
)
waiting = Gauge("notify_waiting", "Messages that wait or are being sent", ["channel", "provider"])
dead = Gauge("notify_dead", "Messages that were tried too often, and can still be replayed", ["channel", "template"])


class Watch:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def look(self) -> int:
        """Work for a Round: never anything left to do. Every worker shows the same, of all of them together."""
        async with self._db.begin_anywhere() as tx:
            waits, lost = await store.waiting_anywhere(tx), await store.dead_anywhere(tx)
        now = self._db.clock.now()
        # What is gone is shown no more, rather than as it last was. Nobody reads in between: nothing is awaited here.
        for gauge in (oldest_seconds, waiting, dead):
            gauge.clear()
        for one in waits:
            who = one.provider or NOBODY
            oldest_seconds.labels(one.channel, who).set((now - one.oldest).total_seconds())
            waiting.labels(one.channel, who).set(one.count)
        for many in lost:
            dead.labels(many.channel, many.template).set(many.count)
        return 0
