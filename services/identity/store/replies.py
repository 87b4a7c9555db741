"""Answers that may have to be given again. Sealed: there are tokens among them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class ReplyRow(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes
    sealed: str | None


async def begin_reply(
    tx: Tx, org: UUID, caller: str, key: str, digest: bytes, now: datetime, stuck_since: datetime
) -> bool:
    """True for the one who is to answer: nobody has, or whoever began has been at it since before `stuck_since`."""
    return await tx.run(
        "INSERT INTO reply (org, caller, key, digest, began_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (org, caller, key) DO UPDATE SET digest = excluded.digest, began_at = excluded.began_at"
        " WHERE reply.sealed IS NULL AND reply.began_at < $6",
        org, caller, key, digest, now, stuck_since,
    ) == 1  # fmt: skip


async def reply(tx: Tx, org: UUID, caller: str, key: str) -> ReplyRow | None:
    return await tx.one(
        ReplyRow, "SELECT digest, sealed FROM reply WHERE org = $1 AND caller = $2 AND key = $3", org, caller, key
    )


async def keep_reply(tx: Tx, org: UUID, caller: str, key: str, sealed: str) -> None:
    await tx.run("UPDATE reply SET sealed = $4 WHERE org = $1 AND caller = $2 AND key = $3", org, caller, key, sealed)


async def forget_reply(tx: Tx, org: UUID, caller: str, key: str) -> None:
    await tx.run("DELETE FROM reply WHERE org = $1 AND caller = $2 AND key = $3 AND sealed IS NULL", org, caller, key)
