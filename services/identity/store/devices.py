"""Devices that somebody came from with both factors."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.db import Tx

_KEPT = 20  # a person; the one that was not used for longest makes room


class NewDevice(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    digest: bytes
    agent: str
    ip: str


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID


async def add_device(tx: Tx, org: UUID, new: NewDevice, now: datetime) -> bool:
    """False where the person has never been in yet: then it is no news to them."""
    earlier: bool = await tx.value(
        "WITH room AS (DELETE FROM device WHERE org = $1 AND id IN (SELECT id FROM device WHERE org = $1 AND staff = $3"
        f" ORDER BY used_at DESC, id DESC OFFSET {_KEPT - 1})),"
        " added AS (INSERT INTO device (org, id, staff, digest, agent, ip, created_at, used_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7))"
        " SELECT been_in FROM staff WHERE org = $1 AND id = $3",
        org, new.id, new.staff, new.digest, new.agent, new.ip, now,
    )  # fmt: skip
    return earlier


async def device(tx: Tx, org: UUID, digest: bytes, now: datetime, unused: timedelta) -> DeviceRow | None:
    return await tx.one(
        DeviceRow,
        "SELECT id, staff FROM device WHERE org = $1 AND digest = $2 AND used_at > $3",
        org, digest, now - unused,
    )  # fmt: skip


async def touch_device(tx: Tx, org: UUID, digest: bytes, agent: str, ip: str, now: datetime) -> UUID | None:
    """None where it has been forgotten meanwhile."""
    id: UUID | None = await tx.value(
        "UPDATE device SET used_at = $3, agent = $4, ip = $5 WHERE org = $1 AND digest = $2 RETURNING id",
        org, digest, now, agent, ip,
    )  # fmt: skip
    return id


async def drop_device(tx: Tx, org: UUID, digest: bytes) -> None:
    await tx.run("DELETE FROM device WHERE org = $1 AND digest = $2", org, digest)
