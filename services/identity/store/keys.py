"""The keys that access tokens are signed with. They belong to no organisation."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.db import Tx


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    kid: str
    public: str
    sealed: str
    signs_from: datetime
    ends_at: datetime | None


async def keys(tx: Tx) -> list[KeyRow]:
    """In the order in which they sign."""
    return await tx.all(
        KeyRow, "SELECT number, kid, public, sealed, signs_from, ends_at FROM signing_key ORDER BY number"
    )


async def add_key(tx: Tx, new: KeyRow) -> bool:
    """False where somebody else was faster."""
    return (
        await tx.run(
            "INSERT INTO signing_key (number, kid, public, sealed, signs_from) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            new.number, new.kid, new.public, new.sealed, new.signs_from,
        )
        == 1
    )  # fmt: skip


async def end_keys_before(tx: Tx, number: int, at: datetime) -> None:
    """Those that have an end already end no later than they would have."""
    await tx.run(
        "UPDATE signing_key SET ends_at = least(coalesce(ends_at, $2), $2) WHERE number < $1", number, at
    )  # fmt: skip


async def forget_keys(tx: Tx, now: datetime) -> None:
    """Those that are over, the private half and all."""
    await tx.run("DELETE FROM signing_key WHERE ends_at <= $1", now)
