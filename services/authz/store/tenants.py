"""Tenants and their members."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx


class TenantRow(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str


async def tenants(tx: Tx, org: UUID) -> list[TenantRow]:
    return await tx.all(TenantRow, "SELECT key, label FROM tenant WHERE org = $1 ORDER BY key", org)


async def tenant(tx: Tx, org: UUID, key: str) -> TenantRow | None:
    return await tx.one(TenantRow, "SELECT key, label FROM tenant WHERE org = $1 AND key = $2", org, key)


async def put_tenant(tx: Tx, org: UUID, row: TenantRow) -> None:
    await tx.run(
        "INSERT INTO tenant (org, key, label) VALUES ($1, $2, $3)"
        " ON CONFLICT (org, key) DO UPDATE SET label = excluded.label",
        org, row.key, row.label,
    )  # fmt: skip


async def remove_tenant(tx: Tx, org: UUID, key: str) -> None:
    """With its groups, and what was granted or assigned in it."""
    await tx.run("DELETE FROM tenant WHERE org = $1 AND key = $2", org, key)


async def members(tx: Tx, org: UUID, tenant: str) -> list[UUID]:
    return await tx.column("SELECT staff FROM tenant_member WHERE org = $1 AND tenant = $2 ORDER BY staff", org, tenant)


async def add_members(tx: Tx, org: UUID, tenant: str, staff: Collection[UUID]) -> None:
    await tx.run(
        "INSERT INTO tenant_member (org, tenant, staff) SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING",
        org, tenant, list(staff),
    )  # fmt: skip


async def remove_members(tx: Tx, org: UUID, tenant: str, staff: Collection[UUID]) -> None:
    """Out of the tenant's groups as well: their members are members of the tenant."""
    await tx.run(
        "DELETE FROM group_member WHERE org = $1 AND staff = ANY($3)"
        " AND staff_group IN (SELECT id FROM staff_group WHERE org = $1 AND tenant = $2)",
        org, tenant, list(staff),
    )  # fmt: skip
    await tx.run(
        "DELETE FROM tenant_member WHERE org = $1 AND tenant = $2 AND staff = ANY($3)", org, tenant, list(staff)
    )
