"""What everybody in one organisation has in common, in one query."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx


class OrganisationRow(msgspec.Struct, frozen=True, kw_only=True):
    revision: int
    closed: bool
    contracts: str
    tenants: list[str]


async def organisation(tx: Tx, org: UUID) -> OrganisationRow | None:
    """None where it is not known. `contracts` is JSON: the products of each, by its key."""
    return await tx.one(
        OrganisationRow,
        "SELECT r.revision, r.closed, coalesce((SELECT jsonb_object_agg(c.key, c.products) FROM contract c WHERE c.org = $1),"
        " '{}')::text AS contracts, ARRAY(SELECT t.key FROM tenant t WHERE t.org = $1 ORDER BY t.key) AS tenants"
        " FROM organisation_revision r WHERE r.org = $1",
        org,
    )


async def close_organisation(tx: Tx, org: UUID) -> bool:
    """False where it is closed already. There is no way back."""
    return await tx.run("UPDATE organisation_revision SET closed = true WHERE org = $1 AND NOT closed", org) == 1
