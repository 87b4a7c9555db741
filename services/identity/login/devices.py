"""Devices that are known: whoever comes from one is not held up by what strangers guess meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.identity.session import handle
from services.identity.store import devices as store
from services.identity.store.devices import DeviceRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Tx

UNUSED = timedelta(days=180)  # and it is a stranger again
_LONGEST = 512


@dataclass(frozen=True)
class Arrival:
    """Where somebody came from: the device's id; its token where it is a new one; whether that is news to them."""

    device: UUID
    token: str | None
    news: bool


class Devices:
    async def remember(self, tx: Tx, person: StaffRow) -> str:
        """A device from now on, in the caller's transaction; what it is to show at login."""
        return (await self._add(tx, person))[1]

    async def look(self, tx: Tx, org: UUID, token: str | None) -> DeviceRow | None:
        """The device that shows this, if it is one of that organisation."""
        if token is None or len(token) > _LONGEST:
            return None
        return await store.device(tx, org, handle.digest(token), tx.database.clock.now(), UNUSED)

    async def arrive(self, tx: Tx, person: StaffRow, known: bytes | None) -> Arrival:
        """At the end of a login: the device that it was begun on, or a new one. Before the session is opened."""
        source = trace.source()
        if known is not None:
            id = await store.touch_device(tx, person.org, known, source.agent, source.ip, tx.database.clock.now())
            if id is not None:
                return Arrival(id, None, news=False)
        id, token, news = await self._add(tx, person)
        return Arrival(id, token, news)

    async def forget(self, tx: Tx, org: UUID, known: bytes) -> None:
        """Whoever guesses from it is not its person."""
        await store.drop_device(tx, org, known)

    async def _add(self, tx: Tx, person: StaffRow) -> tuple[UUID, str, bool]:
        database, source = tx.database, trace.source()
        id, token = database.ids.uuid(), handle.issue(database.ids, person.org)
        new = store.NewDevice(id=id, staff=person.id, digest=handle.digest(token), agent=source.agent, ip=source.ip)
        return id, token, await store.add_device(tx, person.org, new, database.clock.now())
