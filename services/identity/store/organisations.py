"""Organisations and the names that they are known by."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class OrganisationRow(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    name: str
    number: str
    username: str | None
    version: int


async def add_organisation(tx: Tx, org: UUID, name: str, number: str, now: datetime) -> None:
    await tx.run(
        "INSERT INTO organisation (org, name, number, created_at) VALUES ($1, $2, $3, $4)", org, name, number, now
    )


async def take_name(tx: Tx, org: UUID, key: str, kind: str) -> bool:
    """False where the name belongs, or ever belonged, to somebody; or where this organisation has one of that kind."""
    return (
        await tx.run(
            "INSERT INTO organisation_name (key, org, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", key, org, kind
        )
        == 1
    )


async def organisation_by_name(tx: Tx, key: str) -> UUID | None:
    found: UUID | None = await tx.value("SELECT org FROM organisation_name WHERE key = $1", key)
    return found


async def organisation(tx: Tx, org: UUID) -> OrganisationRow | None:
    return await tx.one(
        OrganisationRow, "SELECT org, name, number, username, version FROM organisation WHERE org = $1", org
    )


async def set_username(tx: Tx, org: UUID, username: str) -> OrganisationRow | None:
    """None where one has been selected already."""
    return await tx.one(
        OrganisationRow,
        "UPDATE organisation SET username = $2, version = version + 1 WHERE org = $1 AND username IS NULL"
        " RETURNING org, name, number, username, version",
        org, username,
    )  # fmt: skip
