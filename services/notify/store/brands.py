"""How each organisation's e-mails look: one row, made when something is set for the first time."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx

_COLUMNS = "name, colour, reply_to, locale, logo, logo_type, version"


class BrandRow(msgspec.Struct, frozen=True, kw_only=True):
    """`version` goes up with each change."""

    name: str = ""
    colour: str = ""
    reply_to: str = ""
    locale: str = "en"
    logo: bytes | None = None
    logo_type: str | None = None
    version: int = 0


async def brand(tx: Tx, org: UUID) -> BrandRow:
    return await tx.one(BrandRow, f"SELECT {_COLUMNS} FROM brand WHERE org = $1", org) or BrandRow()


async def lock_brand(tx: Tx, org: UUID) -> BrandRow:
    """As it is, and nobody else changes it before this transaction ends."""
    await tx.run("INSERT INTO brand (org, version) VALUES ($1, 0) ON CONFLICT (org) DO NOTHING", org)
    row = await tx.one(BrandRow, f"SELECT {_COLUMNS} FROM brand WHERE org = $1 FOR UPDATE", org)
    assert row is not None
    return row


async def put_brand(tx: Tx, org: UUID, new: BrandRow) -> None:
    await tx.run(
        "UPDATE brand SET name = $2, colour = $3, reply_to = $4, locale = $5, logo = $6, logo_type = $7, version = $8"
        " WHERE org = $1",
        org, new.name, new.colour, new.reply_to, new.locale, new.logo, new.logo_type, new.version,
    )  # fmt: skip
