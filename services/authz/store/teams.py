"""The team tree, and who is in which team."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx


class TeamRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    parent: UUID | None
    name: str


class BranchRow(msgspec.Struct, frozen=True, kw_only=True):
    team: UUID
    below: list[UUID]


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    team: UUID
    staff: UUID


async def teams(tx: Tx, org: UUID) -> list[TeamRow]:
    return await tx.all(TeamRow, "SELECT id, parent, name FROM team WHERE org = $1 ORDER BY name, id", org)


async def team(tx: Tx, org: UUID, id: UUID) -> TeamRow | None:
    return await tx.one(TeamRow, "SELECT id, parent, name FROM team WHERE org = $1 AND id = $2", org, id)


async def root(tx: Tx, org: UUID) -> TeamRow | None:
    return await tx.one(TeamRow, "SELECT id, parent, name FROM team WHERE org = $1 AND parent IS NULL", org)


async def branches(tx: Tx, org: UUID, teams: Collection[UUID]) -> list[BranchRow]:
    """Each of these teams with every team below it, itself included."""
    return await tx.all(
        BranchRow,
        "WITH RECURSIVE branch (top, id) AS (SELECT id, id FROM team WHERE org = $1 AND id = ANY($2) UNION ALL"
        " SELECT b.top, t.id FROM branch b JOIN team t ON t.org = $1 AND t.parent = b.id)"
        " SELECT top AS team, array_agg(id ORDER BY id) AS below FROM branch GROUP BY top",
        org, list(teams),
    )  # fmt: skip


async def ancestors(tx: Tx, org: UUID, id: UUID) -> list[UUID]:
    """The team itself first, the root last."""
    return await tx.column(
        "WITH RECURSIVE up (id, parent, step) AS (SELECT id, parent, 0 FROM team WHERE org = $1 AND id = $2 UNION ALL"
        " SELECT t.id, t.parent, u.step + 1 FROM up u JOIN team t ON t.org = $1 AND t.id = u.parent)"
        " SELECT id FROM up ORDER BY step",
        org, id,
    )  # fmt: skip


async def add_team(tx: Tx, org: UUID, new: TeamRow) -> None:
    await tx.run(
        "INSERT INTO team (org, id, parent, name) VALUES ($1, $2, $3, $4)", org, new.id, new.parent, new.name
    )  # fmt: skip


async def put_team(tx: Tx, org: UUID, changed: TeamRow) -> None:
    await tx.run(
        "UPDATE team SET parent = $3, name = $4 WHERE org = $1 AND id = $2",
        org, changed.id, changed.parent, changed.name,
    )  # fmt: skip


async def sibling(tx: Tx, org: UUID, parent: UUID | None, name: str) -> UUID | None:
    """The team of that name under that parent."""
    found: UUID | None = await tx.value(
        "SELECT id FROM team WHERE org = $1 AND parent IS NOT DISTINCT FROM $2 AND name = $3", org, parent, name
    )
    return found


async def occupied(tx: Tx, org: UUID, id: UUID) -> bool:
    """Has it members, or teams below it?"""
    found: bool = await tx.value(
        "SELECT EXISTS (SELECT FROM team_member WHERE org = $1 AND team = $2)"
        " OR EXISTS (SELECT FROM team WHERE org = $1 AND parent = $2)",
        org, id,
    )  # fmt: skip
    return found


async def remove_team(tx: Tx, org: UUID, id: UUID) -> None:
    await tx.run("DELETE FROM team WHERE org = $1 AND id = $2", org, id)


async def members(tx: Tx, org: UUID) -> list[MemberRow]:
    return await tx.all(MemberRow, "SELECT team, staff FROM team_member WHERE org = $1 ORDER BY staff", org)


async def members_of(tx: Tx, org: UUID, teams: Collection[UUID]) -> list[MemberRow]:
    return await tx.all(
        MemberRow,
        "SELECT team, staff FROM team_member WHERE org = $1 AND team = ANY($2) ORDER BY staff",
        org, list(teams),
    )  # fmt: skip


async def teams_of(tx: Tx, org: UUID, staff: Collection[UUID]) -> dict[UUID, UUID]:
    rows = await tx.all(
        MemberRow, "SELECT team, staff FROM team_member WHERE org = $1 AND staff = ANY($2)", org, list(staff)
    )
    return {row.staff: row.team for row in rows}


async def place(tx: Tx, org: UUID, team: UUID, staff: Collection[UUID]) -> None:
    await tx.run(
        "INSERT INTO team_member (org, staff, team) SELECT $1, unnest($3::uuid[]), $2"
        " ON CONFLICT (org, staff) DO UPDATE SET team = excluded.team",
        org, team, list(staff),
    )  # fmt: skip
