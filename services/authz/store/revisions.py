"""The revision of each organisation."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx


class _Changed(msgspec.Struct, frozen=True):
    org: UUID
    revision: int


async def add_organisation(tx: Tx, org: UUID) -> bool:
    """At revision 0; False where it is known already."""
    return (
        await tx.run(
            "INSERT INTO organisation_revision (org, revision) VALUES ($1, 0) ON CONFLICT (org) DO NOTHING", org
        )
        == 1
    )


async def revision(tx: Tx, org: UUID) -> int | None:
    """None where the organisation is not known."""
    found: int | None = await tx.value("SELECT revision FROM organisation_revision WHERE org = $1", org)
    return found


async def lock_revision(tx: Tx, org: UUID) -> int | None:
    """Held until the end of the transaction: changes to one organisation happen one after the other."""
    found: int | None = await tx.value("SELECT revision FROM organisation_revision WHERE org = $1 FOR UPDATE", org)
    return found


async def raise_revision(tx: Tx, org: UUID) -> int:
    raised: int = await tx.value(
        "UPDATE organisation_revision SET revision = revision + 1, changed_at = clock_timestamp()"
        " WHERE org = $1 RETURNING revision", org
    )  # fmt: skip
    return raised


async def changed_anywhere(tx: Tx, seconds: float, limit: int) -> dict[UUID, int]:
    """The revisions of the organisations that have changed during the last seconds."""
    rows = await tx.all(
        _Changed,
        "SELECT org, revision FROM organisation_revision"
        " WHERE changed_at > clock_timestamp() - make_interval(secs => $1) LIMIT $2",
        seconds, limit,
    )  # fmt: skip
    return {row.org: row.revision for row in rows}
