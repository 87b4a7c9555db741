"""Sessions and their refresh tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    type: StaffType
    status: StaffStatus
    amr: list[str]
    acr: str
    created_at: datetime


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    amr: list[str]
    acr: str
    ip: str
    agent: str
    expires_at: datetime


class RefreshRow(msgspec.Struct, frozen=True, kw_only=True):
    session: UUID
    used_at: datetime | None


async def add_session(tx: Tx, org: UUID, new: NewSession, now: datetime) -> None:
    await tx.run(
        "INSERT INTO session (org, id, staff, amr, acr, ip, agent, created_at, used_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        org, new.id, new.staff, new.amr, new.acr, new.ip, new.agent, now, new.expires_at,
    )  # fmt: skip


async def live_session(tx: Tx, org: UUID, id: UUID, now: datetime, idle_since: datetime) -> SessionRow | None:
    """The session while nothing has ended it, of a person who is active; held against a suspension until the commit."""
    return await tx.one(
        SessionRow,
        "SELECT s.id, s.staff, p.type, p.status, s.amr, s.acr, s.created_at FROM session s"
        " JOIN staff p ON p.org = s.org AND p.id = s.staff"
        " WHERE s.org = $1 AND s.id = $2 AND s.ended_at IS NULL AND s.expires_at > $3 AND s.used_at > $4"
        " AND p.status = 'active' FOR SHARE OF p",
        org, id, now, idle_since,
    )  # fmt: skip


async def touch_session(tx: Tx, org: UUID, id: UUID, now: datetime) -> None:
    await tx.run("UPDATE session SET used_at = $3 WHERE org = $1 AND id = $2", org, id, now)


async def end_session(tx: Tx, org: UUID, id: UUID, reason: str, now: datetime) -> bool:
    return await tx.run(
        "UPDATE session SET ended_at = $4, end_reason = $3 WHERE org = $1 AND id = $2 AND ended_at IS NULL",
        org, id, reason, now,
    ) == 1  # fmt: skip


async def end_sessions_of(tx: Tx, org: UUID, staff: UUID, reason: str, now: datetime) -> list[UUID]:
    return await tx.column(
        "UPDATE session SET ended_at = $4, end_reason = $3 WHERE org = $1 AND staff = $2 AND ended_at IS NULL"
        " RETURNING id",
        org, staff, reason, now,
    )  # fmt: skip


async def ended_since_anywhere(tx: Tx, since: datetime) -> list[UUID]:
    return await tx.column("SELECT id FROM session WHERE ended_at > $1 ORDER BY ended_at", since)


async def add_refresh(tx: Tx, org: UUID, digest: bytes, session: UUID, now: datetime) -> None:
    await tx.run(
        "INSERT INTO refresh_token (org, digest, session, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        org, digest, session, now,
    )  # fmt: skip


async def lock_refresh(tx: Tx, org: UUID, digest: bytes) -> RefreshRow | None:
    return await tx.one(
        RefreshRow,
        "SELECT session, used_at FROM refresh_token WHERE org = $1 AND digest = $2 FOR UPDATE",
        org, digest,
    )  # fmt: skip


async def use_refresh(tx: Tx, org: UUID, digest: bytes, now: datetime) -> None:
    await tx.run(
        "UPDATE refresh_token SET used_at = coalesce(used_at, $3) WHERE org = $1 AND digest = $2", org, digest, now
    )
