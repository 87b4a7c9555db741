"""Forgetting who somebody was, once they have been deleted for long enough."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx

_LOCK = 7_264_009


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID


async def take_turn(tx: Tx) -> bool:
    """True for the one replica that erases until its commit."""
    mine: bool = await tx.value("SELECT pg_try_advisory_xact_lock($1)", _LOCK)
    return mine


async def erase_staff_anywhere(tx: Tx, before: datetime, now: datetime, limit: int) -> list[Forgotten]:
    """Of those who were deleted before then, the first so many. Id, organisation, type and dates stay."""
    return await tx.all(
        Forgotten,
        "UPDATE staff SET erased_at = $2, username = '', username_key = id::text, extension = NULL, name = '',"
        " email = '', mobile = NULL, locale = NULL, weblink = NULL, role_names = '{}', team_name = NULL WHERE id IN"
        " (SELECT id FROM staff WHERE status = 'deleted' AND erased_at IS NULL AND deleted_at <= $1"
        " ORDER BY deleted_at LIMIT $3 FOR UPDATE) RETURNING org, id",
        before, now, limit,
    )  # fmt: skip


async def erase_traces_anywhere(tx: Tx, people: list[UUID]) -> None:
    """Where they came from, and the addresses that links went to; tries at their factors count for nobody any more."""
    await tx.run("UPDATE session SET ip = '', agent = '' WHERE staff = ANY($1)", people)
    await tx.run("UPDATE link SET email = '' WHERE staff = ANY($1)", people)
    await tx.run("UPDATE login SET sealed = NULL, tried_at = NULL WHERE staff = ANY($1)", people)
