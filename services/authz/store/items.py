"""The item registry. What was removed stays as a row that says so, and only `named_items` finds it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.authz import Item

_ITEM = "type, id, section, label, owner::text, team::text, subscriber, tenant, contract, channel"


class ItemRow(Item, frozen=True, kw_only=True):
    """An item as it is kept: `version` is the product's own count of its changes."""

    version: int
    removed: bool

    @property
    def item(self) -> Item:
        return Item(**{name: getattr(self, name) for name in Item.__struct_fields__})


async def items_of(tx: Tx, org: UUID, types: Sequence[str]) -> list[Item]:
    """Of any of these types."""
    return await tx.all(
        Item,
        f"SELECT {_ITEM} FROM item WHERE org = $1 AND type = ANY($2) AND NOT removed ORDER BY type, id",
        org, types,
    )  # fmt: skip


async def page_of_items(
    tx: Tx, org: UUID, types: Sequence[str], label: str, after: tuple[str, str], limit: int
) -> list[Item]:
    """By type and id, those after the one named; `label` is a part of the label, in any case."""
    return await tx.all(
        Item,
        f"SELECT {_ITEM} FROM item WHERE org = $1 AND type = ANY($2) AND NOT removed AND (type, id) > ($4, $5)"
        " AND strpos(lower(label), lower($3)) > 0 ORDER BY type, id LIMIT $6",
        org, types, label, *after, limit,
    )  # fmt: skip


async def named_items(tx: Tx, org: UUID, names: Sequence[tuple[str, str]]) -> list[ItemRow]:
    """Those of these types and ids, removed ones too."""
    return await tx.all(
        ItemRow,
        f"SELECT {_ITEM}, version, removed FROM item"
        " WHERE org = $1 AND (type, id) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
        org, [type for type, _ in names], [id for _, id in names],
    )  # fmt: skip


async def rename_item(tx: Tx, org: UUID, former: str, id: str, type: str) -> None:
    """Its type is called otherwise now."""
    await tx.run("UPDATE item SET type = $4 WHERE org = $1 AND type = $2 AND id = $3", org, former, id, type)


async def put_items(tx: Tx, org: UUID, rows: Sequence[ItemRow]) -> None:
    columns = ItemRow.__struct_fields__
    await tx.run(
        f"INSERT INTO item (org, {', '.join(columns)})"
        " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[],"
        " $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::boolean[])"
        " ON CONFLICT (org, type, id) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in columns if column not in ("type", "id")),
        org, *([getattr(row, column) for row in rows] for column in columns),
    )  # fmt: skip


# --- what items name ------------------------------------------------------------------------------------------


class Missing(msgspec.Struct, frozen=True):
    what: str
    name: str


async def missing(
    tx: Tx, org: UUID, *, owners: Sequence[str], teams: Sequence[str], tenants: Sequence[str], contracts: Sequence[str]
) -> list[Missing]:
    """Which of these the organisation does not have."""
    return await tx.all(
        Missing,
        "SELECT 'team' AS what, wanted::text AS name FROM unnest($3::uuid[]) AS wanted"
        " WHERE NOT EXISTS (SELECT FROM team WHERE org = $1 AND id = wanted)"
        " UNION ALL SELECT 'tenant', name FROM unnest($4::text[]) AS name"
        " WHERE NOT EXISTS (SELECT FROM tenant WHERE org = $1 AND key = name)"
        " UNION ALL SELECT 'contract', name FROM unnest($5::text[]) AS name"
        " WHERE NOT EXISTS (SELECT FROM contract WHERE org = $1 AND key = name)"
        " UNION ALL SELECT 'owner', name::text FROM unnest($2::uuid[]) AS name"
        " WHERE NOT EXISTS (SELECT FROM subject WHERE org = $1 AND staff = name)",
        org, owners, teams, tenants, contracts,
    )  # fmt: skip
