"""Everything that is administered, to look at: read in one moment, for those who may, and with its ETag."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from services.authz.arrivals import Arrivals
from services.authz.work import Work, begin, etag_of
from shared.db import Database
from staffgate.contracts.caller import Person
from staffgate.decision import Catalogue

V = TypeVar("V")
View = Callable[[Work], Awaitable[V]]


class Views:
    def __init__(self, db: Database, catalogue: Callable[[], Catalogue], arrivals: Arrivals) -> None:
        self._db = db
        self._catalogue = catalogue
        self._arrivals = arrivals

    async def show(self, caller: Person, view: View[V], *about: UUID) -> V:
        """What `view` reads; `about` are people whom identity may have made a moment ago."""
        return await self._arrivals.until_here([caller.staff, *about], lambda: self._show(caller, view))

    async def tagged(self, caller: Person, view: View[V], *about: UUID) -> tuple[V, str]:
        """And its ETag, with the organisation's revision at which it was read."""
        shown, revision = await self.show(caller, _with_revision(view), *about)
        found: Any = shown
        etag = etag_of(found)
        found.revision = revision
        return shown, etag

    async def _show(self, caller: Person, view: View[V]) -> V:
        async with self._db.begin(caller.org, snapshot=True) as tx:
            return await view(await begin(tx, caller, self._catalogue()))


def _with_revision(view: View[V]) -> View[tuple[V, int]]:
    async def both(work: Work) -> tuple[V, int]:
        return await view(work), work.dossier.everything.revision

    return both
