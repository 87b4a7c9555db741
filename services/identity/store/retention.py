"""Deleting what counts for nothing any more, of all organisations: the oldest first, and as many at a time as the caller
says. Rows that another replica has in hand are left to it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from shared.db import Tx

# So many later tries say the same without this one: proofs.py judges none after a hundred in a row.
_TRIES = 101


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Of a login among those that are over."""

    expires_at: datetime
    id: UUID


FIRST = Place(expires_at=datetime(1970, 1, 1, tzinfo=UTC), id=UUID(int=0))


async def forget_logins_anywhere(tx: Tx, before: datetime, limit: int, after: Place = FIRST) -> list[Place]:
    """With their codes; where each of them was. What factors.tries counts stays: tries since the last success, and a success that earlier tries
    are still to be told from."""
    return await tx.all(
        Place,
        "WITH gone AS MATERIALIZED (SELECT id, expires_at FROM login l WHERE expires_at < $1"
        " AND (expires_at, id) > ($3, $4) AND CASE"
        " WHEN purpose = 'mobile' THEN true"
        " WHEN finished_at IS NOT NULL THEN NOT EXISTS (SELECT FROM login e WHERE e.org = l.org AND e.staff = l.staff"
        " AND e.finished_at IS NULL AND e.tried_at <= l.finished_at AND e.purpose <> 'mobile')"
        " WHEN tried_at IS NULL THEN true"
        " ELSE EXISTS (SELECT FROM login e WHERE e.org = l.org AND e.staff = l.staff AND e.finished_at >= l.tried_at"
        " AND e.purpose <> 'mobile')"
        " OR (SELECT count(*) FROM (SELECT FROM login e WHERE e.org = l.org AND e.staff = l.staff"
        f" AND e.finished_at IS NULL AND e.tried_at > l.tried_at AND e.purpose <> 'mobile' LIMIT {_TRIES}) later) = {_TRIES}"
        " END ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED),"
        " codes AS (DELETE FROM code WHERE login IN (SELECT id FROM gone)),"
        " logins AS (DELETE FROM login WHERE id IN (SELECT id FROM gone))"
        " SELECT expires_at, id FROM gone ORDER BY expires_at, id",
        before, limit, after.expires_at, after.id,
    )  # fmt: skip


async def forget_sessions_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    """With their refresh tokens, all at once: while there is a session, each that it ever had shows who uses it twice."""
    return await tx.run(
        "WITH gone AS MATERIALIZED (SELECT id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2"
        " FOR UPDATE SKIP LOCKED), tokens AS (DELETE FROM refresh_token WHERE session IN (SELECT id FROM gone))"
        " DELETE FROM session WHERE id IN (SELECT id FROM gone)",
        before, limit,
    )  # fmt: skip


async def forget_links_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    return await _oldest(tx, "link", "id", "expires_at < $1", "expires_at", before, limit)


async def forget_challenges_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    return await _oldest(tx, "challenge", "(org, about)", "expires_at < $1", "expires_at", before, limit)


async def forget_devices_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    return await _oldest(tx, "device", "id", "used_at <= $1", "used_at", before, limit)


async def forget_password_failures_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    return await _oldest(tx, "password_failure", "ctid", "failed_at < $1", "failed_at", before, limit)


async def forget_imports_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    """Whose rows are gone already."""
    over = "finished_at < $1 AND swept_at IS NOT NULL"
    return await _oldest(tx, "staff_import", "id", over, "finished_at", before, limit)


async def forget_replies_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    return await _oldest(tx, "reply", "(org, caller, key)", "began_at < $1", "began_at", before, limit)


async def forget_throttles_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    """They are nobody's: an organisation is not known of each."""
    return await _oldest(tx, "throttle", "key", "failed_at < $1", "failed_at", before, limit)


async def _oldest(tx: Tx, table: str, key: str, over: str, by: str, before: datetime, limit: int) -> int:
    columns = key.strip("()")
    return await tx.run(
        f"WITH gone AS MATERIALIZED (SELECT {columns} FROM {table} WHERE {over} ORDER BY {by} LIMIT $2"
        f" FOR UPDATE SKIP LOCKED) DELETE FROM {table} WHERE {key} IN (SELECT {columns} FROM gone)",
        before, limit,
    )  # fmt: skip
