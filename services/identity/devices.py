"""Devices that are known: whoever comes from one is not held up by what strangers guess meanwhile."""

from __future__ import annotations

from services.identity import handle
from services.identity.store import devices as store
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Tx


class Devices:
    async def remember(self, tx: Tx, person: StaffRow) -> str:
        """A device from now on, in the caller's transaction; what it is to show at login."""
        database, source = tx.database, trace.source()
        token = handle.issue(database.ids, person.org)
        new = store.NewDevice(
            id=database.ids.uuid(),
            staff=person.id,
            digest=handle.digest(token),
            agent=source.agent,
            ip=source.ip,
        )
        await store.add_device(tx, person.org, new, database.clock.now())
        return token
