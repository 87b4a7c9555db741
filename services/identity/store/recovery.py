"""Recovery codes. Only their digests are here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.db import Tx


async def replace_codes(tx: Tx, org: UUID, staff: UUID, digests: Sequence[bytes], now: datetime) -> None:
    """The codes made before are gone."""
    await tx.run("DELETE FROM recovery_code WHERE org = $1 AND staff = $2", org, staff)
    await tx.run(
        "INSERT INTO recovery_code (org, staff, digest, made_at) SELECT $1, $2, unnest($3::bytea[]), $4",
        org, staff, list(digests), now,
    )  # fmt: skip


async def use_code(tx: Tx, org: UUID, staff: UUID, digest: bytes, now: datetime) -> bool:
    """True for the one of many parallel callers who gets it."""
    return await tx.run(
        "UPDATE recovery_code SET used_at = $4 WHERE org = $1 AND staff = $2 AND digest = $3 AND used_at IS NULL",
        org, staff, digest, now,
    ) == 1  # fmt: skip


async def codes_left(tx: Tx, org: UUID, staff: UUID) -> int:
    count: int = await tx.value(
        "SELECT count(*) FROM recovery_code WHERE org = $1 AND staff = $2 AND used_at IS NULL", org, staff
    )
    return count


async def drop_codes(tx: Tx, org: UUID, staff: UUID) -> None:
    await tx.run("DELETE FROM recovery_code WHERE org = $1 AND staff = $2", org, staff)
