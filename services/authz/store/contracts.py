"""Contracts, and the products that each carries."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx


class ContractRow(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str
    products: list[str]


async def contracts(tx: Tx, org: UUID) -> list[ContractRow]:
    return await tx.all(ContractRow, "SELECT key, label, products FROM contract WHERE org = $1 ORDER BY key", org)


async def contract(tx: Tx, org: UUID, key: str) -> ContractRow | None:
    return await tx.one(
        ContractRow, "SELECT key, label, products FROM contract WHERE org = $1 AND key = $2", org, key
    )  # fmt: skip


async def put_contract(tx: Tx, org: UUID, row: ContractRow) -> None:
    await tx.run(
        "INSERT INTO contract (org, key, label, products) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (org, key) DO UPDATE SET label = excluded.label, products = excluded.products",
        org, row.key, row.label, row.products,
    )  # fmt: skip


async def remove_contract(tx: Tx, org: UUID, key: str) -> None:
    """And what was granted, assigned or set in it."""
    await tx.run("DELETE FROM contract WHERE org = $1 AND key = $2", org, key)
