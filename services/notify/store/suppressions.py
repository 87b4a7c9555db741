"""Addresses that nothing is sent to any more, by their digests."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.notify import Suppression, SuppressionReason

_SHOWN = "id, channel, masked AS address, reason, staff, added_by, added_at"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """As far as it is kept."""

    org: UUID
    channel: str
    address: bytes
    masked: str


class NewSuppression(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    reason: SuppressionReason
    staff: UUID | None = None
    added_by: UUID | None = None


async def noted(tx: Tx, delivery: UUID, to: Address, *, warns: bool) -> bool:
    """Write down whom this message goes to, and say whether it is not to be sent there. What `warns` is held back by what
    providers told only."""
    found: bool = await tx.value(
        "WITH noted AS (UPDATE delivery SET address = $4, masked = $5"
        "  WHERE org = $1 AND id = $2 AND address IS DISTINCT FROM $4)"
        " SELECT EXISTS (SELECT FROM suppression WHERE org = $1 AND channel = $3 AND address = $4"
        "  AND NOT (reason = 'added' AND $6))",
        to.org, delivery, to.channel, to.address, to.masked, warns,
    )  # fmt: skip
    return found


async def address_of(tx: Tx, org: UUID, delivery: UUID) -> Address | None:
    return await tx.one(
        Address,
        "SELECT org, channel, address, masked FROM delivery WHERE org = $1 AND id = $2 AND address IS NOT NULL",
        org,
        delivery,
    )


async def add(tx: Tx, to: Address, new: NewSuppression, now: datetime) -> bool:
    """False if it is on the list."""
    return await tx.run(
        "INSERT INTO suppression (org, id, channel, address, masked, reason, staff, added_by, added_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (org, channel, address) DO NOTHING",
        to.org, new.id, to.channel, to.address, to.masked, new.reason, new.staff, new.added_by, now,
    ) == 1  # fmt: skip


async def give_way(tx: Tx, to: Address) -> Suppression | None:
    """What an administrator has put there goes, for what a provider tells of the same address."""
    return await tx.one(
        Suppression,
        "DELETE FROM suppression WHERE org = $1 AND channel = $2 AND address = $3 AND reason = 'added'"
        f" RETURNING {_SHOWN}",
        to.org, to.channel, to.address,
    )  # fmt: skip


async def bounces(tx: Tx, to: Address, now: datetime, within: timedelta) -> int:
    """How many messages to it came back within that time, of those that left after the last one that arrived: a receipt for
    an older one may be told late, and again."""
    count: int = await tx.value(
        "SELECT count(*) FROM delivery WHERE org = $1 AND channel = $2 AND address = $3 AND state = 'bounced'"
        " AND settled_at > $4 AND finished_at > coalesce((SELECT max(finished_at) FROM delivery"
        "  WHERE org = $1 AND channel = $2 AND address = $3 AND state = 'delivered' AND settled_at IS NOT NULL), '-infinity')",
        to.org, to.channel, to.address, now - within,
    )  # fmt: skip
    return count


async def remove(tx: Tx, org: UUID, id: UUID) -> Suppression | None:
    return await tx.one(Suppression, f"DELETE FROM suppression WHERE org = $1 AND id = $2 RETURNING {_SHOWN}", org, id)


async def one(tx: Tx, org: UUID, id: UUID) -> Suppression | None:
    return await tx.one(Suppression, f"SELECT {_SHOWN} FROM suppression WHERE org = $1 AND id = $2", org, id)


async def newest(tx: Tx, org: UUID, channel: str | None, before: UUID | None, limit: int) -> list[Suppression]:
    """Ids sort by the time of their making."""
    return await tx.all(
        Suppression,
        f"SELECT {_SHOWN} FROM suppression WHERE org = $1 AND ($2::text IS NULL OR channel = $2)"
        " AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        org, channel, before, limit,
    )  # fmt: skip
