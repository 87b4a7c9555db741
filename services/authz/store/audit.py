"""The audit log. There is no function that changes or deletes an entry, and the service's role has no right to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int = 0
    at: datetime
    actor: UUID
    ip: str
    kind: str
    people: list[UUID]
    change: str
    before: str | None
    after: str | None
    refusal: str | None
    revision: int | None


async def add_entry(tx: Tx, org: UUID, row: AuditRow) -> None:
    await tx.run(
        "INSERT INTO audit_entry (org, at, actor, ip, kind, people, change, before, after, refusal, revision)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        org, row.at, row.actor, row.ip, row.kind, row.people, row.change, row.before, row.after, row.refusal,
        row.revision,
    )  # fmt: skip


async def entries(
    tx: Tx, org: UUID, *, person: UUID | None, kind: str | None, since: datetime | None, until: datetime | None,
    before: int | None, limit: int,
) -> list[AuditRow]:  # fmt: skip
    """The newest first; `before` is the number of the last one of the page before."""
    return await tx.all(
        AuditRow,
        "SELECT number, at, actor, ip, kind, people, change::text AS change, before::text AS before,"
        " after::text AS after, refusal, revision FROM audit_entry WHERE org = $1"
        " AND ($2::uuid IS NULL OR actor = $2 OR people @> ARRAY[$2::uuid]) AND ($3::text IS NULL OR kind = $3)"
        " AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)"
        " AND ($6::bigint IS NULL OR number < $6) ORDER BY number DESC LIMIT $7",
        org, person, kind, since, until, before, limit,
    )  # fmt: skip
