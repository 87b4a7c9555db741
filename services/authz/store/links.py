"""Which extensions of the PBX a person is linked to. Read together with the person (subjects.py)."""

from __future__ import annotations

from uuid import UUID

from shared.db import Tx


async def links_of(tx: Tx, org: UUID, staff: UUID) -> list[str]:
    return await tx.column(
        "SELECT subscriber FROM subscriber_link WHERE org = $1 AND staff = $2 ORDER BY subscriber", org, staff
    )


async def add_link(tx: Tx, org: UUID, staff: UUID, subscriber: str) -> None:
    await tx.run(
        "INSERT INTO subscriber_link (org, staff, subscriber) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        org, staff, subscriber,
    )  # fmt: skip


async def remove_link(tx: Tx, org: UUID, staff: UUID, subscriber: str) -> None:
    await tx.run(
        "DELETE FROM subscriber_link WHERE org = $1 AND staff = $2 AND subscriber = $3", org, staff, subscriber
    )
