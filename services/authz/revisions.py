"""The organisation's revision: raised by one with every change, in the transaction of the change.

Its row is locked before anything is read that the change depends on, so changes to one organisation happen one after
the other, and a snapshot at a revision holds every change up to it and none after.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.authz.store import revisions as store
from shared.db import Tx
from staffgate.contracts.authz import PermissionsChanged


async def open_organisation(tx: Tx, org: UUID) -> bool:
    """Make the organisation known, and hold it; False where it was known."""
    if await store.lock_revision(tx, org) is not None:
        return False
    added = await store.add_organisation(tx, org)
    await store.lock_revision(tx, org)
    return added


async def raised(tx: Tx, org: UUID, people: list[UUID] | None, types: Sequence[str] = ()) -> int:
    """Raise the revision that this transaction holds, and tell whose permissions are not what they were, and which
    types' registered items."""
    revision = await store.raise_revision(tx, org)
    changed = PermissionsChanged(org=org, previous=revision - 1, revision=revision, people=people, types=tuple(types))
    await tx.emit(changed)
    return revision
