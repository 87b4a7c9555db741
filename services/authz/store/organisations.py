"""Organisations that are closed."""

from __future__ import annotations

from uuid import UUID

from shared.db import Tx


async def close_organisation(tx: Tx, org: UUID) -> bool:
    """False where it is closed already. There is no way back."""
    return await tx.run("UPDATE organisation_revision SET closed = true WHERE org = $1 AND NOT closed", org) == 1
