"""Groups of staff, some of them a tenant's, and their members."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    tenant: str | None
    name: str


class GroupMemberRow(msgspec.Struct, frozen=True, kw_only=True):
    staff_group: UUID
    staff: UUID


async def groups(tx: Tx, org: UUID) -> list[GroupRow]:
    return await tx.all(
        GroupRow, "SELECT id, tenant, name FROM staff_group WHERE org = $1 ORDER BY tenant NULLS FIRST, name, id", org
    )


async def group(tx: Tx, org: UUID, id: UUID) -> GroupRow | None:
    return await tx.one(GroupRow, "SELECT id, tenant, name FROM staff_group WHERE org = $1 AND id = $2", org, id)


async def namesake(tx: Tx, org: UUID, tenant: str | None, name: str) -> UUID | None:
    """The group of that name in that tenant, or in none."""
    found: UUID | None = await tx.value(
        "SELECT id FROM staff_group WHERE org = $1 AND tenant IS NOT DISTINCT FROM $2 AND name = $3", org, tenant, name
    )
    return found


async def add_group(tx: Tx, org: UUID, row: GroupRow) -> None:
    await tx.run(
        "INSERT INTO staff_group (org, id, tenant, name) VALUES ($1, $2, $3, $4)", org, row.id, row.tenant, row.name
    )


async def rename_group(tx: Tx, org: UUID, id: UUID, name: str) -> None:
    await tx.run("UPDATE staff_group SET name = $3 WHERE org = $1 AND id = $2", org, id, name)


async def remove_group(tx: Tx, org: UUID, id: UUID) -> None:
    """With the roles that were assigned to it."""
    await tx.run("DELETE FROM staff_group WHERE org = $1 AND id = $2", org, id)


async def members(tx: Tx, org: UUID, group: UUID) -> list[UUID]:
    return await tx.column(
        "SELECT staff FROM group_member WHERE org = $1 AND staff_group = $2 ORDER BY staff", org, group
    )


async def memberships(tx: Tx, org: UUID) -> list[GroupMemberRow]:
    return await tx.all(
        GroupMemberRow, "SELECT staff_group, staff FROM group_member WHERE org = $1 ORDER BY staff", org
    )


async def add_members(tx: Tx, org: UUID, group: UUID, staff: Collection[UUID]) -> None:
    await tx.run(
        "INSERT INTO group_member (org, staff_group, staff) SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING",
        org, group, list(staff),
    )  # fmt: skip


async def remove_members(tx: Tx, org: UUID, group: UUID, staff: Collection[UUID]) -> None:
    await tx.run(
        "DELETE FROM group_member WHERE org = $1 AND staff_group = $2 AND staff = ANY($3)", org, group, list(staff)
    )
