"""The numbers that an organisation's staff may appear with, and the visitors that it turns away."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import AllowedNumber, BlockedVisitor, NumberPurpose, VisitorKind, VisitorMatch


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a number is listed for a purpose, and whether anything is."""

    any: bool
    this: bool


# --- numbers --------------------------------------------------------------------------------------------------

_NUMBER = "number, label, purposes, added_by, added_at"


async def numbers(tx: Tx, org: UUID) -> list[AllowedNumber]:
    return await tx.all(AllowedNumber, f"SELECT {_NUMBER} FROM allowed_number WHERE org = $1 ORDER BY number", org)


async def count_numbers(tx: Tx, org: UUID, but: str) -> int:
    count: int = await tx.value("SELECT count(*) FROM allowed_number WHERE org = $1 AND number <> $2", org, but)
    return count


async def put_number(tx: Tx, org: UUID, new: AllowedNumber) -> AllowedNumber | None:
    """None where it is listed just so already."""
    return await tx.one(
        AllowedNumber,
        "INSERT INTO allowed_number AS old (org, number, label, purposes, added_by, added_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org, number) DO UPDATE SET label = $3, purposes = $4,"
        " added_by = $5, added_at = $6 WHERE (old.label, old.purposes) IS DISTINCT FROM ($3, $4::text[])"
        f" RETURNING {_NUMBER}",
        org, new.number, new.label, [*new.purposes], new.added_by, new.added_at,
    )  # fmt: skip


async def number(tx: Tx, org: UUID, number: str) -> AllowedNumber | None:
    return await tx.one(
        AllowedNumber, f"SELECT {_NUMBER} FROM allowed_number WHERE org = $1 AND number = $2", org, number
    )


async def drop_number(tx: Tx, org: UUID, number: str) -> bool:
    return await tx.run("DELETE FROM allowed_number WHERE org = $1 AND number = $2", org, number) == 1


async def listed(tx: Tx, org: UUID, number: str, purpose: NumberPurpose) -> Listed | None:
    """None where there is no such organisation, or it is closed."""
    return await tx.one(
        Listed,
        "SELECT EXISTS (SELECT FROM allowed_number WHERE org = $1 AND $3 = ANY(purposes)) AS any,"
        " EXISTS (SELECT FROM allowed_number WHERE org = $1 AND $3 = ANY(purposes) AND number = $2) AS this"
        " FROM organisation WHERE org = $1 AND closed_at IS NULL",
        org, number, purpose,
    )  # fmt: skip


# --- visitors -------------------------------------------------------------------------------------------------

_VISITOR = "id, kind, value, reason, added_by, added_at"


async def block(tx: Tx, org: UUID, new: BlockedVisitor) -> bool:
    """False where the visitor is on the list."""
    return await tx.run(
        "INSERT INTO blocked_visitor (org, id, kind, value, reason, added_by, added_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        org, new.id, new.kind, new.value, new.reason, new.added_by, new.added_at,
    ) == 1  # fmt: skip


async def unblock(tx: Tx, org: UUID, id: UUID) -> VisitorKind | None:
    kind: str | None = await tx.value("DELETE FROM blocked_visitor WHERE org = $1 AND id = $2 RETURNING kind", org, id)
    return None if kind is None else VisitorKind(kind)


async def count_visitors(tx: Tx, org: UUID) -> int:
    count: int = await tx.value("SELECT count(*) FROM blocked_visitor WHERE org = $1", org)
    return count


async def visitors(
    tx: Tx, org: UUID, *, kind: VisitorKind | None, words: str, before: UUID | None, limit: int
) -> list[BlockedVisitor]:
    """The newest first: ids sort by the time of their making. `words` as they were typed."""
    pattern = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await tx.all(
        BlockedVisitor,
        f"SELECT {_VISITOR} FROM blocked_visitor WHERE org = $1 AND ($2::text IS NULL OR kind = $2)"
        " AND (value ILIKE $3 OR reason ILIKE $3) AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        org, kind, f"%{pattern}%", before, limit,
    )  # fmt: skip


async def matches(tx: Tx, org: UUID, known: Sequence[tuple[VisitorKind, str]]) -> list[VisitorMatch]:
    return await tx.all(
        VisitorMatch,
        "SELECT id, kind FROM blocked_visitor WHERE org = $1"
        " AND (kind, value) IN (SELECT * FROM unnest($2::text[], $3::text[])) ORDER BY id",
        org, [kind for kind, _ in known], [value for _, value in known],
    )  # fmt: skip


async def is_open(tx: Tx, org: UUID) -> bool:
    found: bool = await tx.value("SELECT count(*) = 1 FROM organisation WHERE org = $1 AND closed_at IS NULL", org)
    return found
