"""Second factors as a whole, the authenticator app's part of an account, and tries at all of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import FactorKind


class TriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """Tries that came to nothing: of late, and since one succeeded."""

    lately: int
    in_a_row: int


async def enrolled(tx: Tx, org: UUID, staff: UUID) -> list[FactorKind]:
    """Of passkeys and recovery codes, what the person can use; the account itself tells the rest."""
    kinds = await tx.column(
        "SELECT 'passkey' WHERE EXISTS (SELECT FROM passkey WHERE org = $1 AND staff = $2) UNION ALL"
        " SELECT 'recovery' WHERE EXISTS"
        " (SELECT FROM recovery_code WHERE org = $1 AND staff = $2 AND used_at IS NULL)",
        org, staff,
    )  # fmt: skip
    return [FactorKind(kind) for kind in kinds]


async def administrators_with_factor(tx: Tx, org: UUID) -> list[UUID]:
    """Who administers the organisation and has a strong factor. Lock the administrators before."""
    return await tx.column(
        "SELECT id FROM staff WHERE org = $1 AND type IN ('owner', 'administrator') AND status = 'active' AND portal"
        " AND (totp_confirmed_at IS NOT NULL OR EXISTS"
        " (SELECT FROM passkey WHERE passkey.org = $1 AND passkey.staff = staff.id)) ORDER BY id",
        org,
    )


async def drop_factors(tx: Tx, org: UUID, id: UUID) -> None:
    """Everything that was enrolled; of the mobile number, that it was confirmed."""
    await tx.run("DELETE FROM passkey WHERE org = $1 AND staff = $2", org, id)
    await tx.run("DELETE FROM recovery_code WHERE org = $1 AND staff = $2", org, id)
    await tx.run(
        "UPDATE staff SET totp_sealed = NULL, totp_next = NULL, totp_confirmed_at = NULL, mobile_confirmed_at = NULL"
        " WHERE org = $1 AND id = $2",
        org, id,
    )  # fmt: skip


# --- the authenticator app --------------------------------------------------------------------------------------


async def propose_totp(tx: Tx, org: UUID, id: UUID, sealed: str) -> None:
    """In the place of one that was proposed before. The app that counts, counts on."""
    await tx.run("UPDATE staff SET totp_next = $3 WHERE org = $1 AND id = $2", org, id, sealed)


async def proposed_totp(tx: Tx, org: UUID, id: UUID) -> str | None:
    sealed: str | None = await tx.value("SELECT totp_next FROM staff WHERE org = $1 AND id = $2", org, id)
    return sealed


async def confirm_totp(tx: Tx, org: UUID, id: UUID, step: int, now: datetime) -> None:
    """What was proposed counts from now on, from the next time step."""
    await tx.run(
        "UPDATE staff SET totp_sealed = totp_next, totp_next = NULL, totp_confirmed_at = $4, totp_last_step = $3"
        " WHERE org = $1 AND id = $2 AND totp_next IS NOT NULL",
        org, id, step, now,
    )  # fmt: skip


async def use_totp_step(tx: Tx, org: UUID, id: UUID, step: int) -> bool:
    """A time step is good once, and so is every one before it; of many at the same moment one succeeds."""
    return (
        await tx.run(
            "UPDATE staff SET totp_last_step = $3 WHERE org = $1 AND id = $2 AND totp_last_step < $3", org, id, step
        )
        == 1
    )


async def drop_totp(tx: Tx, org: UUID, id: UUID) -> None:
    await tx.run(
        "UPDATE staff SET totp_sealed = NULL, totp_next = NULL, totp_confirmed_at = NULL WHERE org = $1 AND id = $2",
        org, id,
    )  # fmt: skip


# --- tries ------------------------------------------------------------------------------------------------------


async def tries(tx: Tx, org: UUID, staff: UUID, since: datetime) -> TriesRow:
    """Over all logins and step-ups of the person that were not finished; a new code or a new login resets nothing."""
    row = await tx.one(
        TriesRow,
        "WITH proved AS (SELECT coalesce(max(finished_at), '-infinity') AS at FROM login"
        " WHERE org = $1 AND staff = $2 AND finished_at IS NOT NULL AND purpose <> 'mobile')"
        " SELECT coalesce(sum(attempts) FILTER (WHERE tried_at > $3), 0)::bigint AS lately,"
        " coalesce(sum(attempts) FILTER (WHERE tried_at > proved.at), 0)::bigint AS in_a_row FROM login, proved"
        " WHERE org = $1 AND staff = $2 AND finished_at IS NULL AND purpose <> 'mobile'"
        " AND tried_at > least($3, proved.at)",
        org, staff, since,
    )  # fmt: skip
    assert row is not None
    return row


async def forget_tries(tx: Tx, org: UUID, staff: UUID, now: datetime) -> None:
    """And with them whatever is still open: it can't be finished any more."""
    await tx.run(
        "UPDATE login SET expires_at = least(expires_at, $3), tried_at = NULL"
        " WHERE org = $1 AND staff = $2 AND finished_at IS NULL",
        org, staff, now,
    )  # fmt: skip
