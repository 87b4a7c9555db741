"""Staff accounts."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffState, StaffStatus
from staffgate.contracts.level import Level

COLUMNS = (
    "org, id, type, status, portal, username, extension, name, email, email_confirmed_at, mobile, mobile_confirmed_at,"
    " default_level, route_anywhere, password_hash, password_changed_at, totp_sealed, totp_confirmed_at, locked_at,"
    " locked_until, activation_sent_at, activation_sent_count, weblink, availability, role_names, team_name, locale,"
    " email_failure, email_failed_at, mobile_failure, mobile_failed_at, version"
)


class StaffRow(msgspec.Struct, frozen=True, kw_only=True):
    org: UUID
    id: UUID
    type: StaffType
    status: StaffStatus
    portal: bool
    username: str
    extension: str | None
    name: str
    email: str
    email_confirmed_at: datetime | None
    mobile: str | None
    mobile_confirmed_at: datetime | None
    default_level: Level
    route_anywhere: bool
    password_hash: str | None
    password_changed_at: datetime | None
    totp_sealed: str | None
    totp_confirmed_at: datetime | None
    locked_at: datetime | None
    locked_until: datetime | None
    activation_sent_at: datetime | None
    activation_sent_count: int
    weblink: str | None
    availability: str
    role_names: list[str]
    team_name: str | None
    locale: str | None
    email_failure: str | None
    email_failed_at: datetime | None
    mobile_failure: str | None
    mobile_failed_at: datetime | None
    version: int

    def locked(self, now: datetime) -> bool:
        return self.locked_at is not None and (self.locked_until is None or self.locked_until > now)

    @property
    def state(self) -> StaffState:
        """What the other services may know."""
        return StaffState(
            staff=self.id,
            type=self.type,
            status=self.status,
            default_level=self.default_level,
            route_anywhere=self.route_anywhere,
            version=self.version,
        )


class NewStaff(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    type: StaffType
    username: str
    username_key: str
    extension: str | None
    name: str
    email: str
    mobile: str | None
    locale: str | None
    portal: bool
    weblink: str
    default_level: Level
    route_anywhere: bool


async def take_name(tx: Tx, org: UUID, username_key: str) -> bool:
    """False where somebody of the organisation has, or ever had, that username."""
    digest = name_digest(org, username_key)
    return await tx.run("INSERT INTO staff_name (org, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING", org, digest) == 1


def name_digest(org: UUID, username_key: str) -> bytes:
    return hashlib.sha256(f"{org}/{username_key}".encode()).digest()


async def add_staff(tx: Tx, org: UUID, new: NewStaff, now: datetime) -> StaffRow | None:
    """None where the organisation has somebody of that username or extension. Without portal there is nothing to
    activate. Take the name before."""
    status = StaffStatus.INVITED if new.portal else StaffStatus.ACTIVE
    return await tx.one(
        StaffRow,
        "INSERT INTO staff (org, id, type, status, username, username_key, name, email, mobile, default_level,"
        " route_anywhere, extension, portal, weblink, locale, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
        f" ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
        org, new.id, new.type, status, new.username, new.username_key, new.name, new.email, new.mobile,
        new.default_level, new.route_anywhere, new.extension, new.portal, new.weblink, new.locale, now,
    )  # fmt: skip


async def staff(tx: Tx, org: UUID, id: UUID) -> StaffRow | None:
    """None for those who were deleted, here and below: they are nobody any more."""
    return await tx.one(
        StaffRow, f"SELECT {COLUMNS} FROM staff WHERE org = $1 AND id = $2 AND status <> 'deleted'", org, id
    )


async def lock_staff(tx: Tx, org: UUID, id: UUID) -> StaffRow | None:
    """Held until the end of the transaction: changes to one person happen one after the other."""
    return await tx.one(
        StaffRow, f"SELECT {COLUMNS} FROM staff WHERE org = $1 AND id = $2 AND status <> 'deleted' FOR UPDATE", org, id
    )


async def lock_administrators(tx: Tx, org: UUID) -> list[UUID]:
    """Who can still administer the organisation, held until the end of the transaction; always in one order."""
    return await tx.column(
        "SELECT id FROM staff WHERE org = $1 AND type IN ('owner', 'administrator') AND status = 'active'"
        " AND portal ORDER BY id FOR UPDATE",
        org,
    )


async def staff_by_username(tx: Tx, org: UUID, username_key: str) -> StaffRow | None:
    return await tx.one(
        StaffRow,
        f"SELECT {COLUMNS} FROM staff WHERE org = $1 AND username_key = $2 AND status <> 'deleted'",
        org,
        username_key,
    )


async def activate_staff(tx: Tx, org: UUID, id: UUID, password_hash: str, now: datetime) -> StaffRow | None:
    """None where the person is not waiting to be activated."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET status = 'active', password_hash = $3, password_changed_at = $4, email_confirmed_at = $4,"
        " email_failure = NULL, email_failed_at = NULL, email_heard_at = $4, version = version + 1"
        f" WHERE org = $1 AND id = $2 AND status = 'invited' RETURNING {COLUMNS}",
        org, id, password_hash, now,
    )  # fmt: skip


async def rehash_password(tx: Tx, org: UUID, id: UUID, old_hash: str, new_hash: str) -> None:
    """The same password, hashed anew; only if nobody changed it meanwhile."""
    await tx.run(
        "UPDATE staff SET password_hash = $4 WHERE org = $1 AND id = $2 AND password_hash = $3",
        org, id, old_hash, new_hash,
    )  # fmt: skip


async def count_activation(tx: Tx, org: UUID, id: UUID, now: datetime) -> int:
    count: int = await tx.value(
        "UPDATE staff SET activation_sent_at = $3, activation_sent_count = activation_sent_count + 1"
        " WHERE org = $1 AND id = $2 RETURNING activation_sent_count",
        org, id, now,
    )  # fmt: skip
    return count


async def count_reset(tx: Tx, org: UUID, id: UUID) -> int:
    """Links that administrators have sent, ever."""
    count: int = await tx.value(
        "UPDATE staff SET reset_sent_count = reset_sent_count + 1 WHERE org = $1 AND id = $2"
        " RETURNING reset_sent_count",
        org, id,
    )  # fmt: skip
    return count


async def confirm_mobile(tx: Tx, org: UUID, id: UUID, now: datetime) -> None:
    await tx.run(
        "UPDATE staff SET mobile_confirmed_at = coalesce(mobile_confirmed_at, $3) WHERE org = $1 AND id = $2",
        org, id, now,
    )  # fmt: skip
