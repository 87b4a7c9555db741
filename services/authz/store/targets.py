"""What permissions and items name, as it is stored: each way of naming it once, with how often and by how many."""

from __future__ import annotations

from uuid import UUID

from shared.db import Tx
from staffgate.contracts.catalogue import StoredTarget


async def targets(tx: Tx, org: UUID) -> list[StoredTarget]:
    return await _targets(tx, org)


async def targets_anywhere(tx: Tx) -> list[StoredTarget]:
    return await _targets(tx, None)


async def _targets(tx: Tx, org: UUID | None) -> list[StoredTarget]:
    """In every table that names a place of the catalogue; empty text is what is not named."""
    return await tx.all(
        StoredTarget,
        "SELECT place, nullif(product, '') AS product, nullif(section, '') AS section,"
        " nullif(feature, '') AS feature, nullif(kind, '') AS item_type,"
        " count(*) AS count, count(DISTINCT org) AS organisations FROM ("
        " SELECT 'grants' AS place, org, product, section, feature, split_part(item, ':', 1) AS kind"
        " FROM permission_grant WHERE $1::uuid IS NULL OR org = $1"
        " UNION ALL SELECT 'roles', org, coalesce(entry #>> '{target,product}', ''),"
        " coalesce(entry #>> '{target,section}', ''), coalesce(entry #>> '{target,feature}', ''),"
        " split_part(coalesce(entry #>> '{target,item}', ''), ':', 1)"
        " FROM role, jsonb_array_elements(entries) AS entry WHERE $1::uuid IS NULL OR org = $1"
        " UNION ALL SELECT 'access', org, product, '', '', '' FROM product_access WHERE $1::uuid IS NULL OR org = $1"
        " UNION ALL SELECT 'contracts', org, unnest(products), '', '', '' FROM contract"
        " WHERE $1::uuid IS NULL OR org = $1"
        " UNION ALL SELECT 'items', org, '', section, '', type FROM item"
        " WHERE NOT removed AND ($1::uuid IS NULL OR org = $1)"
        ") AS named GROUP BY place, product, section, feature, kind ORDER BY place, product, section, feature, kind",
        org,
    )  # fmt: skip
