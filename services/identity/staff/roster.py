"""The list of staff: filtered, searched and sorted, a page at a time.

A page begins after the last row of the one before, so that nobody comes twice and nobody is left out when somebody is
added or put out meanwhile.
"""

from __future__ import annotations

import hashlib

import msgspec

from services.identity.authority import require_administrator
from services.identity.cursors import Cursors, Place
from services.identity.permits import Permits
from services.identity.staff.accounts import shown
from services.identity.store import roster as store
from services.identity.store.roster import Filter, Order
from shared.db import Database
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import StaffList, StaffQuery, StaffStatus

# The words of the screen beside those of the accounts.
_STATUSES = {
    "activated": (StaffStatus.ACTIVE, StaffStatus.INVITED),
    "deactivated": (StaffStatus.SUSPENDED,),
    "all": (StaffStatus.ACTIVE, StaffStatus.INVITED, StaffStatus.SUSPENDED),
}
_sorted = msgspec.json.Encoder(order="sorted")


class Roster:
    def __init__(self, db: Database, permits: Permits, cursors: Cursors, weblink_url: str) -> None:
        self._db = db
        self._permits = permits
        self._cursors = cursors
        self._weblink_url = weblink_url

    async def list(self, caller: Person, asked: StaffQuery) -> StaffList:
        """Those whom the caller may view."""
        if asked.status == "deleted":
            require_administrator(caller)
        rows = await self._permits.rows(caller)
        same = _same(caller, asked)
        after = self._cursors.open(asked.after, same) if asked.after else None
        wanted, order, now = self._filter(asked), _order(asked), self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            place = None if after is None else (after.key, after.id)
            found = await store.page(tx, caller.org, rows, wanted, order, place, asked.limit + 1)
            total = await store.count(tx, caller.org, rows, wanted) if asked.total else None
        page = found[: asked.limit]
        more = len(found) > len(page)
        return StaffList(
            staff=[shown(row, now, self._weblink_url) for row in page],
            next=self._cursors.seal(Place(page[-1].key, page[-1].id), same) if more else None,
            total=total,
        )

    def _filter(self, asked: StaffQuery) -> Filter:
        return Filter(
            statuses=_STATUSES[asked.status] if asked.status in _STATUSES else (StaffStatus(asked.status),),
            type=None if asked.type is None else StaffType(asked.type),
            team=asked.team,
            role=asked.role,
            availability=asked.availability,
            locked=asked.locked,
            unreachable=asked.unreachable,
            text=asked.q.strip(),
            now=self._db.clock.now(),
        )


def _order(asked: StaffQuery) -> Order:
    return Order(column=asked.sort.removeprefix("-"), descending=asked.sort.startswith("-"))


def _same(caller: Person, asked: StaffQuery) -> bytes:
    """Everything that has to be the same on every page; how long one is may change."""
    filter = msgspec.structs.replace(asked, after="", limit=1, total=False)
    return hashlib.sha256(b"staff" + caller.org.bytes + _sorted.encode(filter)).digest()
