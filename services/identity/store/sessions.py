"""Sessions and their refresh tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.caller import StaffType


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    type: StaffType
    amr: list[str]
    acr: str
    ip: str
    agent: str
    created_at: datetime
    used_at: datetime
    authenticated_at: datetime
    expires_at: datetime
    device: UUID | None
    security: str | None


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    amr: list[str]
    acr: str
    ip: str
    agent: str
    device: UUID | None
    created_at: datetime
    authenticated_at: datetime
    expires_at: datetime


class RefreshRow(msgspec.Struct, frozen=True, kw_only=True):
    session: UUID
    used_at: datetime | None


_SESSION = (
    "SELECT s.id, s.staff, p.type, s.amr, s.acr, s.ip, s.agent, s.created_at, s.used_at, s.authenticated_at,"
    " s.expires_at, s.device, o.security::text AS security FROM session s"
    " JOIN staff p ON p.org = s.org AND p.id = s.staff JOIN organisation o ON o.org = s.org"
)


async def add_session(tx: Tx, org: UUID, new: NewSession, now: datetime) -> None:
    """That its person has been in is known from then on, whatever becomes of the session."""
    await tx.run(
        "WITH first AS (UPDATE staff SET been_in = true WHERE org = $1 AND id = $3 AND NOT been_in) INSERT INTO session (org, id, staff, amr, acr, ip, agent, device, created_at, used_at, authenticated_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        org, new.id, new.staff, new.amr, new.acr, new.ip, new.agent, new.device, new.created_at, now,
        new.authenticated_at, new.expires_at,
    )  # fmt: skip


async def live_session(tx: Tx, org: UUID, id: UUID, now: datetime) -> SessionRow | None:
    """The session while nothing has ended it, of a person who is active and has the portal; held against a suspension
    until the commit."""
    # By itself, and before: whoever waits for one row in a join still reads the others as they were before the wait.
    await tx.run(
        "SELECT FROM staff WHERE org = $1 AND id = (SELECT staff FROM session WHERE org = $1 AND id = $2) FOR SHARE",
        org, id,
    )  # fmt: skip
    return await tx.one(
        SessionRow,
        f"{_SESSION} WHERE s.org = $1 AND s.id = $2 AND s.ended_at IS NULL AND s.expires_at > $3"
        " AND p.status = 'active' AND p.portal AND o.closed_at IS NULL",
        org, id, now,
    )  # fmt: skip


async def live_sessions_of(tx: Tx, org: UUID, staff: UUID, now: datetime) -> list[SessionRow]:
    """The newest first. Which of them have been idle for too long, the policy says."""
    return await tx.all(
        SessionRow,
        f"{_SESSION} WHERE s.org = $1 AND s.staff = $2 AND s.ended_at IS NULL AND s.expires_at > $3"
        " ORDER BY s.used_at DESC, s.id",
        org, staff, now,
    )  # fmt: skip


async def live_sessions_in(tx: Tx, org: UUID, now: datetime) -> list[SessionRow]:
    """Of the whole organisation."""
    return await tx.all(
        SessionRow, f"{_SESSION} WHERE s.org = $1 AND s.ended_at IS NULL AND s.expires_at > $2", org, now
    )


async def touch_session(tx: Tx, org: UUID, id: UUID, now: datetime) -> None:
    await tx.run("UPDATE session SET used_at = $3 WHERE org = $1 AND id = $2", org, id, now)


async def hold_person(tx: Tx, org: UUID, staff: UUID) -> None:
    """Before any of the person's sessions, as everybody who holds both: refreshing holds the person and then writes the
    session."""
    await tx.run("SELECT FROM staff WHERE org = $1 AND id = $2 FOR NO KEY UPDATE", org, staff)


async def end_session(tx: Tx, org: UUID, staff: UUID, id: UUID, reason: str, now: datetime) -> bool:
    return await tx.run(
        "UPDATE session SET ended_at = $5, end_reason = $4"
        " WHERE org = $1 AND staff = $2 AND id = $3 AND ended_at IS NULL",
        org, staff, id, reason, now,
    ) == 1  # fmt: skip


async def end_sessions_of(
    tx: Tx, org: UUID, staff: UUID, reason: str, now: datetime, *, but: UUID | None = None
) -> list[UUID]:
    """All of them; or all but one."""
    return await tx.column(
        "UPDATE session SET ended_at = $4, end_reason = $3 WHERE org = $1 AND staff = $2 AND ended_at IS NULL"
        " AND ($5::uuid IS NULL OR id <> $5) RETURNING id",
        org, staff, reason, now, but,
    )  # fmt: skip


async def ended_since_anywhere(tx: Tx, since: datetime) -> list[UUID]:
    """Of those that have issued a token since then: what all others issued has expired by itself."""
    return await tx.column("SELECT id FROM session WHERE ended_at > $1 AND used_at > $1 ORDER BY ended_at", since)


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
