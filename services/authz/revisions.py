"""The organisation's revision: raised by one with every change, in the transaction of the change.

Its row is locked before anything is read that the change depends on, so changes to one organisation happen one after
the other, and a snapshot at a revision holds every change up to it and none after.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.authz.facts import facts_until_of_many
from services.authz.store import revisions as store
from services.authz.store.audit import AuditRow
from shared.db import Tx
from staffgate.client.parts import PersonFacts
from staffgate.contracts.authz import PermissionsChanged

_FEW = 4  # people who are told about in an announcement, with all that counts of them
_SMALL = 16384  # bytes, all of them together


async def open_organisation(tx: Tx, org: UUID) -> bool:
    """Make the organisation known, and hold it; False where it was known."""
    if await store.lock_revision(tx, org) is not None:
        return False
    added = await store.add_organisation(tx, org)
    await store.lock_revision(tx, org)
    return added


async def raised(
    tx: Tx,
    org: UUID,
    people: list[UUID] | None,
    types: Sequence[str] = (),
    *,
    entries: Sequence[AuditRow] = (),
    standings: bool = False,
) -> int:
    """Raise the revision that this transaction holds, note these entries of the audit log at it, and tell whose
    permissions are not what they were, and which types' registered items.

    With `standings`, of a few people also what they have now: one query here, instead of a load by every replica that
    remembers them.
    """
    revision = await store.raise_revision(tx, org, people, types, entries)
    carried = await _carried(tx, org, people) if standings and people and len(people) <= _FEW else {}
    await tx.emit(
        PermissionsChanged(
            org=org, previous=revision - 1, revision=revision, people=people, types=tuple(types), standings=carried
        )
    )
    return revision


async def _carried(tx: Tx, org: UUID, people: list[UUID]) -> dict[UUID, msgspec.Raw]:
    facts = await facts_until_of_many(tx, org, people, tx.database.clock.now())
    found = {
        staff: msgspec.Raw(msgspec.json.encode(PersonFacts(org=org, facts=one, until=until)))
        for staff, (one, until) in facts.items()
    }
    return found if sum(map(len, found.values())) <= _SMALL else {}
