"""Explicit grants. Where a target names no product, section, feature or item, the column is empty and never null."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.level import Level

_COLUMNS = "id, staff, product, section, feature, item, contract, tenant, level, expires_at"


class GrantRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    product: str
    section: str
    feature: str
    item: str
    contract: str | None
    tenant: str | None
    level: Level
    expires_at: datetime | None

    @property
    def grant(self) -> Grant:
        target = Target(
            product=self.product or None,
            section=self.section or None,
            feature=self.feature or None,
            item=self.item or None,
            contract=self.contract,
            tenant=self.tenant,
        )
        return Grant(id=self.id, target=target, level=self.level, expires_at=self.expires_at)


async def grants_of(tx: Tx, org: UUID, staff: Collection[UUID]) -> list[GrantRow]:
    """Those that have expired too."""
    return await tx.all(
        GrantRow,
        f"SELECT {_COLUMNS} FROM permission_grant WHERE org = $1 AND staff = ANY($2)"
        " ORDER BY staff, product, section, feature, item, contract, tenant",
        org, list(staff),
    )  # fmt: skip


async def put_grant(tx: Tx, org: UUID, staff: UUID, grant: Grant) -> Grant:
    """A target that has a grant keeps its id and gets the new level and end."""
    target = grant.target
    row = await tx.one(
        GrantRow,
        "INSERT INTO permission_grant (org, id, staff, product, section, feature, item, contract, tenant, level,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (org, staff, product, section, feature, item, contract, tenant)"
        f" DO UPDATE SET level = excluded.level, expires_at = excluded.expires_at RETURNING {_COLUMNS}",
        org, grant.id, staff, target.product or "", target.section or "", target.feature or "", target.item or "",
        target.contract, target.tenant, grant.level, grant.expires_at,
    )  # fmt: skip
    assert row is not None
    return row.grant


async def remove_grants(tx: Tx, org: UUID, staff: UUID, ids: Collection[UUID]) -> None:
    await tx.run("DELETE FROM permission_grant WHERE org = $1 AND staff = $2 AND id = ANY($3)", org, staff, list(ids))
