"""How long deliveries are kept: until the setting's days are over after their end, and what they say not even that long.

What is over says nothing any more. A dead one does until its deadline, so that it can be replayed; then that is erased.
"""

from __future__ import annotations

from datetime import timedelta

from services.notify.delivery.deliveries import tell_ended
from services.notify.store import dead as store
from services.notify.store import deliveries as delivery_store
from shared.db import Database

EVERY = 60.0  # seconds
_BATCH = 500  # a transaction's: what holds rows for long holds up who sends


class Retention:
    def __init__(self, db: Database, keep_days: int) -> None:
        self._db = db
        self._keep = timedelta(days=keep_days)

    async def sweep(self) -> int:
        """Work for a Round: how many rows were touched. Webhooks of an endpoint that is not in the settings any more have
        no dispatcher, so nobody else would end them."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            ended = await delivery_store.end_overdue_anywhere(tx, "webhook", now, _BATCH)
            await tell_ended(tx, ended)
            erased = await store.erase_overdue_anywhere(tx, now, _BATCH)
        async with self._db.begin_anywhere() as tx:
            removed = await store.remove_finished_anywhere(tx, now - self._keep, _BATCH)
        return len(ended) + erased + removed
