"""Passkeys, and the challenges that their authenticators have to sign."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx

_COLUMNS = "id, staff, credential, public_key, sign_count, synced, transports, name, created_at, used_at"


class PasskeyRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    credential: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    transports: list[str]
    name: str
    created_at: datetime
    used_at: datetime | None


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    credential: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    transports: list[str]
    name: str


async def add_passkey(tx: Tx, org: UUID, new: NewPasskey, now: datetime) -> bool:
    """False where somebody, anywhere, has that credential."""
    return await tx.run(
        "INSERT INTO passkey (org, id, staff, credential, public_key, sign_count, synced, transports, name, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        org, new.id, new.staff, new.credential, new.public_key, new.sign_count, new.synced, new.transports, new.name,
        now,
    ) == 1  # fmt: skip


async def passkeys_of(tx: Tx, org: UUID, staff: UUID) -> list[PasskeyRow]:
    return await tx.all(
        PasskeyRow,
        f"SELECT {_COLUMNS} FROM passkey WHERE org = $1 AND staff = $2 ORDER BY created_at, id",
        org, staff,
    )  # fmt: skip


async def passkey_by_credential(tx: Tx, org: UUID, credential: bytes) -> PasskeyRow | None:
    return await tx.one(
        PasskeyRow, f"SELECT {_COLUMNS} FROM passkey WHERE org = $1 AND credential = $2", org, credential
    )


async def organisation_of_credential_anywhere(tx: Tx, credential: bytes) -> UUID | None:
    """Whoever shows a passkey and nothing else does not say where they belong."""
    found: UUID | None = await tx.value("SELECT org FROM passkey WHERE credential = $1", credential)
    return found


async def use_passkey(tx: Tx, org: UUID, id: UUID, sign_count: int, now: datetime) -> bool:
    """False where its counter has not gone on: somebody has a copy of it. One that does not count says 0 for ever."""
    return await tx.run(
        "UPDATE passkey SET sign_count = $3, used_at = $4 WHERE org = $1 AND id = $2"
        " AND (sign_count < $3 OR (sign_count = 0 AND $3 = 0))",
        org, id, sign_count, now,
    ) == 1  # fmt: skip


async def rename_passkey(tx: Tx, org: UUID, staff: UUID, id: UUID, name: str) -> PasskeyRow | None:
    return await tx.one(
        PasskeyRow,
        f"UPDATE passkey SET name = $4 WHERE org = $1 AND staff = $2 AND id = $3 RETURNING {_COLUMNS}",
        org, staff, id, name,
    )  # fmt: skip


async def drop_passkey(tx: Tx, org: UUID, staff: UUID, id: UUID) -> bool:
    return await tx.run("DELETE FROM passkey WHERE org = $1 AND staff = $2 AND id = $3", org, staff, id) == 1


# --- challenges -------------------------------------------------------------------------------------------------


async def put_challenge(tx: Tx, org: UUID, about: bytes, challenge: bytes, expires_at: datetime, now: datetime) -> None:
    """In the place of the one before. Some of those that have expired go with it, and nobody waits for whom."""
    await tx.run(
        "DELETE FROM challenge WHERE org = $1 AND about IN (SELECT about FROM challenge"
        " WHERE org = $1 AND expires_at <= $2 LIMIT 100 FOR UPDATE SKIP LOCKED)",
        org, now,
    )  # fmt: skip
    await tx.run(
        "INSERT INTO challenge (org, about, challenge, expires_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (org, about) DO UPDATE SET challenge = $3, expires_at = $4",
        org, about, challenge, expires_at,
    )  # fmt: skip


async def take_challenge(tx: Tx, org: UUID, about: bytes, now: datetime) -> bytes | None:
    """For the one of many parallel callers who gets it; then it is gone."""
    found: bytes | None = await tx.value(
        "DELETE FROM challenge WHERE org = $1 AND about = $2 AND expires_at > $3 RETURNING challenge", org, about, now
    )
    return found
