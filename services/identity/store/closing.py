"""What is left to do for organisations that were closed, and doing it for some people at a time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx

LAST = UUID(int=(1 << 128) - 1)


async def signed_in(tx: Tx, org: UUID, now: datetime) -> list[UUID]:
    """Everybody with a session, held until the commit; always in one order."""
    return await tx.column(
        "SELECT p.id FROM staff p WHERE p.org = $1 AND EXISTS (SELECT FROM session s WHERE s.org = $1"
        " AND s.staff = p.id AND s.ended_at IS NULL AND s.expires_at > $2) ORDER BY p.id FOR UPDATE",
        org, now,
    )  # fmt: skip


async def untold_anywhere(tx: Tx) -> UUID | None:
    """A closed organisation whose people have not all been told and put out."""
    found: UUID | None = await tx.value(
        "SELECT org FROM organisation WHERE closed_at IS NOT NULL AND erased_at IS NULL"
        " AND told_up_to IS DISTINCT FROM $1 ORDER BY closed_at LIMIT 1",
        LAST,
    )
    return found


async def next_untold(tx: Tx, org: UUID, limit: int) -> list[StaffRow]:
    """Held. Call with the organisation's row held, so that no other replica takes the same."""
    return await tx.all(
        StaffRow,
        f"SELECT {COLUMNS} FROM staff WHERE org = $1 AND status <> 'deleted' AND id >"
        " (SELECT coalesce(told_up_to, '00000000-0000-0000-0000-000000000000') FROM organisation WHERE org = $1)"
        " ORDER BY id LIMIT $2 FOR UPDATE",
        org, limit,
    )  # fmt: skip


async def told_up_to(tx: Tx, org: UUID, id: UUID) -> None:
    await tx.run("UPDATE organisation SET told_up_to = $2 WHERE org = $1", org, id)


async def erasable_anywhere(tx: Tx, before: datetime) -> UUID | None:
    """A closed organisation whose lists are to be erased: they name visitors."""
    found: UUID | None = await tx.value(
        "SELECT org FROM organisation WHERE closed_at <= $1 AND erased_at IS NULL ORDER BY closed_at LIMIT 1", before
    )
    return found


async def erase_lists(tx: Tx, org: UUID, now: datetime) -> bool:
    """False where another replica was first."""
    await tx.run("DELETE FROM blocked_visitor WHERE org = $1", org)
    await tx.run("DELETE FROM allowed_number WHERE org = $1", org)
    return await tx.run("UPDATE organisation SET erased_at = $2 WHERE org = $1 AND erased_at IS NULL", org, now) == 1
