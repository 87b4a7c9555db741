"""Reading the audit log: page by page, as a file, a person's own part of it; and finding out whether it is whole.

What the organisation's log says takes `core.audit.view` over the whole organisation, and `core.audit.download` as a file.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from services.identity.log import audit, chain
from services.identity.log.audit import Act
from services.identity.log.chain import Break, End, Link
from services.identity.permits import Permits
from services.identity.staff.imports import cells
from services.identity.store import audit as store
from services.identity.store.audit import AuditRow
from shared.db import Database, Tx
from shared.errors import Invalid
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    Activity,
    ActivityPage,
    ActivityQuery,
    AuditAnchor,
    AuditEntry,
    AuditFilter,
    AuditPage,
    AuditQuery,
    AuditVerdict,
)

_SECTION = "core.audit"
_BATCH = 500
_HASHED = 2000  # entries that are hashed in one go, in a thread: some milliseconds
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_HEADER = ("number", "at", "event", "result", "actor", "target", "ip", "agent", "request", "detail", "hash")

_decode = msgspec.json.Decoder(audit.Entry).decode
_encode = msgspec.json.Encoder().encode


class Trail:
    def __init__(self, db: Database, permits: Permits) -> None:
        self._db = db
        self._permits = permits

    async def page(self, caller: Person, asked: AuditQuery) -> AuditPage:
        """The newest first."""
        await self._permits.require_in(caller, _SECTION, "view")
        async with self._db.begin(caller.org) as tx:
            rows = await _rows(tx, caller.org, asked, asked.before, asked.limit + 1)
        shown = [_shown(row) for row in rows[: asked.limit]]
        return AuditPage(entries=shown, next=shown[-1].number if len(rows) > asked.limit else None)

    async def activity(self, caller: Person, asked: ActivityQuery) -> ActivityPage:
        """What the caller did, and what was done to their account; where a colleague did it from is the colleague's."""
        async with self._db.begin(caller.org) as tx:
            rows = await _rows(tx, caller.org, AuditFilter(person=caller.staff), asked.before, asked.limit + 1)
        shown = [_own(row, caller.staff) for row in rows[: asked.limit]]
        more = len(rows) > asked.limit
        return ActivityPage(activity=shown, next=rows[asked.limit - 1].number if more else None)

    # --- as a file --------------------------------------------------------------------------------------------

    async def export_table(self, caller: Person, asked: AuditFilter) -> AsyncIterator[bytes]:
        """As a table, for a spreadsheet."""
        return cells.file(_HEADER, _tables(await self._exported(caller, asked)))

    async def export_lines(self, caller: Person, asked: AuditFilter) -> AsyncIterator[bytes]:
        """As it is hashed, so that whoever has the file can follow the chain."""
        return _lines(await self._exported(caller, asked))

    async def _exported(self, caller: Person, asked: AuditFilter) -> AsyncIterator[Sequence[AuditRow]]:
        """The newest first, as it is now: that it was exported is the newest entry, and stands in the file."""
        await self._permits.require_in(caller, _SECTION, "download")
        require_fresh(caller, self._db.clock)
        _require_dates(asked)
        async with self._db.begin(caller.org) as tx:
            audit.note(tx, caller.org, Act.AUDIT_EXPORTED, by=caller, about=caller.staff, **_words(asked))
        async with self._db.begin(caller.org) as tx:
            head = await store.head(tx, caller.org)
        return self._batches(caller.org, asked, 1 if head is None else head.number + 1)

    async def _batches(self, org: UUID, asked: AuditFilter, before: int) -> AsyncIterator[Sequence[AuditRow]]:
        """No transaction is open while whoever reads the file takes their time."""
        while True:
            async with self._db.begin(org) as tx:
                rows = await _rows(tx, org, asked, before, _BATCH)
            if not rows:
                return
            yield rows
            before = rows[-1].number

    # --- whether it is whole ----------------------------------------------------------------------------------

    async def verify(self, caller: Person, anchor: AuditAnchor) -> AuditVerdict:
        await self._permits.require_in(caller, _SECTION, "view")
        if (anchor.number is None) != (anchor.hash is None):
            raise Invalid("half_an_anchor", "Give both, the number of an entry and its hash; or neither.")
        return await self.verdict(caller.org, anchor)

    async def verdict(self, org: UUID, anchor: AuditAnchor) -> AuditVerdict:
        """Follow the chain from its beginning to where it ended when this was asked."""
        async with self._db.begin(org) as tx:
            row = await store.head(tx, org)
        head = None if row is None else End(row.number, row.hash)
        found = await self._followed(org, head, anchor)
        broken: Break | None
        if isinstance(found, Break):
            broken, end = found, head or End()
        else:
            broken, end = chain.close(found, head, 0 if row is None else row.last), found
        return AuditVerdict(
            sound=broken is None,
            entries=end.number,
            hash=end.hash.hex(),
            broken_at=None if broken is None else broken.number,
            why=None if broken is None else broken.why,
        )

    async def organisations(self) -> Sequence[UUID]:
        """That have a log."""
        async with self._db.begin_anywhere() as tx:
            return await store.logs_anywhere(tx)

    async def _followed(self, org: UUID, head: End | None, anchor: AuditAnchor) -> End | Break:
        end, last = End(), head.number if head else 0
        while True:
            async with self._db.begin(org) as tx:
                rows = await store.entries_after(tx, org, end.number, _HASHED)
            # What was written since then is another time's.
            links = [Link(row.number, row.body, row.hash) for row in rows if row.number <= last]
            if not links:
                return end if _holds(anchor, end) else _torn(anchor)
            if (torn := _anchored(anchor, links)) is not None:
                return torn
            found = await asyncio.to_thread(chain.follow, end, links)
            if isinstance(found, Break):
                return found
            end = found


def _anchored(anchor: AuditAnchor, links: Sequence[Link]) -> Break | None:
    for link in links:
        if link.number == anchor.number and not hmac.compare_digest(link.hash.hex(), anchor.hash or ""):
            return _torn(anchor)
    return None


def _holds(anchor: AuditAnchor, end: End) -> bool:
    return anchor.number is None or anchor.number <= end.number


def _torn(anchor: AuditAnchor) -> Break:
    return Break(anchor.number or 0, "not what was written down")


async def _rows(tx: Tx, org: UUID, asked: AuditFilter, before: int | None, limit: int) -> list[AuditRow]:
    _require_dates(asked)
    return await store.entries(
        tx, org, person=asked.person, event=asked.event, since=asked.since, until=asked.until, before=before,
        limit=limit,
    )  # fmt: skip


def _require_dates(asked: AuditFilter) -> None:
    for at in (asked.since, asked.until):
        if at is not None and not _FIRST < at < _LAST:
            raise Invalid("not_a_day", "Name a time of this century.")


def _words(asked: AuditFilter) -> dict[str, Any]:
    """What was asked for, as the log keeps it."""
    fields = {"person": asked.person, "event": asked.event, "from": asked.since, "to": asked.until}
    return {name: str(value) for name, value in fields.items() if value is not None}


def _shown(row: AuditRow) -> AuditEntry:
    entry = _decode(row.body)
    return AuditEntry(number=row.number, **{name: getattr(entry, name) for name in entry.__struct_fields__})


def _own(row: AuditRow, me: UUID) -> Activity:
    entry = _decode(row.body)
    told = entry.actor is None or entry.actor == me
    return Activity(
        at=entry.at,
        event=entry.event,
        result=entry.result,
        yours=entry.actor == me,
        ip=entry.ip if told else "",
        agent=entry.agent if told else "",
    )


async def _tables(batches: AsyncIterator[Sequence[AuditRow]]) -> AsyncIterator[list[list[str]]]:
    async for rows in batches:
        yield [_cells(row) for row in rows]


def _cells(row: AuditRow) -> list[str]:
    entry = _shown(row)
    named = [entry.at, entry.event, entry.result, entry.actor, entry.target, entry.ip, entry.agent, entry.request]
    told = ["" if one is None else str(one) for one in named]
    return [str(row.number), *told, _encode(entry.detail).decode(), row.hash.hex()]


async def _lines(batches: AsyncIterator[Sequence[AuditRow]]) -> AsyncIterator[bytes]:
    """The body stands as it was hashed, as a string of its own: another encoder might write it otherwise."""
    async for rows in batches:
        yield b"".join(
            _encode({"number": row.number, "hash": row.hash.hex(), "body": row.body}) + b"\n" for row in rows
        )
