"""Who somebody was is forgotten once they have been deleted for some time: name, addresses, numbers, where they came from.

What is left is an id that the audit log speaks of, with the organisation, the type and the dates. That the username was
somebody's stays known by its digest alone.
"""

from __future__ import annotations

from datetime import timedelta

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.store import erasure as store
from shared.db import Database
from shared.rounds import Round

_BATCH = 200
_EVERY = 900.0  # seconds; what counts is days


class Erasure:
    def __init__(self, db: Database, days: int) -> None:
        self._db = db
        self._after = timedelta(days=days)
        self.round = Round("erasure", _EVERY, self.sweep)

    async def sweep(self) -> int:
        """Erase the next of those whose time has come; how many they were. One replica at a time: while another is at it
        there is nothing to do here."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            if not await store.take_turn(tx):
                return 0
            people = await store.erase_staff_anywhere(tx, now - self._after, now, _BATCH)
            await store.erase_traces_anywhere(tx, [one.id for one in people])
            for one in people:
                audit.note(tx, one.org, Act.USER_ERASED, about=one.id)
        return len(people)
