"""People, as identity told of them."""

from __future__ import annotations

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


async def note_subject(tx: Tx, org: UUID, state: StaffState) -> bool:
    """False where this version, or a newer one, is here already."""
    return await tx.run(
        "INSERT INTO subject (org, staff, type, status, default_level, route_anywhere, version)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org, staff) DO UPDATE SET type = excluded.type,"
        " status = excluded.status, default_level = excluded.default_level,"
        " route_anywhere = excluded.route_anywhere, version = excluded.version"
        " WHERE excluded.version > subject.version",
        org, state.staff, state.type, state.status, state.default_level, state.route_anywhere, state.version,
    ) == 1  # fmt: skip


async def note_organisation(tx: Tx, org: UUID, staff: UUID) -> None:
    await tx.run(
        "INSERT INTO subject_organisation (staff, org) VALUES ($1, $2) ON CONFLICT (staff) DO NOTHING", staff, org
    )


async def organisation_of_anywhere(tx: Tx, staff: UUID) -> UUID | None:
    found: UUID | None = await tx.value("SELECT org FROM subject_organisation WHERE staff = $1", staff)
    return found


async def subject(tx: Tx, org: UUID, staff: UUID) -> SubjectRow | None:
    return await tx.one(
        SubjectRow,
        "SELECT staff, type, status, default_level, route_anywhere FROM subject WHERE org = $1 AND staff = $2",
        org, staff,
    )  # fmt: skip
