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
    columns = [f"{name} =" if name != "since" else "created_at >=" for name, _ in asked]
    filter = "".join(f" AND {column} ${n}" for n, column in enumerate(columns, 3))
    if after:
        filter += f" AND (created_at, id) < (${len(asked) + 3}, ${len(asked) + 4})"
    return await tx.all(
        Delivery,
        f"SELECT {SHOWN} FROM delivery WHERE org = $1{filter} ORDER BY created_at DESC, id DESC LIMIT $2",
        org, limit, *(value for _, value in asked), *(after or ()),
    )  # fmt: skip
