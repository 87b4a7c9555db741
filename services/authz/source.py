"""Where this service's mirror loads its parts from: PostgreSQL, each part in one transaction that reads the revision first."""

from __future__ import annotations

from uuid import UUID

from services.authz import registry
from services.authz.facts import facts_until
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from shared.db import Database
from staffgate.decision import Catalogue
from staffgate.mirror import Registry, Resolve, Standing

_MOST_ORGS = 10_000  # people; 0.2 KiB each


class Stored:
    """Asked for a part it reads the present one; there is no copy that could be behind."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # Nobody changes the organisation, so it is read once: three round trips of every later load.
        self._orgs: dict[UUID, UUID] = {}

    async def standing(self, staff: UUID, resolve: Resolve, at_least: int = 0) -> Standing | None:
        org = self._orgs.get(staff) or await self._org_of(staff)
        if org is None:
            return None
        async with self._db.begin(org, snapshot=True) as tx:
            found = await facts_until(tx, org, staff, self._db.clock.now())
        if found is None:
            return None
        facts, until = found
        snapshot = resolve(facts)
        return Standing(org, snapshot, snapshot.team, None if until is None else until.timestamp())

    async def _org_of(self, staff: UUID) -> UUID | None:
        async with self._db.begin_anywhere() as tx:
            org = await subject_store.organisation_of_anywhere(tx, staff)
        if org is not None:
            if len(self._orgs) >= _MOST_ORGS:
                self._orgs.clear()
            self._orgs[staff] = org
        return org

    async def registry(self, org: UUID, type: str, catalogue: Catalogue, at_least: int = 0) -> Registry:
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await revision_store.revision(tx, org)
            items = await registry.items_of(tx, org, catalogue, type)
        return Registry(org, type, revision or 0, {item.id: item for item in items})
