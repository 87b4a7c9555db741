"""What the replicas inside products ask for: the facts about one person or many, the items of one type, and what they have
missed.

Read from the database every time and never from this process's memory: a replica that has heard of a change is not to
be given what was before it.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz import registry
from services.authz.catalogue import Catalogues
from services.authz.facts import facts_until, facts_until_of_many
from services.authz.store import recent as recent_store
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from services.authz.store.recent import Since
from shared.db import Database, Tx
from shared.errors import NotFound
from staffgate.client.parts import (
    ChangedQuery,
    ChangedSince,
    ItemsByType,
    PersonFacts,
    RegisteredItems,
    Standings,
    StandingsQuery,
)

_NOBODY = UUID(int=0)
_KEPT = 3600.0  # seconds for which it is known what every revision was about
_MOST_NAMED = 5000  # in answer to what has changed; of more, everybody is told
FORGOTTEN_EVERY = 600.0  # seconds


class Replicas:
    def __init__(self, db: Database, catalogues: Catalogues) -> None:
        self._db = db
        self._catalogues = catalogues

    async def standing(self, staff: UUID) -> PersonFacts:
        async with self._db.begin_anywhere() as tx:
            org = await subject_store.organisation_of_anywhere(tx, staff)
        if org is None:
            raise _nobody()
        async with self._db.begin(org, snapshot=True) as tx:
            found = await facts_until(tx, org, staff, self._db.clock.now())
        if found is None:
            raise _nobody()
        facts, until = found
        return PersonFacts(org=org, facts=facts, until=until)

    async def standings(self, org: UUID, query: StandingsQuery) -> Standings:
        """A page of everybody who was not deleted, by id."""
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await _revision(tx, org)
            found = await subject_store.people_after(tx, org, query.after or _NOBODY, query.limit + 1)
            people = found[: query.limit]
            page = await self._told(tx, org, revision, people)
            page.next = people[-1] if found[query.limit :] else None
            page.total = await subject_store.count_people(tx, org) if query.after is None else None
        return page

    async def standings_of(self, org: UUID, staff: Collection[UUID]) -> Standings:
        """Those of them who are in the organisation."""
        async with self._db.begin(org, snapshot=True) as tx:
            return await self._told(tx, org, await _revision(tx, org), staff)

    async def _told(self, tx: Tx, org: UUID, revision: int, staff: Collection[UUID]) -> Standings:
        found = await facts_until_of_many(tx, org, staff, self._db.clock.now())
        return Standings.of(
            org, revision, (PersonFacts(org=org, facts=facts, until=until) for facts, until in found.values())
        )

    async def registry(self, org: UUID, type: str) -> RegisteredItems:
        """Of a type that nobody knows there are none."""
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await _revision(tx, org)
            items = await registry.items_of(tx, org, self._catalogues.current, type)
        return RegisteredItems(items=items, revision=revision)

    async def registries(self, org: UUID, types: Collection[str]) -> ItemsByType:
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await _revision(tx, org)
            items = await registry.items_of_many(tx, org, self._catalogues.current, types)
        return ItemsByType(items=items, revision=revision)

    async def changed(self, org: UUID, query: ChangedQuery) -> ChangedSince:
        """Everybody, where it is not all known any more: older than what is kept, or of another past than this database's,
        which was set back to a copy since."""
        async with self._db.begin(org, snapshot=True) as tx:
            found = await recent_store.since(tx, org, query.since, query.seconds)
            if found is None:
                raise _unknown()
            people: list[UUID] | None = None
            types: list[str] = []
            if _tells_all(found, query.since):
                people = await recent_store.people_since(tx, org, query.since) if found.named else []
                types = await recent_store.types_since(tx, org, query.since) if found.kept else []
        return ChangedSince(org=org, revision=found.revision, people=people, types=types)

    async def forget(self) -> int:
        """What happened so long ago that whoever missed it loads everybody; how much there was."""
        async with self._db.begin_anywhere() as tx:
            return await recent_store.forget_anywhere(tx, _KEPT)


def _tells_all(found: Since, revision: int) -> bool:
    return (
        found.begun
        and not found.everybody
        and found.kept == found.revision - revision
        and found.named <= _MOST_NAMED
    )  # fmt: skip


async def _revision(tx: Tx, org: UUID) -> int:
    revision = await revision_store.revision(tx, org)
    if revision is None:
        raise _unknown()
    return revision


def _unknown() -> NotFound:
    return NotFound("not_found", "There is no such organisation.")


def _nobody() -> NotFound:
    return NotFound("not_found", "There is nobody of that id.")
