"""Who takes enquiries now, and on which channels: columns of the staff table."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import AvailabilityName, Channel


class AvailabilityRow(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID
    availability: AvailabilityName
    channels_online: list[Channel]
    channels_away: list[Channel]
    availability_version: int


_COLUMNS = "org, id, availability, channels_online, channels_away, availability_version"
# In the sense of sessions.is_idle: who has not refreshed for so long does not come back with that session.
_SIGNED_IN = (
    "EXISTS (SELECT FROM session s JOIN organisation o ON o.org = s.org WHERE s.org = staff.org AND s.staff = staff.id"
    " AND s.ended_at IS NULL AND s.expires_at > {now} AND o.closed_at IS NULL"
    " AND s.used_at > {now} - make_interval(mins => coalesce((o.security -> 'session' ->> 'idle_minutes')::int, 60)))"
)
_GONE = f"availability <> 'offline' AND NOT (status = 'active' AND portal AND {_SIGNED_IN})"


async def availability(tx: Tx, org: UUID, id: UUID) -> AvailabilityRow | None:
    return await tx.one(AvailabilityRow, f"SELECT {_COLUMNS} FROM staff WHERE org = $1 AND id = $2", org, id)


async def availability_of(tx: Tx, org: UUID, ids: list[UUID]) -> list[AvailabilityRow]:
    return await tx.all(
        AvailabilityRow,
        f"SELECT {_COLUMNS} FROM staff WHERE org = $1 AND id = ANY($2) AND status <> 'deleted' ORDER BY id",
        org, ids,
    )  # fmt: skip


async def set_state(tx: Tx, org: UUID, id: UUID, state: AvailabilityName, now: datetime) -> AvailabilityRow | None:
    """None where it is that already, or the person is signed in nowhere."""
    signed_in = _SIGNED_IN.format(now="$4::timestamptz")
    return await tx.one(
        AvailabilityRow,
        "UPDATE staff SET availability = $3, availability_version = availability_version + 1"
        " WHERE org = $1 AND id = $2 AND availability <> $3"
        f" AND ($3 = 'offline' OR (status = 'active' AND portal AND {signed_in})) RETURNING {_COLUMNS}",
        org, id, state, now,
    )  # fmt: skip


async def set_channels(
    tx: Tx, org: UUID, id: UUID, online: list[Channel], away: list[Channel]
) -> AvailabilityRow | None:
    """None where they are these already."""
    return await tx.one(
        AvailabilityRow,
        "UPDATE staff SET channels_online = $3, channels_away = $4, availability_version = availability_version + 1"
        " WHERE org = $1 AND id = $2 AND (channels_online, channels_away) IS DISTINCT FROM ($3::text[], $4::text[])"
        f" RETURNING {_COLUMNS}",
        org, id, online, away,
    )  # fmt: skip


async def leave_if_gone(tx: Tx, org: UUID, id: UUID, now: datetime) -> AvailabilityRow | None:
    """Offline from now on, where the person is signed in nowhere any more."""
    gone = _GONE.format(now="$3::timestamptz")
    return await tx.one(
        AvailabilityRow,
        "UPDATE staff SET availability = 'offline', availability_version = availability_version + 1"
        f" WHERE org = $1 AND id = $2 AND {gone} RETURNING {_COLUMNS}",
        org, id, now,
    )  # fmt: skip


async def gone_anywhere(tx: Tx, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Who is shown as available, though their sessions have run out: organisation and person."""
    gone = _GONE.format(now="$1::timestamptz")
    rows = await tx.all(
        AvailabilityRow, f"SELECT {_COLUMNS} FROM staff WHERE {gone} ORDER BY org, id LIMIT $2", now, limit
    )
    return [(row.org, row.id) for row in rows]
