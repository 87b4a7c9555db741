"""What is known of one person at a revision, read from the database and compiled for deciding."""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz.store import grants as grant_store
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from shared.db import Database, Tx
from staffgate.decision import Catalogue, Facts, Snapshot, resolve


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Whose somebody is, and what they may do there."""

    org: UUID
    snapshot: Snapshot


async def facts_of(tx: Tx, org: UUID, staff: UUID) -> Facts | None:
    """None where there is nobody of that id in the organisation.

    The revision first: in a REPEATABLE READ transaction all of it is of one moment, in any other the organisation has
    to be held (lock_revision).
    """
    revision = await revision_store.revision(tx, org)
    subject = await subject_store.subject(tx, org, staff)
    if revision is None or subject is None:
        return None
    return Facts(
        staff=staff,
        revision=revision,
        org_active=True,  # identity has no way yet to switch an organisation off
        type=subject.type,
        status=subject.status,
        default_level=subject.default_level,
        route_anywhere=subject.route_anywhere,
        grants=tuple(await grant_store.grants_of(tx, org, staff)),
    )


class Reader:
    """Reads anybody, in whichever organisation they are."""

    def __init__(self, db: Database, catalogue: Catalogue) -> None:
        self._db = db
        self._catalogue = catalogue

    async def __call__(self, staff: UUID) -> Standing | None:
        async with self._db.begin_anywhere() as tx:
            org = await subject_store.organisation_of_anywhere(tx, staff)
        if org is None:
            return None
        async with self._db.begin(org, snapshot=True) as tx:
            facts = await facts_of(tx, org, staff)
        return None if facts is None else Standing(org, resolve(facts, self._catalogue))
