"""The audit log (permission model, section 6, rule 6): who, when, from where, what it was and what it became."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from services.authz.store import audit as store
from services.authz.store.audit import AuditRow
from services.authz.work import Work
from shared.db import Tx
from shared.errors import Forbidden, Invalid
from staffgate.contracts.administration import AuditEntry, AuditPage, AuditQuery
from staffgate.contracts.caller import Person
from staffgate.contracts.changes import Change
from staffgate.contracts.level import DataAccess
from staffgate.decision import Question, decide

_MOST_PEOPLE = 1000  # in one entry
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def named(change: Change) -> Iterator[UUID]:
    """The people whom a change names."""
    staff = getattr(change, "staff", None)
    if isinstance(staff, UUID):
        yield staff
    elif staff is not None:
        yield from staff


def made(work: Work, ip: str, changes: Sequence[Change]) -> list[AuditRow]:
    """What altered nothing is left out. `people` are those whose permissions it touched."""
    touched = sorted(work.affected)[:_MOST_PEOPLE]
    rows = []
    for change, outcome in zip(changes, work.outcomes, strict=True):
        if outcome.before != outcome.after:
            row = _row(work.tx, work.caller, ip, change, sorted({*named(change)}) or touched)
            rows.append(msgspec.structs.replace(row, before=_json(outcome.before), after=_json(outcome.after)))
    return rows


async def note_refused(tx: Tx, caller: Person, ip: str, changes: Sequence[Change], refusal: str) -> None:
    for change in changes:
        row = _row(tx, caller, ip, change, sorted({*named(change)}))
        await store.add_entry(tx, caller.org, msgspec.structs.replace(row, refusal=refusal))


async def page(work: Work, asked: AuditQuery) -> AuditPage:
    """For those who may view the log of the whole organisation: its rows are nobody's in particular."""
    verdict = decide(work.giver, work.catalogue, Question("core.audit.view", "section", "core.audit"))
    if not verdict.allowed or verdict.reach is not DataAccess.FULL:
        raise Forbidden("not_permitted", "This takes the action 'core.audit.view' over the whole organisation.")
    for at in (asked.since, asked.until):
        if at is not None and not _FIRST < at < _LAST:
            raise Invalid("not_a_day", "Name a time of this century.")
    rows = await store.entries(
        work.tx,
        work.org,
        person=asked.person,
        kind=asked.kind,
        since=asked.since,
        until=asked.until,
        before=asked.before,
        limit=asked.limit + 1,
    )
    shown = [_shown(row) for row in rows[: asked.limit]]
    return AuditPage(entries=shown, next=shown[-1].number if len(rows) > asked.limit else None)


def _row(tx: Tx, caller: Person, ip: str, change: Change, people: list[UUID]) -> AuditRow:
    kind = str(change.__struct_config__.tag)
    return AuditRow(
        at=tx.database.clock.now(),
        actor=caller.staff,
        ip=ip,
        kind=kind,
        people=people,
        change=msgspec.json.encode(change).decode(),
        before=None,
        after=None,
        refusal=None,
        revision=None,
    )


def _shown(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        number=row.number,
        at=row.at,
        actor=row.actor,
        ip=row.ip,
        kind=row.kind,
        people=row.people,
        change=msgspec.json.decode(row.change),
        before=None if row.before is None else msgspec.json.decode(row.before),
        after=None if row.after is None else msgspec.json.decode(row.after),
        refusal=row.refusal,
        revision=row.revision,
    )


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
