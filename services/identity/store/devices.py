"""Devices that somebody came from with both factors."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class NewDevice(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    digest: bytes
    agent: str
    ip: str


async def add_device(tx: Tx, org: UUID, new: NewDevice, now: datetime) -> None:
    await tx.run(
        "INSERT INTO device (org, id, staff, digest, agent, ip, created_at, used_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        org, new.id, new.staff, new.digest, new.agent, new.ip, now,
    )  # fmt: skip
