"""What product services published. It belongs to no organisation, and so every function here is across all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.db import Tx
from staffgate.contracts.catalogue import Manifest


class Stored(msgspec.Struct, frozen=True):
    """A manifest, and the product service that it belongs to."""

    publisher: str
    manifest: Manifest


class _Row(msgspec.Struct, frozen=True):
    publisher: str
    content: str


async def version_anywhere(tx: Tx) -> int:
    found: int = await tx.value("SELECT version FROM catalogue_version")
    return found


async def lock_version_anywhere(tx: Tx) -> int:
    """Held until the end of the transaction: manifests are published one after the other."""
    found: int = await tx.value("SELECT version FROM catalogue_version FOR UPDATE")
    return found


async def raise_version_anywhere(tx: Tx) -> int:
    raised: int = await tx.value("UPDATE catalogue_version SET version = version + 1 RETURNING version")
    return raised


async def manifests_anywhere(tx: Tx) -> dict[str, Stored]:
    """By product."""
    rows = await tx.all(_Row, "SELECT publisher, content FROM manifest ORDER BY product")
    found = [Stored(row.publisher, msgspec.json.decode(row.content, type=Manifest)) for row in rows]
    return {stored.manifest.product: stored for stored in found}


async def put_manifests_anywhere(tx: Tx, published: Iterable[Stored], now: datetime) -> None:
    for stored in published:
        manifest = stored.manifest
        await tx.run(
            "INSERT INTO manifest (product, publisher, version, content, published_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (product) DO UPDATE SET version = excluded.version, content = excluded.content,"
            " published_at = excluded.published_at",
            manifest.product, stored.publisher, manifest.version, msgspec.json.encode(manifest).decode(), now,
        )  # fmt: skip
