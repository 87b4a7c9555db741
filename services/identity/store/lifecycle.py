"""What becomes of an account: its status, and everything that somebody could get in with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is to be."""

    type: StaffType
    status: StaffStatus
    portal: bool
    username: str
    username_key: str
    extension: str | None
    name: str
    email: str
    mobile: str | None
    locale: str | None


async def edit_staff(tx: Tx, org: UUID, id: UUID, new: Edited) -> StaffRow | None:
    """None where somebody else has the extension. What is not confirmed any more is forgotten to be."""
    return await tx.one_unless_taken(
        StaffRow,
        "UPDATE staff SET type = $3, status = $4, portal = $5, username = $6, username_key = $7, extension = $8,"
        " name = $9, email = $10, mobile = $11, locale = $12,"
        " email_confirmed_at = CASE WHEN email = $10 THEN email_confirmed_at END,"
        " mobile_confirmed_at = CASE WHEN mobile = $11 THEN mobile_confirmed_at END,"
        f" version = version + 1 WHERE org = $1 AND id = $2 RETURNING {COLUMNS}",
        org, id, new.type, new.status, new.portal, new.username, new.username_key, new.extension, new.name,
        new.email, new.mobile, new.locale,
    )  # fmt: skip


async def suspend_staff(tx: Tx, org: UUID, id: UUID, now: datetime) -> StaffRow | None:
    """None where the person is not active."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET status = 'suspended', suspended_at = $3, version = version + 1"
        f" WHERE org = $1 AND id = $2 AND status = 'active' RETURNING {COLUMNS}",
        org, id, now,
    )  # fmt: skip


async def reactivate_staff(tx: Tx, org: UUID, id: UUID) -> StaffRow | None:
    """None where the person is not suspended."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET status = 'active', suspended_at = NULL, version = version + 1"
        f" WHERE org = $1 AND id = $2 AND status = 'suspended' RETURNING {COLUMNS}",
        org, id,
    )  # fmt: skip


async def delete_staff(tx: Tx, org: UUID, id: UUID, now: datetime) -> StaffRow | None:
    """A tombstone: nobody finds it any more but the list of those who were deleted."""
    return await tx.one(
        StaffRow,
        "UPDATE staff SET status = 'deleted', deleted_at = $3, weblink = NULL, version = version + 1"
        f" WHERE org = $1 AND id = $2 AND status <> 'deleted' RETURNING {COLUMNS}",
        org, id, now,
    )  # fmt: skip


async def set_weblink(tx: Tx, org: UUID, id: UUID, weblink: str) -> StaffRow | None:
    """The one before it leads nowhere from now on."""
    return await tx.one(
        StaffRow,
        f"UPDATE staff SET weblink = $3, version = version + 1 WHERE org = $1 AND id = $2 RETURNING {COLUMNS}",
        org, id, weblink,
    )  # fmt: skip


async def forget_password(tx: Tx, org: UUID, staff: UUID) -> None:
    """With those before it, and the devices that it was typed on."""
    await tx.run(
        "UPDATE staff SET password_hash = NULL, password_changed_at = NULL, locked_at = NULL, locked_until = NULL"
        " WHERE org = $1 AND id = $2",
        org, staff,
    )  # fmt: skip
    await tx.run("DELETE FROM device WHERE org = $1 AND staff = $2", org, staff)
    await tx.run("DELETE FROM former_password WHERE org = $1 AND staff = $2", org, staff)
