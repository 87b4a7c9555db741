"""Roles in people's and groups' hands."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class AssignmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """To a person or to a group."""

    id: UUID
    staff: UUID | None
    staff_group: UUID | None
    role: str
    contract: str | None
    tenant: str | None
    expires_at: datetime | None


class HoldingRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a person holds, through a group too."""

    id: UUID
    holder: UUID
    staff_group: UUID | None
    role: str
    contract: str | None
    tenant: str | None
    expires_at: datetime | None


_COLUMNS = "id, staff, staff_group, role, contract, tenant, expires_at"


async def holdings_of(tx: Tx, org: UUID, staff: Collection[UUID]) -> list[HoldingRow]:
    """Those that have expired too."""
    return await tx.all(
        HoldingRow,
        "SELECT a.id, a.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at FROM assignment a"
        " WHERE a.org = $1 AND a.staff = ANY($2)"
        " UNION ALL"
        " SELECT a.id, m.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at"
        " FROM group_member m JOIN assignment a ON a.org = m.org AND a.staff_group = m.staff_group"
        " WHERE m.org = $1 AND m.staff = ANY($2) ORDER BY id",
        org, list(staff),
    )  # fmt: skip


async def assignments_to(tx: Tx, org: UUID, *, staff: UUID | None, group: UUID | None) -> list[AssignmentRow]:
    return await tx.all(
        AssignmentRow,
        f"SELECT {_COLUMNS} FROM assignment WHERE org = $1 AND (staff = $2 OR staff_group = $3) ORDER BY id",
        org, staff, group,
    )  # fmt: skip


async def assignments_of(tx: Tx, org: UUID, role: str) -> list[AssignmentRow]:
    return await tx.all(
        AssignmentRow, f"SELECT {_COLUMNS} FROM assignment WHERE org = $1 AND role = $2 ORDER BY id", org, role
    )


async def assignment(tx: Tx, org: UUID, id: UUID) -> AssignmentRow | None:
    return await tx.one(AssignmentRow, f"SELECT {_COLUMNS} FROM assignment WHERE org = $1 AND id = $2", org, id)


async def put_assignment(tx: Tx, org: UUID, new: AssignmentRow) -> AssignmentRow:
    """One that is there keeps its id and gets the new end."""
    row = await tx.one(
        AssignmentRow,
        f"INSERT INTO assignment (org, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (org, staff, staff_group, role, contract, tenant) DO UPDATE SET expires_at = excluded.expires_at"
        f" RETURNING {_COLUMNS}",
        org, new.id, new.staff, new.staff_group, new.role, new.contract, new.tenant, new.expires_at,
    )  # fmt: skip
    assert row is not None
    return row


async def add_assignment(tx: Tx, org: UUID, new: AssignmentRow) -> bool:
    """False where there is the same one, which stays as it is."""
    return await tx.run(
        f"INSERT INTO assignment (org, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (org, staff, staff_group, role, contract, tenant) DO NOTHING",
        org, new.id, new.staff, new.staff_group, new.role, new.contract, new.tenant, new.expires_at,
    ) == 1  # fmt: skip


async def remove_assignments(tx: Tx, org: UUID, ids: Collection[UUID]) -> None:
    await tx.run("DELETE FROM assignment WHERE org = $1 AND id = ANY($2)", org, list(ids))


async def holders(tx: Tx, org: UUID, role: str) -> set[UUID]:
    """Everybody who holds it, through a group too."""
    return set(
        await tx.column(
            "SELECT a.staff FROM assignment a WHERE a.org = $1 AND a.role = $2 AND a.staff IS NOT NULL UNION"
            " SELECT m.staff FROM assignment a JOIN group_member m ON m.org = a.org AND m.staff_group = a.staff_group"
            " WHERE a.org = $1 AND a.role = $2",
            org, role,
        )
    )  # fmt: skip


async def holders_in(tx: Tx, org: UUID, roles: Collection[str], teams: Collection[UUID]) -> set[UUID]:
    """Members of these teams who hold one of these roles, through a group too."""
    return set(
        await tx.column(
            "SELECT t.staff FROM team_member t WHERE t.org = $1 AND t.team = ANY($3) AND (EXISTS (SELECT FROM"
            " assignment a WHERE a.org = $1 AND a.staff = t.staff AND a.role = ANY($2)) OR EXISTS (SELECT FROM"
            " group_member m JOIN assignment a ON a.org = m.org AND a.staff_group = m.staff_group"
            " WHERE m.org = $1 AND m.staff = t.staff AND a.role = ANY($2)))",
            org, list(roles), list(teams),
        )
    )  # fmt: skip


async def holders_where(tx: Tx, org: UUID, *, contract: str | None = None, tenant: str | None = None) -> set[UUID]:
    """Everybody who holds a role in that contract or that tenant, or through a group of that tenant."""
    return set(
        await tx.column(
            "SELECT a.staff FROM assignment a WHERE a.org = $1 AND (a.contract = $2 OR a.tenant = $3)"
            " AND a.staff IS NOT NULL UNION"
            " SELECT m.staff FROM assignment a JOIN staff_group g ON g.org = a.org AND g.id = a.staff_group"
            " JOIN group_member m ON m.org = g.org AND m.staff_group = g.id"
            " WHERE a.org = $1 AND (a.contract = $2 OR a.tenant = $3 OR g.tenant = $3)",
            org, contract, tenant,
        )
    )  # fmt: skip


# --- what has expired -----------------------------------------------------------------------------------------


async def ended_anywhere(tx: Tx, now: datetime) -> list[UUID]:
    """The organisations that have some."""
    return await tx.column("SELECT DISTINCT org FROM assignment WHERE expires_at <= $1 ORDER BY org", now)


async def ended(tx: Tx, org: UUID, now: datetime) -> list[UUID]:
    return await tx.column("SELECT id FROM assignment WHERE org = $1 AND expires_at <= $2 ORDER BY id", org, now)


async def holders_by(tx: Tx, org: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Everybody who holds something by one of these, through a group too."""
    return set(
        await tx.column(
            "SELECT a.staff FROM assignment a WHERE a.org = $1 AND a.id = ANY($2) AND a.staff IS NOT NULL UNION"
            " SELECT m.staff FROM assignment a JOIN group_member m ON m.org = a.org AND m.staff_group = a.staff_group"
            " WHERE a.org = $1 AND a.id = ANY($2)",
            org, list(ids),
        )
    )  # fmt: skip
