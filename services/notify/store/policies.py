"""Where each organisation's SMS go: one row, made when something is set for the first time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class PolicyRow(msgspec.Struct, frozen=True, kw_only=True):
    """Without countries: as the suite. `version` goes up with each change."""

    countries: list[str] | None = None
    version: int = 0


async def policy(tx: Tx, org: UUID) -> PolicyRow:
    found = await tx.one(PolicyRow, "SELECT countries, version FROM sending_policy WHERE org = $1", org)
    return found or PolicyRow()


async def lock_policy(tx: Tx, org: UUID) -> PolicyRow:
    """As it is, and nobody else changes it before this transaction ends."""
    await tx.run("INSERT INTO sending_policy (org, version) VALUES ($1, 0) ON CONFLICT DO NOTHING", org)
    row = await tx.one(PolicyRow, "SELECT countries, version FROM sending_policy WHERE org = $1 FOR UPDATE", org)
    assert row is not None
    return row


async def set_policy(tx: Tx, org: UUID, countries: list[str] | None, by: UUID, now: datetime) -> None:
    await tx.run(
        "UPDATE sending_policy SET countries = $2, version = version + 1, changed_by = $3, changed_at = $4"
        " WHERE org = $1",
        org, countries, by, now,
    )  # fmt: skip
