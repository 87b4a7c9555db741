"""Imports: the files that were sent, staged row by row, and how far each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.identity.store import staff as staff_store
from services.identity.store.staff import StaffRow
from shared.db import Tx
from staffgate.contracts.identity import ImportMode, ImportState

_COLUMNS = (
    "org, id, by_staff, digest, mode, activate, columns, state, phase, reason, judged_as, rows, done, good, bad, created,"
    " attempts, faults, ip, agent, traceparent, created_at, started_at, finished_at"
)
_OPEN = "state IN ('waiting', 'running')"
_PERSON = "type, username, username_key, extension, name, email, mobile, default_level, route_anywhere, portal, weblink, locale"


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` fences: whoever takes the import over raises it."""

    org: UUID
    id: UUID
    by_staff: UUID
    digest: bytes
    mode: ImportMode
    activate: bool
    columns: list[str]
    state: ImportState
    phase: str
    reason: str | None
    judged_as: str | None
    rows: int
    done: int
    good: int
    bad: int
    created: int
    attempts: int
    faults: int
    ip: str
    agent: str
    traceparent: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class NewImport(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    by_staff: UUID
    key: str
    digest: bytes
    mode: ImportMode
    activate: bool
    columns: list[str]
    ip: str
    agent: str
    traceparent: str


class Staged(msgspec.Struct, frozen=True):
    """A row as it came, and what was found wrong with it; both as JSON."""

    row: int
    cells: str
    faults: str | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a row came to: a person to be written, as JSON, or faults."""

    row: int
    state: str
    person: str | None
    digest: bytes | None
    role: str | None
    team: UUID | None
    faults: str | None


class Placed(msgspec.Struct, frozen=True):
    """A row whose person is there, and where they are to be placed."""

    row: int
    staff: UUID
    role: str | None
    team: UUID | None


# --- sending and looking --------------------------------------------------------------------------------------


async def add_import(tx: Tx, org: UUID, new: NewImport, now: datetime) -> bool:
    """False where this person has sent one under this key."""
    added = await tx.run(
        "INSERT INTO staff_import (org, id, by_staff, key, digest, mode, activate, columns, ip, agent, traceparent,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (org, by_staff, key) DO NOTHING",
        org, new.id, new.by_staff, new.key, new.digest, new.mode, new.activate, new.columns, new.ip, new.agent,
        new.traceparent, now,
    )  # fmt: skip
    return added == 1


async def stage(tx: Tx, org: UUID, id: UUID, numbers: Sequence[int], cells: Sequence[str]) -> None:
    await tx.run(
        "INSERT INTO staff_import_row (org, import, row, cells) SELECT $1, $2, number, cells::jsonb"
        " FROM unnest($3::integer[], $4::text[]) AS given (number, cells)",
        org, id, numbers, cells,
    )  # fmt: skip


async def set_rows(tx: Tx, org: UUID, id: UUID, rows: int) -> None:
    await tx.run("UPDATE staff_import SET rows = $3 WHERE org = $1 AND id = $2", org, id, rows)


async def open_imports(tx: Tx, org: UUID) -> int:
    count: int = await tx.value(f"SELECT count(*) FROM staff_import WHERE org = $1 AND {_OPEN}", org)
    return count


async def import_of_key(tx: Tx, org: UUID, by: UUID, key: str) -> ImportRow | None:
    return await tx.one(
        ImportRow,
        f"SELECT {_COLUMNS} FROM staff_import WHERE org = $1 AND by_staff = $2 AND key = $3",
        org, by, key,
    )  # fmt: skip


async def one_import(tx: Tx, org: UUID, id: UUID) -> ImportRow | None:
    return await tx.one(ImportRow, f"SELECT {_COLUMNS} FROM staff_import WHERE org = $1 AND id = $2", org, id)


async def imports(tx: Tx, org: UUID, by: UUID | None, limit: int) -> list[ImportRow]:
    """The newest first; of one person, or of everybody."""
    return await tx.all(
        ImportRow,
        f"SELECT {_COLUMNS} FROM staff_import WHERE org = $1 AND ($2::uuid IS NULL OR by_staff = $2)"
        " ORDER BY created_at DESC, id DESC LIMIT $3",
        org, by, limit,
    )  # fmt: skip


async def left_rows(tx: Tx, org: UUID, id: UUID, good_too: bool, after: int, limit: int) -> list[Staged]:
    """Rows that made nobody, in their order."""
    return await tx.all(
        Staged,
        "SELECT row, cells::text AS cells, faults::text AS faults FROM staff_import_row"
        " WHERE org = $1 AND import = $2 AND row > $4 AND (state = 'bad' OR ($3 AND state = 'good'))"
        " ORDER BY row LIMIT $5",
        org, id, good_too, after, limit,
    )  # fmt: skip


# --- the worker's, for every organisation ----------------------------------------------------------------------


async def claim_anywhere(tx: Tx, now: datetime, until: datetime) -> ImportRow | None:
    """The oldest that nobody works on."""
    return await tx.one(
        ImportRow,
        "UPDATE staff_import SET state = 'running', reason = NULL, attempts = attempts + 1, claimed_until = $2,"
        " started_at = coalesce(started_at, $1)"
        f" WHERE id = (SELECT id FROM staff_import WHERE {_OPEN} AND coalesce(claimed_until, '-infinity') <= $1"
        f"  ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        now, until,
    )  # fmt: skip


async def sweep_anywhere(tx: Tx, before: datetime, limit: int) -> int:
    """Forget the cells of what was over before that; names and addresses are not kept for nothing."""
    return await tx.run(
        "WITH old AS MATERIALIZED (SELECT id FROM staff_import WHERE finished_at < $1 AND swept_at IS NULL"
        "  ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED),"
        " gone AS (DELETE FROM staff_import_row WHERE import IN (SELECT id FROM old))"
        " UPDATE staff_import SET swept_at = $1 WHERE id IN (SELECT id FROM old)",
        before, limit,
    )  # fmt: skip


# --- the worker's, within one import ---------------------------------------------------------------------------


async def keep(tx: Tx, org: UUID, own: ImportRow, until: datetime) -> bool:
    """Hold it a while longer, and its row until the end of this transaction; False where somebody has taken it over."""
    return (
        await tx.run(
            "UPDATE staff_import SET claimed_until = $4 WHERE org = $1 AND id = $2 AND attempts = $3 AND state = 'running'",
            org, own.id, own.attempts, until,
        )
        == 1
    )  # fmt: skip


async def begin_judging(tx: Tx, org: UUID, id: UUID) -> None:
    await tx.run("UPDATE staff_import SET done = 0, good = 0, bad = 0 WHERE org = $1 AND id = $2", org, id)


async def begin_creating(tx: Tx, org: UUID, id: UUID, judged_as: str) -> None:
    await tx.run(
        "UPDATE staff_import SET phase = 'create', done = 0, judged_as = $3 WHERE org = $1 AND id = $2",
        org, id, judged_as,
    )  # fmt: skip


async def count_judged(tx: Tx, org: UUID, id: UUID, good: int, bad: int) -> None:
    await tx.run(
        "UPDATE staff_import SET done = done + $3 + $4, good = good + $3, bad = bad + $4 WHERE org = $1 AND id = $2",
        org, id, good, bad,
    )  # fmt: skip


async def count_created(tx: Tx, org: UUID, id: UUID, created: int) -> None:
    await tx.run(
        "UPDATE staff_import SET done = done + $3, created = created + $3 WHERE org = $1 AND id = $2", org, id, created
    )


async def count_clashed(tx: Tx, org: UUID, id: UUID, clashed: int) -> None:
    await tx.run(
        "UPDATE staff_import SET good = good - $3, bad = bad + $3 WHERE org = $1 AND id = $2", org, id, clashed
    )


async def put_back(tx: Tx, org: UUID, own: ImportRow, reason: str | None, again: datetime, faults: int) -> None:
    await tx.run(
        "UPDATE staff_import SET state = 'waiting', reason = $4, claimed_until = $5, faults = $6"
        " WHERE org = $1 AND id = $2 AND attempts = $3 AND state = 'running'",
        org, own.id, own.attempts, reason, again, faults,
    )  # fmt: skip


async def end_import(tx: Tx, org: UUID, id: UUID, state: ImportState, reason: str | None, now: datetime) -> None:
    await tx.run(
        "UPDATE staff_import SET state = $3, reason = $4, finished_at = $5, claimed_until = NULL"
        " WHERE org = $1 AND id = $2",
        org, id, state, reason, now,
    )  # fmt: skip


async def staged_rows(tx: Tx, org: UUID, id: UUID, after: int, limit: int) -> list[Staged]:
    return await tx.all(
        Staged,
        "SELECT row, cells::text AS cells, NULL AS faults FROM staff_import_row"
        " WHERE org = $1 AND import = $2 AND row > $3 ORDER BY row LIMIT $4",
        org, id, after, limit,
    )  # fmt: skip


async def judge(tx: Tx, org: UUID, id: UUID, judged: Sequence[Judged]) -> None:
    await tx.run(
        "UPDATE staff_import_row AS old SET state = new.state, person = new.person::jsonb, digest = new.digest,"
        " role = new.role, team = new.team, faults = new.faults::jsonb"
        " FROM unnest($3::integer[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::uuid[], $9::text[])"
        "  AS new (row, state, person, digest, role, team, faults)"
        # The rows by their key, or a plan may go through the whole file for each of them: measured, 50 s.
        " WHERE old.org = $1 AND old.import = $2 AND old.row = ANY($3) AND old.row = new.row",
        org, id, [one.row for one in judged], [one.state for one in judged], [one.person for one in judged],
        [one.digest for one in judged], [one.role for one in judged], [one.team for one in judged],
        [one.faults for one in judged],
    )  # fmt: skip


async def names_taken(tx: Tx, org: UUID, digests: Sequence[bytes]) -> set[bytes]:
    return {
        *await tx.column("SELECT digest FROM staff_name WHERE org = $1 AND digest = ANY($2::bytea[])", org, digests)
    }


async def extensions_taken(tx: Tx, org: UUID, extensions: Sequence[str]) -> set[str]:
    return {
        *await tx.column(
            "SELECT extension FROM staff WHERE org = $1 AND extension = ANY($2::text[]) AND status <> 'deleted'",
            org, extensions,
        )
    }  # fmt: skip


async def rows_in(tx: Tx, org: UUID, id: UUID, state: str, limit: int | None) -> list[int]:
    """Of this state, the first so many; all of them where there is no limit."""
    return await tx.column(
        "SELECT row FROM staff_import_row WHERE org = $1 AND import = $2 AND state = $3 ORDER BY row LIMIT $4",
        org, id, state, limit,
    )  # fmt: skip


async def take_names(tx: Tx, org: UUID, id: UUID, rows: Sequence[int]) -> list[int]:
    """The rows whose names were taken by others meanwhile. In one order, so that two files never wait for each other."""
    return await tx.column(
        "WITH taken AS (INSERT INTO staff_name (org, digest) SELECT org, digest FROM staff_import_row"
        "  WHERE org = $1 AND import = $2 AND row = ANY($3::integer[]) ORDER BY digest"
        "  ON CONFLICT DO NOTHING RETURNING digest)"
        " SELECT row FROM staff_import_row WHERE org = $1 AND import = $2 AND row = ANY($3::integer[])"
        " AND digest NOT IN (SELECT digest FROM taken) ORDER BY row",
        org, id, rows,
    )  # fmt: skip


async def write_people(tx: Tx, org: UUID, id: UUID, rows: Sequence[int], now: datetime) -> list[int]:
    """The rows that nobody could be made of, because their extension is somebody's. Take the names before."""
    return await tx.column(
        f"WITH made AS (INSERT INTO staff (org, id, status, created_at, {_PERSON})"
        f" SELECT $1, new.id, CASE WHEN portal THEN 'invited' ELSE 'active' END, $4, {_PERSON}"
        "  FROM staff_import_row AS given, jsonb_populate_record(NULL::staff, given.person) AS new"
        "  WHERE given.org = $1 AND given.import = $2 AND given.row = ANY($3::integer[]) ORDER BY extension, given.row"
        "  ON CONFLICT DO NOTHING RETURNING id)"
        " SELECT row FROM staff_import_row WHERE org = $1 AND import = $2 AND row = ANY($3::integer[])"
        " AND (person ->> 'id')::uuid NOT IN (SELECT id FROM made) ORDER BY row",
        org, id, rows, now,
    )  # fmt: skip


async def mark(tx: Tx, org: UUID, id: UUID, rows: Sequence[int], state: str, faults: str | None = None) -> None:
    """Of a row that is done nothing is kept but who it became."""
    await tx.run(
        "UPDATE staff_import_row SET state = $4, faults = $5::jsonb,"
        " cells = CASE $4 WHEN 'done' THEN NULL ELSE cells END,"
        " person = CASE $4 WHEN 'done' THEN jsonb_build_object('id', person -> 'id') ELSE person END"
        " WHERE org = $1 AND import = $2 AND row = ANY($3::integer[])",
        org, id, rows, state, faults,
    )  # fmt: skip


async def placed(tx: Tx, org: UUID, id: UUID, rows: Sequence[int]) -> list[Placed]:
    return await tx.all(
        Placed,
        "SELECT row, (person ->> 'id')::uuid AS staff, role, team FROM staff_import_row"
        " WHERE org = $1 AND import = $2 AND row = ANY($3::integer[]) ORDER BY row",
        org, id, rows,
    )  # fmt: skip


async def lock_people(tx: Tx, org: UUID, ids: Sequence[UUID]) -> dict[UUID, StaffRow]:
    rows = await tx.all(
        StaffRow,
        f"SELECT {staff_store.COLUMNS} FROM staff WHERE org = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
        org, ids,
    )  # fmt: skip
    return {row.id: row for row in rows}
