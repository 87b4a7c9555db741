"""The offer of an organisation to its next owner."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx
from staffgate.contracts.caller import StaffType


class OfferRow(msgspec.Struct, frozen=True, kw_only=True):
    offered_by: UUID
    offered_to: UUID
    offered_at: datetime
    expires_at: datetime


async def put_offer(tx: Tx, org: UUID, new: OfferRow) -> None:
    """In the place of the one before."""
    await tx.run(
        "INSERT INTO ownership_offer (org, offered_by, offered_to, offered_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (org) DO UPDATE SET offered_by = $2, offered_to = $3, offered_at = $4, expires_at = $5",
        org, new.offered_by, new.offered_to, new.offered_at, new.expires_at,
    )  # fmt: skip


async def live_offer(tx: Tx, org: UUID, now: datetime) -> OfferRow | None:
    return await tx.one(
        OfferRow,
        "SELECT offered_by, offered_to, offered_at, expires_at FROM ownership_offer WHERE org = $1 AND expires_at > $2",
        org, now,
    )  # fmt: skip


async def drop_offer(tx: Tx, org: UUID) -> None:
    await tx.run("DELETE FROM ownership_offer WHERE org = $1", org)


async def set_type(tx: Tx, org: UUID, id: UUID, old: StaffType, new: StaffType) -> StaffRow | None:
    """None where the person is not of the old type any more. An organisation has one owner at most at any moment."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET type = $4, version = version + 1 WHERE org = $1 AND id = $2 AND type = $3"
        f" RETURNING {COLUMNS}",
        org, id, old, new,
    )  # fmt: skip
