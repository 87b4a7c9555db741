"""Links that were sent by e-mail. Only the digest of their secret is here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import LinkPurpose


class LinkRow(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    staff: UUID
    purpose: LinkPurpose
    email: str


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """`asked`: by somebody who is not known yet, at the login page."""

    id: UUID
    staff: UUID
    purpose: LinkPurpose
    digest: bytes
    email: str
    asked: bool
    expires_at: datetime


class SentRow(msgspec.Struct, frozen=True, kw_only=True):
    count: int
    last: datetime | None


async def replace_link(tx: Tx, org: UUID, new: NewLink, now: datetime) -> None:
    """Add a link, and kill the person's older ones of that purpose."""
    await tx.run(
        "UPDATE link SET superseded_at = $4 WHERE org = $1 AND staff = $2 AND purpose = $3"
        " AND used_at IS NULL AND superseded_at IS NULL",
        org, new.staff, new.purpose, now,
    )  # fmt: skip
    await tx.run(
        "INSERT INTO link (org, id, staff, purpose, digest, email, asked, expires_at, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        org, new.id, new.staff, new.purpose, new.digest, new.email, new.asked, new.expires_at, now,
    )  # fmt: skip


async def kill_links_of(tx: Tx, org: UUID, staff: UUID, now: datetime) -> None:
    """Whatever was sent to the person is good for nothing any more."""
    await tx.run(
        "UPDATE link SET superseded_at = $3 WHERE org = $1 AND staff = $2 AND used_at IS NULL AND superseded_at IS NULL",
        org, staff, now,
    )  # fmt: skip


async def sent_since(tx: Tx, org: UUID, staff: UUID, since: datetime, *, asked: bool) -> SentRow:
    """Of every purpose together; the last that was not used."""
    row = await tx.one(
        SentRow,
        "SELECT count(*) AS count, max(created_at) FILTER (WHERE used_at IS NULL) AS last FROM link"
        " WHERE org = $1 AND staff = $2 AND created_at > $3 AND asked = $4",
        org, staff, since, asked,
    )  # fmt: skip
    assert row is not None
    return row


async def live_link(tx: Tx, org: UUID, digest: bytes, purposes: Sequence[LinkPurpose], now: datetime) -> LinkRow | None:
    return await tx.one(
        LinkRow,
        "SELECT id, staff, purpose, email FROM link WHERE org = $1 AND digest = $2 AND purpose = ANY($4)"
        " AND used_at IS NULL AND superseded_at IS NULL AND expires_at > $3",
        org, digest, now, [*purposes],
    )  # fmt: skip


async def use_link(tx: Tx, org: UUID, digest: bytes, purposes: Sequence[LinkPurpose], now: datetime) -> LinkRow | None:
    """The link, for the one of many parallel callers who gets it."""
    return await tx.one(
        LinkRow,
        "UPDATE link SET used_at = $3 WHERE org = $1 AND digest = $2 AND purpose = ANY($4)"
        " AND used_at IS NULL AND superseded_at IS NULL AND expires_at > $3 RETURNING id, staff, purpose, email",
        org, digest, now, [*purposes],
    )  # fmt: skip
