"""People, as identity told of them, and what is kept of each beside their permissions."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffState, StaffStatus
from staffgate.contracts.level import Level


class SubjectRow(msgspec.Struct, frozen=True, kw_only=True):
    staff: UUID
    type: StaffType
    status: StaffStatus
    default_level: Level
    route_anywhere: bool
    team: UUID | None
    tenants: tuple[str, ...]
    subscribers: tuple[str, ...]


# What is kept of a person beside their permissions; `s` is the subject, and $1 the organisation.
COLUMNS = (
    "s.staff, s.type, s.status, s.default_level, s.route_anywhere, m.team,"
    " ARRAY(SELECT t.tenant FROM tenant_member t WHERE t.org = $1 AND t.staff = s.staff ORDER BY t.tenant) AS tenants,"
    " ARRAY(SELECT l.subscriber FROM subscriber_link l WHERE l.org = $1 AND l.staff = s.staff"
    " ORDER BY l.subscriber) AS subscribers"
)
PLACED = "subject s LEFT JOIN team_member m ON m.org = s.org AND m.staff = s.staff"


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """`placed` says that they were in no team and are in the root now, `rooted` that there is one."""

    placed: bool
    rooted: bool


async def note_subject(tx: Tx, org: UUID, state: StaffState) -> Noted | None:
    """None where this version, or a newer one, is here already. Whoever is deleted stays so, and no version matters then.

    The default level and the routing flag are taken from whichever event comes first, and never again. identity asks
    for them when an account is made and has no way to change them later: from then on they are changed here, where a
    change is judged and recorded, and an event that repeats the first values (a suspension does) must not undo it.

    Everything about their arrival in one statement: a file brings ten thousand, one after the other.
    """
    return await tx.one(
        Noted,
        "WITH noted AS (INSERT INTO subject (org, staff, type, status, default_level, route_anywhere, version)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org, staff) DO UPDATE SET type = excluded.type,"
        " status = excluded.status, version = excluded.version"
        " WHERE (excluded.version > subject.version OR excluded.status = 'deleted') AND subject.status <> 'deleted'"
        " RETURNING staff),"
        " known AS (INSERT INTO subject_organisation (staff, org) SELECT staff, $1 FROM noted"
        " ON CONFLICT (staff) DO NOTHING),"
        " placed AS (INSERT INTO team_member (org, staff, team) SELECT $1, n.staff, t.id FROM noted n, team t"
        " WHERE t.org = $1 AND t.parent IS NULL ON CONFLICT (org, staff) DO NOTHING"
        " RETURNING staff)"
        " SELECT EXISTS (SELECT FROM placed) AS placed,"
        " EXISTS (SELECT FROM team WHERE org = $1 AND parent IS NULL) AS rooted FROM noted",
        org, state.staff, state.type, state.status, state.default_level, state.route_anywhere, state.version,
    )  # fmt: skip


async def organisation_of_anywhere(tx: Tx, staff: UUID) -> UUID | None:
    found: UUID | None = await tx.value("SELECT org FROM subject_organisation WHERE staff = $1", staff)
    return found


async def note_imported(tx: Tx, org: UUID, staff: UUID) -> bool:
    """False where they were given already what the file named, or are deleted."""
    return await tx.run(
        "UPDATE subject SET imported = true WHERE org = $1 AND staff = $2 AND NOT imported AND status <> 'deleted'",
        org, staff,
    ) == 1  # fmt: skip


async def subjects(tx: Tx, org: UUID, staff: Collection[UUID]) -> list[SubjectRow]:
    """Those of them that are here. Who was deleted is not."""
    return await tx.all(
        SubjectRow,
        f"SELECT {COLUMNS} FROM {PLACED} WHERE s.org = $1 AND s.staff = ANY($2) AND s.status <> 'deleted'",
        org, list(staff),
    )  # fmt: skip


async def everybody(tx: Tx, org: UUID, limit: int) -> list[UUID]:
    return await tx.column(
        "SELECT staff FROM subject WHERE org = $1 AND status <> 'deleted' ORDER BY staff LIMIT $2", org, limit
    )


async def people_after(tx: Tx, org: UUID, staff: UUID, limit: int) -> list[UUID]:
    """Those whose ids come after that one, in order."""
    return await tx.column(
        "SELECT staff FROM subject WHERE org = $1 AND staff > $2 AND status <> 'deleted' ORDER BY staff LIMIT $3",
        org, staff, limit,
    )  # fmt: skip


async def count_people(tx: Tx, org: UUID) -> int:
    count: int = await tx.value("SELECT count(*) FROM subject WHERE org = $1 AND status <> 'deleted'", org)
    return count


async def active_after(tx: Tx, org: UUID, staff: UUID, limit: int) -> list[UUID]:
    """The active people whose ids come after that one, in order."""
    return await tx.column(
        "SELECT staff FROM subject WHERE org = $1 AND staff > $2 AND status = 'active' ORDER BY staff LIMIT $3",
        org, staff, limit,
    )  # fmt: skip


async def set_default_level(tx: Tx, org: UUID, staff: UUID, level: Level) -> None:
    await tx.run("UPDATE subject SET default_level = $3 WHERE org = $1 AND staff = $2", org, staff, level)


async def set_routing(tx: Tx, org: UUID, staff: UUID, anywhere: bool) -> None:
    await tx.run("UPDATE subject SET route_anywhere = $3 WHERE org = $1 AND staff = $2", org, staff, anywhere)
