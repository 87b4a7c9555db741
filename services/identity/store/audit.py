"""The audit log: a chain of entries an organisation, each bound to the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    body: str
    hash: bytes


class HeadRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain ends, and the greatest number that an entry has."""

    number: int
    hash: bytes
    last: int


async def open_log(tx: Tx, org: UUID) -> None:
    await tx.run("INSERT INTO audit_head (org, number, hash) VALUES ($1, 0, '') ON CONFLICT DO NOTHING", org)


async def add_entry(tx: Tx, org: UUID, body: str) -> None:
    """The head is held until the commit, so that the numbers have no gap: do this last. One round trip."""
    await tx.run(
        "WITH head AS (SELECT number + 1 AS number, hash FROM audit_head WHERE org = $1 FOR UPDATE),"
        " entry AS (INSERT INTO audit (org, number, body, hash)"
        " SELECT $1, number, $2, sha256(hash || int8send(number) || convert_to($2, 'UTF8')) FROM head"
        " RETURNING number, hash)"
        " UPDATE audit_head SET number = entry.number, hash = entry.hash FROM entry WHERE org = $1",
        org, body,
    )  # fmt: skip


async def add_entries(tx: Tx, org: UUID, bodies: Sequence[str]) -> None:
    """Many, in this order. The chain is worked out here: three statements, however many there are."""
    head = await tx.one(HeadRow, "SELECT number, hash, number AS last FROM audit_head WHERE org = $1 FOR UPDATE", org)
    assert head is not None
    hashes, last = [], head.hash
    for number, body in enumerate(bodies, head.number + 1):
        last = hashlib.sha256(last + number.to_bytes(8, "big") + body.encode()).digest()
        hashes.append(last)
    await tx.run(
        "INSERT INTO audit (org, number, body, hash) SELECT $1, $2 + place, body, hash"
        " FROM unnest($3::text[], $4::bytea[]) WITH ORDINALITY AS given (body, hash, place)",
        org, head.number, bodies, hashes,
    )  # fmt: skip
    number = head.number + len(bodies)
    await tx.run("UPDATE audit_head SET number = $2, hash = $3 WHERE org = $1", org, number, last)


async def entries(
    tx: Tx, org: UUID, *, person: UUID | None, event: str | None, since: datetime | None, until: datetime | None,
    before: int | None, limit: int,
) -> list[AuditRow]:  # fmt: skip
    """The newest first; of a person, what they did and what was done to them."""
    return await tx.all(
        AuditRow,
        "SELECT number, body, hash FROM audit WHERE org = $1"
        " AND ($2::text IS NULL OR actor = $2 OR target = $2) AND ($3::text IS NULL OR event = $3)"
        " AND ($4::text IS NULL OR at >= $4) AND ($5::text IS NULL OR at < $5)"
        " AND ($6::bigint IS NULL OR number < $6) ORDER BY number DESC LIMIT $7",
        org, None if person is None else str(person), event, _text(since), _text(until), before, limit,
    )  # fmt: skip


async def entries_after(tx: Tx, org: UUID, number: int, limit: int) -> list[AuditRow]:
    """In the order of the chain."""
    return await tx.all(
        AuditRow,
        "SELECT number, body, hash FROM audit WHERE org = $1 AND number > $2 ORDER BY number LIMIT $3",
        org, number, limit,
    )  # fmt: skip


async def head(tx: Tx, org: UUID) -> HeadRow | None:
    """In one statement: both belong to the same moment."""
    return await tx.one(
        HeadRow,
        "SELECT number, hash, (SELECT coalesce(max(number), 0) FROM audit WHERE org = $1) AS last"
        " FROM audit_head WHERE org = $1",
        org,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else written(at)


def written(at: datetime) -> str:
    """One form, so that times sort as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def logs_anywhere(tx: Tx) -> list[UUID]:
    return await tx.column("SELECT org FROM audit_head ORDER BY org")
