"""What the replicas inside products ask for: the facts about one person, and the items of one type.

Read from the database every time and never from this process's memory: a replica that has heard of a change is not to
be given what was before it.
"""

from __future__ import annotations

from uuid import UUID

from services.authz import registry
from services.authz.catalogue import Catalogues
from services.authz.facts import facts_until
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from shared.db import Database
from shared.errors import NotFound
from staffgate.client.parts import PersonFacts, RegisteredItems


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

    async def registry(self, org: UUID, type: str) -> RegisteredItems:
        """Of a type that nobody knows there are none."""
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await revision_store.revision(tx, org)
            if revision is None:
                raise NotFound("not_found", "There is no such organisation.")
            items = await registry.items_of(tx, org, self._catalogues.current, type)
        return RegisteredItems(items=items, revision=revision)


def _nobody() -> NotFound:
    return NotFound("not_found", "There is nobody of that id.")
