"""Passwords as they are stored, those that they took the place of, and wrong ones that somebody signed in has typed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx


async def set_password(
    tx: Tx, org: UUID, staff: UUID, old_hash: str | None, new_hash: str, now: datetime
) -> StaffRow | None:
    """None where another one has been set meanwhile."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET password_hash = $4, password_changed_at = $5, version = version + 1"
        f" WHERE org = $1 AND id = $2 AND password_hash IS NOT DISTINCT FROM $3 RETURNING {COLUMNS}",
        org, staff, old_hash, new_hash, now,
    )  # fmt: skip


async def former_passwords(tx: Tx, org: UUID, staff: UUID, count: int) -> list[str]:
    """The newest first."""
    return await tx.column(
        "SELECT hash FROM former_password WHERE org = $1 AND staff = $2 ORDER BY replaced_at DESC LIMIT $3",
        org, staff, count,
    )  # fmt: skip


async def add_former(tx: Tx, org: UUID, staff: UUID, old_hash: str, now: datetime) -> None:
    await tx.run(
        "INSERT INTO former_password (org, staff, hash, replaced_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        org, staff, old_hash, now,
    )  # fmt: skip


async def forget_formers(tx: Tx, org: UUID, staff: UUID, but: int) -> None:
    """All but the newest so many."""
    await tx.run(
        "DELETE FROM former_password WHERE org = $1 AND staff = $2 AND replaced_at NOT IN"
        " (SELECT replaced_at FROM former_password WHERE org = $1 AND staff = $2 ORDER BY replaced_at DESC LIMIT $3)",
        org, staff, but,
    )  # fmt: skip


async def failures_since(tx: Tx, org: UUID, staff: UUID, since: datetime) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM password_failure WHERE org = $1 AND staff = $2 AND failed_at > $3", org, staff, since
    )
    return count


async def add_failure(tx: Tx, org: UUID, staff: UUID, now: datetime) -> None:
    await tx.run("INSERT INTO password_failure (org, staff, failed_at) VALUES ($1, $2, $3)", org, staff, now)


async def forget_failures(tx: Tx, org: UUID, staff: UUID) -> None:
    await tx.run("DELETE FROM password_failure WHERE org = $1 AND staff = $2", org, staff)
