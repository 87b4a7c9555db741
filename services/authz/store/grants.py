"""Explicit grants. Where a target is not narrowed by a feature or an item, the column is empty and never null."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.level import Level


class _GrantRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    section: str
    feature: str
    item: str
    level: Level

    @property
    def grant(self) -> Grant:
        target = Target(section=self.section, feature=self.feature or None, item=self.item or None)
        return Grant(id=self.id, target=target, level=self.level)


async def grants_of(tx: Tx, org: UUID, staff: UUID) -> list[Grant]:
    rows = await tx.all(
        _GrantRow,
        "SELECT id, section, feature, item, level FROM permission_grant WHERE org = $1 AND staff = $2"
        " ORDER BY section, feature, item",
        org, staff,
    )  # fmt: skip
    return [row.grant for row in rows]


async def put_grant(tx: Tx, org: UUID, staff: UUID, grant: Grant) -> Grant:
    """A target that has a grant keeps its id and gets the new level."""
    row = await tx.one(
        _GrantRow,
        "INSERT INTO permission_grant (org, id, staff, section, feature, item, level)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (org, staff, section, feature, item) DO UPDATE SET level = excluded.level"
        " RETURNING id, section, feature, item, level",
        org, grant.id, staff, grant.target.section, grant.target.feature or "", grant.target.item or "", grant.level,
    )  # fmt: skip
    assert row is not None
    return row.grant


async def remove_grant(tx: Tx, org: UUID, staff: UUID, id: UUID) -> None:
    await tx.run("DELETE FROM permission_grant WHERE org = $1 AND staff = $2 AND id = $3", org, staff, id)
