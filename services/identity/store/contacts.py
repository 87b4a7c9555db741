"""A person's e-mail address, mobile number and language."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.store.staff import COLUMNS, StaffRow
from shared.db import Tx


async def set_email(tx: Tx, org: UUID, staff: UUID, email: str, confirmed_at: datetime | None) -> StaffRow | None:
    return await tx.one(
        StaffRow,
        "UPDATE staff SET email = $3, email_confirmed_at = $4, version = version + 1 WHERE org = $1 AND id = $2"
        f" RETURNING {COLUMNS}",
        org, staff, email, confirmed_at,
    )  # fmt: skip


async def confirm_email(tx: Tx, org: UUID, staff: UUID, now: datetime) -> None:
    """The address that is there: a link that was sent to it has come back."""
    await tx.run(
        "UPDATE staff SET email_confirmed_at = coalesce(email_confirmed_at, $3), email_failure = NULL,"
        " email_failed_at = NULL, email_heard_at = $3 WHERE org = $1 AND id = $2",
        org, staff, now,
    )  # fmt: skip


async def set_mobile(
    tx: Tx, org: UUID, staff: UUID, mobile: str | None, confirmed_at: datetime | None
) -> StaffRow | None:
    return await tx.one(
        StaffRow,
        "UPDATE staff SET mobile = $3, mobile_confirmed_at = $4, version = version + 1 WHERE org = $1 AND id = $2"
        f" RETURNING {COLUMNS}",
        org, staff, mobile, confirmed_at,
    )  # fmt: skip


async def set_locale(tx: Tx, org: UUID, staff: UUID, locale: str | None) -> StaffRow | None:
    return await tx.one(
        StaffRow,
        f"UPDATE staff SET locale = $3, version = version + 1 WHERE org = $1 AND id = $2 RETURNING {COLUMNS}",
        org, staff, locale,
    )  # fmt: skip


async def take_test(tx: Tx, org: UUID, staff: UUID, now: datetime, before: datetime) -> bool:
    """False where the last one was sent after that."""
    return await tx.run(
        "UPDATE staff SET tested_at = $3 WHERE org = $1 AND id = $2 AND (tested_at IS NULL OR tested_at <= $4)",
        org, staff, now, before,
    ) == 1  # fmt: skip
