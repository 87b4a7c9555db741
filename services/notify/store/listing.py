"""Deliveries as they are looked at."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from services.notify.store.deliveries import SHOWN
from shared.db import Tx
from staffgate.contracts.notify import Delivery, DeliveryState


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """None: whichever."""

    staff: UUID | None
    state: DeliveryState | None
    channel: str | None
    template: str | None
    provider: str | None
    since: datetime | None


async def page(
    tx: Tx, org: UUID, wanted: Wanted, after: tuple[datetime, UUID] | None, limit: int
) -> list[Delivery]:  # fmt: skip
    """The newest first."""
    asked = [(name, value) for name, value in msgspec.structs.asdict(wanted).items() if value is not None]
    conditions = [
        f"{name} = ${n}" if name != "since" else f"created_at >= ${n}" for n, (name, _) in enumerate(asked, 3)
    ]
    values = [value for _, value in asked]
    if after:
        conditions.append(f"(created_at, id) < (${len(values) + 3}, ${len(values) + 4})")
    return await tx.all(
        Delivery,
        f"SELECT {SHOWN} FROM delivery WHERE {' AND '.join(['org = $1', *conditions])}"
        " ORDER BY created_at DESC, id DESC LIMIT $2",
        org, limit, *values, *(after or ()),
    )  # fmt: skip
