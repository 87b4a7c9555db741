"""The item registry."""

from __future__ import annotations

from uuid import UUID

from shared.db import Tx
from staffgate.contracts.authz import Item


async def item(tx: Tx, org: UUID, type: str, id: str) -> Item | None:
    return await tx.one(
        Item, "SELECT type, id, section, label FROM item WHERE org = $1 AND type = $2 AND id = $3", org, type, id
    )


async def items_of(tx: Tx, org: UUID, type: str) -> list[Item]:
    return await tx.all(
        Item, "SELECT type, id, section, label FROM item WHERE org = $1 AND type = $2 ORDER BY id", org, type
    )


async def put_item(tx: Tx, org: UUID, item: Item) -> None:
    await tx.run(
        "INSERT INTO item (org, type, id, section, label) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (org, type, id) DO UPDATE SET section = excluded.section, label = excluded.label",
        org, item.type, item.id, item.section, item.label,
    )  # fmt: skip
