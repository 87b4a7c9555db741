"""Availability: online, away or offline, and on which channels a person takes enquiries in each of them.

It is not permission: a person who may operate WhatsApp may be switched off for it. Products hear every change, in the
order of its version. Whoever is signed in nowhere is offline: at once when a session is ended, and within a minute when
one runs out.
"""

from __future__ import annotations

from typing import get_args
from uuid import UUID

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.permits import Permits, nobody
from services.identity.store import availability as store
from services.identity.store import staff as staff_store
from services.identity.store.availability import AvailabilityRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    Availability,
    AvailabilityChanged,
    AvailabilityList,
    AvailabilityName,
    AvailabilityQuery,
    AvailabilityState,
    Channel,
    ChannelsTaken,
    StaffStatus,
)

_CHANNELS: tuple[Channel, ...] = get_args(Channel)
_MOST = 100  # people that one question is about
_BATCH = 100  # people that one round of the sweep sets offline


class Availabilities:
    def __init__(self, db: Database, permits: Permits) -> None:
        self._db = db
        self._permits = permits

    async def show(self, caller: Person, id: UUID) -> Availability:
        return shown(await self._row(caller, id))

    async def channels(self, caller: Person, id: UUID) -> ChannelsTaken:
        return _taken(await self._row(caller, id))

    async def set(self, caller: Person, id: UUID, state: AvailabilityName) -> Availability:
        """One's own, or that of somebody whose account the caller may edit."""
        await self._require_edit(caller, id)
        async with self._db.begin(caller.org) as tx:
            row = await self._held(tx, caller.org, id)
            if row.availability is state:
                return shown(row)
            changed = await store.set_state(tx, caller.org, id, state, self._db.clock.now())
            if changed is None:
                raise Conflict("not_signed_in", "Whoever is signed in nowhere is offline, and stays so until they are.")
            await tell(tx, changed)
            audit.note(tx, caller.org, Act.AVAILABILITY_SET, by=caller, about=id, state=state)
        return shown(changed)

    async def set_channels(self, caller: Person, id: UUID, wanted: ChannelsTaken) -> ChannelsTaken:
        await self._require_edit(caller, id)
        async with self._db.begin(caller.org) as tx:
            await self._held(tx, caller.org, id)
            changed = await store.set_channels(tx, caller.org, id, _ordered(wanted.online), _ordered(wanted.away))
            if changed is not None:
                await tell(tx, changed)
                audit.note(
                    tx, caller.org, Act.AVAILABILITY_SET, by=caller, about=id,
                    online=[*changed.channels_online], away=[*changed.channels_away],
                )  # fmt: skip
        return ChannelsTaken(online=_ordered(wanted.online), away=_ordered(wanted.away))

    async def list(self, asked: AvailabilityQuery) -> AvailabilityList:
        """For products, which serve every organisation and name the one that they mean."""
        try:
            ids = [UUID(text) for text in asked.staff.split(",")]
        except ValueError as fault:
            raise Invalid("invalid", "Give ids of staff with a comma between them.", at="$.staff") from fault
        if len(ids) > _MOST:
            raise Invalid("too_many", f"Ask about {_MOST} people at most at a time.", at="$.staff")
        async with self._db.begin(asked.org) as tx:
            return AvailabilityList(
                availability=[shown(row) for row in await store.availability_of(tx, asked.org, ids)]
            )

    async def sweep(self) -> int:
        """Whose sessions have run out is offline from now on; how many that were."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            gone = await store.gone_anywhere(tx, now, _BATCH)
        for org, id in gone:
            async with self._db.begin(org) as tx:
                await staff_store.lock_staff(tx, org, id)
                await leave_if_gone(tx, org, id)
        return len(gone)

    async def _require_edit(self, caller: Person, id: UUID) -> None:
        if id != caller.staff:
            await self._permits.require_over(caller, "edit", id)

    async def _row(self, caller: Person, id: UUID) -> AvailabilityRow:
        if id != caller.staff:
            await self._permits.require_over(caller, "view", id)
        async with self._db.begin(caller.org) as tx:
            found = await store.availability(tx, caller.org, id)
            person = await staff_store.staff(tx, caller.org, id)
        if found is None or person is None or person.status is StaffStatus.DELETED:
            raise nobody()
        return found

    async def _held(self, tx: Tx, org: UUID, id: UUID) -> AvailabilityRow:
        person = await staff_store.lock_staff(tx, org, id)
        row = await store.availability(tx, org, id)
        if person is None or row is None or person.status is StaffStatus.DELETED:
            raise nobody()
        return row


async def leave_if_gone(tx: Tx, org: UUID, id: UUID) -> None:
    """In a transaction that holds the person's row, so that nobody comes online on a session that is just ending."""
    changed = await store.leave_if_gone(tx, org, id, tx.database.clock.now())
    if changed is not None:
        await tell(tx, changed)


async def tell(tx: Tx, row: AvailabilityRow) -> None:
    state = AvailabilityState(
        staff=row.id, state=row.availability, channels=[*_now(row)], version=row.availability_version
    )
    await tx.emit(AvailabilityChanged(org=row.org, state=state))


def shown(row: AvailabilityRow) -> Availability:
    return Availability(staff=row.id, state=row.availability, channels=_now(row), version=row.availability_version)


def _now(row: AvailabilityRow) -> list[Channel]:
    by_state = {AvailabilityName.ONLINE: row.channels_online, AvailabilityName.AWAY: row.channels_away}
    return by_state.get(row.availability, [])


def _taken(row: AvailabilityRow) -> ChannelsTaken:
    return ChannelsTaken(online=row.channels_online, away=row.channels_away)


def _ordered(channels: list[Channel]) -> list[Channel]:
    """Each once, in the order of the page."""
    return [channel for channel in _CHANNELS if channel in channels]
