"""The revision of each organisation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec

from services.authz.store.audit import AuditRow
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


def hold(org: UUID) -> str:
    """The same to go along with BEGIN, for one who does not ask whether it is known."""
    return f"SELECT revision FROM organisation_revision WHERE org = '{UUID(str(org))}' FOR UPDATE"


async def raise_revision(
    tx: Tx, org: UUID, people: Collection[UUID] | None, types: Collection[str], entries: Sequence[AuditRow] = ()
) -> int:
    """And note whom and what the new revision is about (None: everybody), and in the audit log what was changed at it: one
    statement for all of it."""
    raised: int = await tx.value(
        "WITH raised AS (UPDATE organisation_revision SET revision = revision + 1, changed_at = clock_timestamp()"
        " WHERE org = $1 RETURNING revision),"
        " recent AS (INSERT INTO recent_change (org, revision, people, types)"
        " SELECT $1, revision, $10::uuid[], $11::text[] FROM raised),"
        " noted AS (INSERT INTO audit_entry (org, at, actor, ip, kind, people, change, before, after, revision)"
        " SELECT $1, at, actor, ip, kind, people::uuid[], change::jsonb, before::jsonb, after::jsonb,"
        " (SELECT revision FROM raised) FROM unnest($2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[],"
        " $7::text[], $8::text[], $9::text[]) WITH ORDINALITY"
        " AS given (at, actor, ip, kind, people, change, before, after, place) ORDER BY place)"
        " SELECT revision FROM raised",
        org, [row.at for row in entries], [row.actor for row in entries], [row.ip for row in entries],
        [row.kind for row in entries], [f"{{{','.join(map(str, row.people))}}}" for row in entries],
        [row.change for row in entries], [row.before for row in entries], [row.after for row in entries],
        None if people is None else list(people), list(types),
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
