"""What the replicas inside products ask for: the facts about one person or many, and the items of one type.

Read from the database every time and never from this process's memory: a replica that has heard of a change is not to
be given what was before it.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz import registry
from services.authz.catalogue import Catalogues
from services.authz.facts import facts_until, facts_until_of_many
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from shared.db import Database, Tx
from shared.errors import NotFound
from staffgate.client.parts import ItemsByType, PersonFacts, RegisteredItems, Standings, StandingsQuery

_NOBODY = UUID(int=0)


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


async def _revision(tx: Tx, org: UUID) -> int:
    revision = await revision_store.revision(tx, org)
    if revision is None:
        raise NotFound("not_found", "There is no such organisation.")
    return revision


def _nobody() -> NotFound:
    return NotFound("not_found", "There is nobody of that id.")
