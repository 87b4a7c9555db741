"""Product access levels, one a person, contract and product."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.level import AccessLevel


class AccessRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    contract: str
    product: str
    level: AccessLevel


async def access_of(tx: Tx, org: UUID, staff: Collection[UUID]) -> list[AccessRow]:
    return await tx.all(
        AccessRow,
        "SELECT id, staff, contract, product, level FROM product_access WHERE org = $1 AND staff = ANY($2)"
        " ORDER BY staff, contract, product",
        org, list(staff),
    )  # fmt: skip


async def access_in(tx: Tx, org: UUID, contract: str) -> list[AccessRow]:
    return await tx.all(
        AccessRow,
        "SELECT id, staff, contract, product, level FROM product_access WHERE org = $1 AND contract = $2"
        " ORDER BY staff, product",
        org, contract,
    )  # fmt: skip


async def put_access(tx: Tx, org: UUID, access: AccessRow) -> None:
    await tx.run(
        "INSERT INTO product_access (org, id, staff, contract, product, level) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (org, staff, contract, product) DO UPDATE SET level = excluded.level",
        org, access.id, access.staff, access.contract, access.product, access.level,
    )  # fmt: skip


async def remove_access(tx: Tx, org: UUID, staff: UUID, contract: str, product: str) -> None:
    await tx.run(
        "DELETE FROM product_access WHERE org = $1 AND staff = $2 AND contract = $3 AND product = $4",
        org, staff, contract, product,
    )  # fmt: skip
