"""Organisations and the names that they are known by."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import SecurityPolicy


class OrganisationRow(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    name: str
    number: str
    username: str | None
    version: int
    security: str | None
    closed_at: datetime | None

    @property
    def policy(self) -> SecurityPolicy:
        return read_policy(self.security)


_COLUMNS = "org, name, number, username, version, security::text AS security, closed_at"
_DEFAULT = SecurityPolicy()


def read_policy(text: str | None) -> SecurityPolicy:
    """The platform's where the organisation set none."""
    return _DEFAULT if text is None else msgspec.json.decode(text, type=SecurityPolicy)


async def add_organisation(tx: Tx, org: UUID, name: str, number: str, now: datetime) -> None:
    await tx.run(
        "INSERT INTO organisation (org, name, number, created_at) VALUES ($1, $2, $3, $4)", org, name, number, now
    )


async def take_name(tx: Tx, org: UUID, key: str, kind: str, skeleton: str | None = None) -> bool:
    """False where the name, or one of that skeleton, belongs or ever belonged to somebody; or where this organisation
    has one of that kind."""
    taken = await tx.run(
        "INSERT INTO organisation_name (key, org, kind, skeleton) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        key, org, kind, skeleton,
    )  # fmt: skip
    return taken == 1


async def organisation_by_name(tx: Tx, key: str) -> UUID | None:
    found: UUID | None = await tx.value("SELECT org FROM organisation_name WHERE key = $1", key)
    return found


async def organisation(tx: Tx, org: UUID) -> OrganisationRow | None:
    return await tx.one(OrganisationRow, f"SELECT {_COLUMNS} FROM organisation WHERE org = $1", org)


async def set_username(tx: Tx, org: UUID, username: str) -> OrganisationRow | None:
    """None where one has been selected already."""
    return await tx.one(
        OrganisationRow,
        "UPDATE organisation SET username = $2, version = version + 1 WHERE org = $1 AND username IS NULL"
        f" RETURNING {_COLUMNS}",
        org, username,
    )  # fmt: skip


async def lock_organisation(tx: Tx, org: UUID) -> OrganisationRow | None:
    """Held until the end of the transaction: changes to its settings and lists happen one after the other."""
    return await tx.one(OrganisationRow, f"SELECT {_COLUMNS} FROM organisation WHERE org = $1 FOR NO KEY UPDATE", org)


async def set_name(tx: Tx, org: UUID, name: str) -> OrganisationRow | None:
    return await tx.one(
        OrganisationRow,
        f"UPDATE organisation SET name = $2, version = version + 1 WHERE org = $1 RETURNING {_COLUMNS}",
        org, name,
    )  # fmt: skip


async def count_version(tx: Tx, org: UUID) -> OrganisationRow | None:
    """Something of it has changed that is kept elsewhere: its events stay in order."""
    return await tx.one(
        OrganisationRow, f"UPDATE organisation SET version = version + 1 WHERE org = $1 RETURNING {_COLUMNS}", org
    )


async def close(tx: Tx, org: UUID, now: datetime) -> OrganisationRow | None:
    """None where it is closed already."""
    return await tx.one(
        OrganisationRow,
        "UPDATE organisation SET closed_at = $2, version = version + 1 WHERE org = $1 AND closed_at IS NULL"
        f" RETURNING {_COLUMNS}",
        org, now,
    )  # fmt: skip
