"""What is stored and means nothing any more, or would mean nothing or something else in another catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from services.authz.arrivals import Arrivals
from services.authz.catalogue import Catalogues
from services.authz.store import targets as store
from services.authz.viewers import require_view
from shared.db import Database
from staffgate.contracts.authz import Target
from staffgate.contracts.caller import Person, Product
from staffgate.contracts.catalogue import Drift, Retired, StoredTarget
from staffgate.decision import Catalogue


class Drifts:
    def __init__(self, db: Database, catalogues: Catalogues, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogues = catalogues
        self._arrivals = arrivals

    async def report(self, caller: Person | Product) -> Drift:
        """Product services see how much there is in all organisations, and people what there is in theirs."""
        if isinstance(caller, Product):
            async with self._db.begin_anywhere() as tx:
                found = await store.targets_anywhere(tx)
        else:
            found = await self._arrivals.until_here([caller.staff], lambda: self._own(caller))
        catalogue = self._catalogues.current
        empty = [stored for stored in found if catalogue.canonical(named(stored)) is None]
        return Drift(version=self._catalogues.version, targets=empty)

    async def _own(self, caller: Person) -> list[StoredTarget]:
        async with self._db.begin(caller.org, snapshot=True) as tx:
            await require_view(tx, self._catalogues.current, caller)
            return await store.targets(tx, caller.org)


def named(stored: StoredTarget) -> Target:
    """As a target; of the items of a type, any."""
    item = None if stored.item_type is None else f"{stored.item_type}:*"
    return Target(product=stored.product, section=stored.section, feature=stored.feature, item=item)


def harmed(
    found: Iterable[StoredTarget], old: Catalogue, new: Catalogue, retire: Iterable[Retired]
) -> list[StoredTarget]:
    """What of the stored would mean something else by another catalogue, or nothing though nobody gave it up.

    What means nothing now and would mean something then counts too: a permission that was given for one thing may not
    come to life for another one that happens to be called the same.
    """
    retired = tuple(retire)
    return [stored for stored in found if _is_harmed(stored, old, new, retired)]


def _is_harmed(stored: StoredTarget, old: Catalogue, new: Catalogue, retired: tuple[Retired, ...]) -> bool:
    was, becomes = old.canonical(named(stored)), new.canonical(named(stored))
    if was is None:
        return becomes is not None
    if becomes is None:
        return not any(_is_given_up(stored, one) for one in retired)
    return becomes != new.canonical(was)


def _is_given_up(stored: StoredTarget, retired: Retired) -> bool:
    return stored.section in retired.sections or stored.feature in retired.features or stored.item_type in retired.items
