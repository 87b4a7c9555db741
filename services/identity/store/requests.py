"""Requests of people who say that they have forgotten their password, as they were typed.

They are nobody's until they are looked at, so no statement here can name an organisation.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx


class NewRequest(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    typed: str
    network: str
    ip: str
    agent: str


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    typed: str
    ip: str
    agent: str


async def add_request(tx: Tx, new: NewRequest, now: datetime, since: datetime, limit: int) -> None:
    """One statement whatever is asked; from a network that has asked too often since then it writes nothing."""
    await tx.run(
        "INSERT INTO reset_request (id, typed, network, ip, agent, asked_at) SELECT $1, $2, $3, $4, $5, $6"
        " WHERE (SELECT count(*) FROM reset_request WHERE network = $3 AND asked_at > $7) < $8",
        new.id, new.typed, new.network, new.ip, new.agent, now, since, limit,
    )  # fmt: skip


async def take_request(tx: Tx) -> RequestRow | None:
    """The oldest that waits, held until the commit; what another process has in hand is left to it."""
    return await tx.one(
        RequestRow,
        "SELECT id, typed, ip, agent FROM reset_request WHERE typed IS NOT NULL"
        " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
    )


async def settle_request(tx: Tx, id: UUID) -> None:
    """What was typed is kept no longer; that something was asked from there still counts."""
    await tx.run("UPDATE reset_request SET typed = NULL, ip = '', agent = '' WHERE id = $1", id)


async def forget_requests(tx: Tx, before: datetime) -> None:
    await tx.run("DELETE FROM reset_request WHERE typed IS NULL AND asked_at < $1", before)
