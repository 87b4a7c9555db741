"""Staff as they go into a file."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.decision import Columns, RowFilter, where


class ExportedRow(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    name: str
    email: str
    username: str
    username_key: str
    extension: str | None
    mobile: str | None
    locale: str | None
    default_level: str
    route_anywhere: bool
    portal: bool
    role_names: list[str]
    team_name: str | None


async def staff_after(tx: Tx, org: UUID, rows: RowFilter, after: str, limit: int) -> list[ExportedRow]:
    """Whom the filter lets through, by username; those who were deleted are left out."""
    within, values = where(rows, Columns(id="id::text", owner="id::text", team=None), first=4)
    return await tx.all(
        ExportedRow,
        "SELECT type, name, email, username, username_key, extension, mobile, locale, default_level, route_anywhere, portal,"
        " role_names, team_name FROM staff"
        f" WHERE org = $1 AND username_key > $2 AND status <> 'deleted' AND {within} ORDER BY username_key LIMIT $3",
        org, after, limit, *values,
    )  # fmt: skip
