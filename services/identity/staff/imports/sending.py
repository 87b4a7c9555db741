"""What is done with imports while somebody waits: a file is taken and staged, looked at, and its errors handed out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from uuid import UUID

import msgspec

from services.identity.permits import Permits
from services.identity.staff.imports import cells, template
from services.identity.staff.imports.faults import Fault
from services.identity.staff.imports.reading import Row, Sheet, read
from services.identity.store import imports as store
from services.identity.store.imports import ImportRow, NewImport, Staged
from shared import trace
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, Malformed, NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    FAULT_COLUMNS,
    ErrorsAsked,
    Import,
    ImportAsked,
    ImportKey,
    ImportList,
    ImportMode,
    ImportState,
)

KEPT = timedelta(days=7)  # names and addresses of a file: long enough to correct it
_BATCH = 200  # rows; parsing so many takes 2 ms
_MOST_OPEN = 3  # of one organisation
_LISTED = 100
_ENDED = (ImportState.FINISHED, ImportState.REFUSED, ImportState.FAILED)


class Imports:
    """`wake` tells the worker of this process, where there is one, that there is something to do."""

    def __init__(self, db: Database, permits: Permits, wake: Callable[[], None]) -> None:
        self._db = db
        self._permits = permits
        self._wake = wake

    async def begin(self, caller: Person, asked: ImportAsked, key: str | None, content: bytes) -> Import:
        """Staged, to be worked on. The same file under the same key is the same import, however often it is sent."""
        key = _key(key or asked.key)
        await self._permits.require(caller, "create")
        if asked.activate:
            await self._permits.require(caller, "edit")
        digest = await asyncio.to_thread(_digest, asked, content)
        sheet = read(content)
        new = self._new(caller, asked, key, digest, sheet)
        async with self._db.begin(caller.org) as tx:
            if await store.add_import(tx, caller.org, new, self._db.clock.now()):
                await self._stage(tx, caller.org, new.id, sheet)
            row = await store.import_of_key(tx, caller.org, caller.staff, key)
            assert row is not None
        if row.digest != digest:
            detail = (
                "Another file was sent under this Idempotency-Key, or with other wishes; take a new key for this one."
            )
            raise Invalid("key_reused", detail)
        self._wake()
        return _shown(row)

    def _new(self, caller: Person, asked: ImportAsked, key: str, digest: bytes, sheet: Sheet) -> NewImport:
        source = trace.source()
        return NewImport(
            id=self._db.ids.uuid(),
            by_staff=caller.staff,
            key=key,
            digest=digest,
            mode=ImportMode(asked.mode),
            activate=asked.activate,
            columns=sheet.columns,
            ip=source.ip,
            agent=source.agent.replace("\0", "\ufffd"),
            traceparent=trace.traceparent(),
        )

    async def _stage(self, tx: Tx, org: UUID, id: UUID, sheet: Sheet) -> None:
        if await store.open_imports(tx, org) > _MOST_OPEN:
            raise Conflict("imports_open", "Other imports of your organisation are not finished; wait for them.")
        count = 0
        for rows in _batches(sheet.rows):
            own = [row for row in rows if row.cells and not template.is_example(sheet.columns, row.cells)]
            encoded = [msgspec.json.encode(row.cells).decode() for row in own]
            await store.stage(tx, org, id, [row.number for row in own], encoded)
            count += len(own)
        await store.set_rows(tx, org, id, count)

    async def show(self, caller: Person, id: UUID) -> Import:
        return _shown(await self._found(caller, id))

    async def list(self, caller: Person) -> ImportList:
        """Administrators see everybody's, others their own: the cells of a file are other people's data."""
        await self._permits.require(caller, "create")
        by = None if caller.administers else caller.staff
        async with self._db.begin(caller.org) as tx:
            return ImportList(imports=[_shown(row) for row in await store.imports(tx, caller.org, by, _LISTED)])

    async def template(self, caller: Person) -> AsyncIterator[bytes]:
        await self._permits.require(caller, "create")
        header, *rows = template.rows()
        return cells.file(header, _once(rows))

    async def errors(self, caller: Person, id: UUID, asked: ErrorsAsked) -> AsyncIterator[bytes]:
        """ErrorDetail.csv: what is wrong with each row, and the row as it came, to be corrected and sent again."""
        row = await self._found(caller, id)
        if row.state not in _ENDED or row.finished_at is None:
            raise Conflict("import_open", "This import is not finished yet; ask again when it is.")
        if self._db.clock.now() - row.finished_at > KEPT:
            raise NotFound("errors_gone", f"The rows of a file are kept for {KEPT.days} days.")
        return cells.file([*FAULT_COLUMNS, *row.columns], self._left(row, asked.rows == "left"))

    async def _left(self, row: ImportRow, good_too: bool) -> AsyncIterator[Iterable[Iterable[str]]]:
        after = 0
        while True:
            async with self._db.begin(row.org) as tx:
                staged = await store.left_rows(tx, row.org, row.id, good_too, after, _BATCH)
            if not staged:
                return
            yield [_detailed(one) for one in staged]
            after = staged[-1].row

    async def _found(self, caller: Person, id: UUID) -> ImportRow:
        await self._permits.require(caller, "create")
        async with self._db.begin(caller.org) as tx:
            row = await store.one_import(tx, caller.org, id)
        if row is None or not (caller.administers or row.by_staff == caller.staff):
            raise NotFound("not_found", "There is no import of that id in your organisation.")
        return row


def _key(key: str | None) -> str:
    if key is None:
        detail = "Give this import a name of your own in the header Idempotency-Key: sent again, it is done once."
        raise Malformed("idempotency_key_missing", detail)
    try:
        return msgspec.convert(key, ImportKey)
    except msgspec.ValidationError as fault:
        detail = "An Idempotency-Key has 1 to 255 visible ASCII characters."
        raise Malformed("wrong_idempotency_key", detail) from fault


def _digest(asked: ImportAsked, content: bytes) -> bytes:
    return hashlib.sha256(f"{asked.mode}/{asked.activate}/".encode() + content).digest()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


async def _once(rows: Iterable[Iterable[str]]) -> AsyncIterator[Iterable[Iterable[str]]]:
    yield rows


def _detailed(one: Staged) -> list[str]:
    """One line, whatever the number of its faults: it has to be one person when it is sent again."""
    found = msgspec.json.decode(one.faults or "[]", type=list[Fault])
    own = msgspec.json.decode(one.cells, type=list[str])
    columns, codes = "; ".join(fault.column for fault in found), "; ".join(fault.code for fault in found)
    return [str(one.row), columns, codes, " ".join(fault.text for fault in found), *own]


def _shown(row: ImportRow) -> Import:
    return Import(
        id=row.id,
        by=row.by_staff,
        mode=row.mode,
        activate=row.activate,
        state=row.state,
        phase="validate" if row.phase == "validate" else "create",
        reason=row.reason,
        rows=row.rows,
        done=row.done,
        good=row.good,
        bad=row.bad,
        created=row.created,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
