"""Logins between the password and the second factor, and the codes sent for them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shared.db import Tx


class LoginRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    session: UUID | None
    device: bytes | None
    sealed: str | None
    attempts: int
    failures: int
    purpose: str
    passkey: UUID | None = None  # that was shown for it in this very request


class NewLogin(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    digest: bytes
    expires_at: datetime
    purpose: str = "login"
    session: UUID | None = None
    device: bytes | None = None
    sealed: str | None = None
    failures: int = 0


_COLUMNS = "id, staff, session, device, sealed, attempts, failures, purpose"


class NewCode(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    login: UUID
    staff: UUID
    channel: Literal["email", "sms"]
    digest: bytes
    expires_at: datetime


class CodeRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    digest: bytes


async def add_login(tx: Tx, org: UUID, new: NewLogin, now: datetime) -> None:
    await tx.run(
        "INSERT INTO login (org, id, staff, digest, purpose, session, device, sealed, failures, expires_at,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        org, new.id, new.staff, new.digest, new.purpose, new.session, new.device, new.sealed, new.failures,
        new.expires_at, now,
    )  # fmt: skip


async def open_login(tx: Tx, org: UUID, digest: bytes, purpose: str, now: datetime) -> LoginRow | None:
    return await tx.one(
        LoginRow,
        f"SELECT {_COLUMNS} FROM login WHERE org = $1 AND digest = $2 AND purpose = $3 AND finished_at IS NULL"
        " AND expires_at > $4",
        org, digest, purpose, now,
    )  # fmt: skip


async def open_login_or_step_up(tx: Tx, org: UUID, digest: bytes, now: datetime) -> LoginRow | None:
    """What codes are sent for, and passkeys asked."""
    return await tx.one(
        LoginRow,
        f"SELECT {_COLUMNS} FROM login WHERE org = $1 AND digest = $2 AND purpose IN ('login', 'step_up')"
        " AND finished_at IS NULL AND expires_at > $3",
        org, digest, now,
    )  # fmt: skip


async def take_attempt(tx: Tx, org: UUID, digest: bytes, purpose: str, now: datetime, limit: int) -> LoginRow | None:
    """Count a try before it is judged: however many come at once, no more than `limit` are ever judged."""
    return await tx.one(
        LoginRow,
        "UPDATE login SET attempts = attempts + 1, tried_at = $3 WHERE org = $1 AND digest = $2 AND finished_at IS NULL"
        f" AND purpose = $5 AND expires_at > $3 AND attempts < $4 RETURNING {_COLUMNS}",
        org, digest, now, limit, purpose,
    )  # fmt: skip


async def finish_login(tx: Tx, org: UUID, id: UUID, now: datetime) -> bool:
    """True for the one who finishes it, while nobody has ended it."""
    return await tx.run(
        "UPDATE login SET finished_at = $3 WHERE org = $1 AND id = $2 AND finished_at IS NULL AND expires_at > $3",
        org, id, now,
    ) == 1  # fmt: skip


async def end_logins_of(tx: Tx, org: UUID, staff: UUID, now: datetime) -> None:
    await tx.run("UPDATE login SET expires_at = $3 WHERE org = $1 AND staff = $2 AND expires_at > $3", org, staff, now)


async def add_code(tx: Tx, org: UUID, new: NewCode, now: datetime) -> None:
    await tx.run(
        "INSERT INTO code (org, id, login, staff, channel, digest, expires_at, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        org, new.id, new.login, new.staff, new.channel, new.digest, new.expires_at, now,
    )  # fmt: skip


async def newest_code(tx: Tx, org: UUID, login: UUID, channel: str, now: datetime) -> CodeRow | None:
    """The one code of the login and channel that counts: the last that was sent, while it is good."""
    return await tx.one(
        CodeRow,
        "SELECT id, staff, digest FROM (SELECT id, staff, digest, expires_at FROM code WHERE org = $1 AND login = $2"
        " AND channel = $3 ORDER BY created_at DESC, id DESC LIMIT 1) AS newest WHERE expires_at > $4",
        org, login, channel, now,
    )  # fmt: skip


async def codes_since(tx: Tx, org: UUID, staff: UUID, since: datetime) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM code WHERE org = $1 AND staff = $2 AND created_at > $3", org, staff, since
    )
    return count


async def codes_of_login_since(tx: Tx, org: UUID, login: UUID, channel: str, since: datetime) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM code WHERE org = $1 AND login = $2 AND channel = $3 AND created_at > $4",
        org, login, channel, since,
    )  # fmt: skip
    return count


async def lock_account(tx: Tx, org: UUID, staff: UUID, now: datetime, until: datetime | None) -> None:
    """Until a time, or for as long as nobody unlocks it."""
    await tx.run(
        "UPDATE staff SET locked_at = $3, locked_until = $4 WHERE org = $1 AND id = $2", org, staff, now, until
    )


async def unlock_account(tx: Tx, org: UUID, staff: UUID) -> None:
    await tx.run("UPDATE staff SET locked_at = NULL, locked_until = NULL WHERE org = $1 AND id = $2", org, staff)


async def tell_once(tx: Tx, org: UUID, id: UUID) -> bool:
    """True for the first who asks."""
    return await tx.run("UPDATE login SET told = true WHERE org = $1 AND id = $2 AND NOT told", org, id) == 1
