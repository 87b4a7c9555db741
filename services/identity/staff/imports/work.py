"""One import's work, in steps that each are a transaction: whoever dies between two of them leaves the next to another.

First every row is judged, which writes nobody and can begin anew at any time. Then people are written: of good rows in
small batches, or, where all or nobody is wanted, all of them at once, and only telling of them is done in batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.password.links import Links
from services.identity.permits import Permits
from services.identity.staff.imports import faults
from services.identity.staff.imports.checking import check
from services.identity.staff.imports.faults import Fault
from services.identity.staff.imports.known import Known
from services.identity.store import imports as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.imports import ImportRow, Staged
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Database, Tx
from shared.errors import Forbidden
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import ImportMode, ImportState, LinkPurpose, NoticeKind, StaffImported, StaffStatus

LEASE = timedelta(seconds=60)  # longer than any step takes
_JUDGED = 200  # rows in one step
_BREATH = 25  # rows after which others get their turn: 3 ms
_WRITTEN = 100


class Lost(Exception):
    """Somebody else has taken the import over."""


class Stopped(Exception):
    """This process is to end; the next step is somebody else's."""


class Clash(Exception):
    """Names or extensions of these rows were given to others after the rows were judged."""

    def __init__(self, rows: list[int], fault: Fault) -> None:
        self.rows = rows
        self.fault = fault


class Work:
    def __init__(self, db: Database, permits: Permits, links: Links, messages: Messages) -> None:
        self._db = db
        self._permits = permits
        self._links = links
        self._messages = messages

    async def do(self, own: ImportRow, stopping: Callable[[], bool]) -> None:
        """To its end. Raises Lost, Stopped, Unavailable, and Forbidden where whoever sent it may not any more."""
        trace.begin(own.traceparent)
        trace.came_from(trace.Source(own.ip, own.agent))
        if not await self.is_half_done(own):
            caller = await self._sender(own)
            if own.phase == "validate" and not await self._judge_all(own, caller, stopping):
                return
            if own.mode is ImportMode.ALL and not await self._write_all(own):
                return
        state = "written" if own.mode is ImportMode.ALL else "good"
        while await self._batch(own, state):
            if stopping():
                raise Stopped
        await self.end(own, ImportState.FINISHED, None)

    async def is_half_done(self, own: ImportRow) -> bool:
        """Are there people already of whom nobody has been told? That is finished, whoever sent them and may do what."""
        async with self._db.begin(own.org) as tx:
            written = await store.rows_in(tx, own.org, own.id, "written", 1)
        return own.mode is ImportMode.ALL and (own.created > 0 or bool(written))

    async def _sender(self, own: ImportRow) -> Person:
        """As they are now: an import that had to wait gives nobody more than they could give themselves today."""
        async with self._db.begin(own.org) as tx:
            person = await staff_store.staff(tx, own.org, own.by_staff)
            organisation = await organisation_store.organisation(tx, own.org)
        if person is None or person.status is not StaffStatus.ACTIVE or organisation is None or organisation.closed_at:
            raise Forbidden("sender_inactive", "Whoever sent this import has no active account any more.")
        if own.judged_as not in (None, person.type):
            raise Forbidden("sender_changed", "Whoever sent this import has another type of account by now.")
        caller = Person(staff=person.id, org=own.org, type=person.type, session=own.id)
        await self._permits.require(caller, "create")
        if own.activate:
            await self._permits.require(caller, "edit")
        return caller

    # --- judging ----------------------------------------------------------------------------------------------

    async def _judge_all(self, own: ImportRow, caller: Person, stopping: Callable[[], bool]) -> bool:
        """False where that was its end."""
        async with self._db.begin(own.org) as tx:
            await self._keep(tx, own)
            await store.begin_judging(tx, own.org, own.id)
        known, after, bad = Known(self._db, self._permits, caller), 0, 0
        while True:
            async with self._db.begin(own.org) as tx:
                staged = await store.staged_rows(tx, own.org, own.id, after, _JUDGED)
            if not staged:
                break
            after, bad = staged[-1].row, bad + await self._judge(own, caller, known, staged)
            if stopping():
                raise Stopped
        if bad and own.mode is ImportMode.ALL:
            await self.end(own, ImportState.REFUSED, "bad_rows")
            return False
        async with self._db.begin(own.org) as tx:
            await self._keep(tx, own)
            await store.begin_creating(tx, own.org, own.id, caller.type)
        return True

    async def _judge(self, own: ImportRow, caller: Person, known: Known, staged: Sequence[Staged]) -> int:
        checked = {}
        for number, one in enumerate(staged):
            cells = msgspec.json.decode(one.cells, type=list[str])
            checked[one.row] = check(self._db.ids, caller, own.columns, cells)
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        judged = await known.judge(checked)
        bad = sum(one.state == "bad" for one in judged)
        async with self._db.begin(own.org) as tx:
            await self._keep(tx, own)
            await store.judge(tx, own.org, own.id, judged)
            await store.count_judged(tx, own.org, own.id, len(judged) - bad, bad)
        return bad

    # --- writing ----------------------------------------------------------------------------------------------

    async def _write_all(self, own: ImportRow) -> bool:
        """Everybody or nobody. False where somebody else was given a name of theirs meanwhile."""
        try:
            async with self._db.begin(own.org) as tx:
                await self._keep(tx, own)
                if rows := await store.rows_in(tx, own.org, own.id, "good", None):
                    await self._write(tx, own, rows)
                    await store.mark(tx, own.org, own.id, rows, "written")
        except Clash as clash:
            await self._note_clash(own, clash)
            await self.end(own, ImportState.REFUSED, "bad_rows")
            return False
        return True

    async def _batch(self, own: ImportRow, state: str) -> bool:
        """False where none is left."""
        try:
            async with self._db.begin(own.org) as tx:
                await self._keep(tx, own)
                rows = await store.rows_in(tx, own.org, own.id, state, _WRITTEN)
                if state == "good" and rows:
                    await self._write(tx, own, rows)
                if rows:
                    await self._tell(tx, own, rows)
        except Clash as clash:
            await self._note_clash(own, clash)
            return True
        return bool(rows)

    async def _write(self, tx: Tx, own: ImportRow, rows: Sequence[int]) -> None:
        if taken := await store.take_names(tx, own.org, own.id, rows):
            raise Clash(taken, faults.NAME_TAKEN)
        if taken := await store.write_people(tx, own.org, own.id, rows, self._db.clock.now()):
            raise Clash(taken, faults.EXTENSION_TAKEN)

    async def _tell(self, tx: Tx, own: ImportRow, rows: Sequence[int]) -> None:
        placed = await store.placed(tx, own.org, own.id, rows)
        people = await store.lock_people(tx, own.org, [one.staff for one in placed])
        await tx.emit_all(
            [
                StaffImported(org=own.org, state=people[one.staff].state, by=own.by_staff, role=one.role, team=one.team)
                for one in placed
            ]
        )
        audit.note_each(
            tx, own.org, Act.USER_CREATED, [one.staff for one in placed], by=own.by_staff, by_import=str(own.id)
        )
        if own.activate:
            await self._activate(tx, own, list(people.values()))
        await store.mark(tx, own.org, own.id, rows, "done")
        await store.count_created(tx, own.org, own.id, len(rows))

    async def _activate(self, tx: Tx, own: ImportRow, people: Sequence[StaffRow]) -> None:
        organisation = await organisation_store.organisation(tx, own.org)
        assert organisation is not None
        for person in people:
            if person.status is StaffStatus.INVITED:
                await self._links.send(tx, person, organisation, LinkPurpose.ACTIVATE)
                await staff_store.count_activation(tx, own.org, person.id, self._db.clock.now())
                audit.note(tx, own.org, Act.ACTIVATION_SENT, by=own.by_staff, about=person.id)

    async def _note_clash(self, own: ImportRow, clash: Clash) -> None:
        async with self._db.begin(own.org) as tx:
            await self._keep(tx, own)
            found = msgspec.json.encode([clash.fault]).decode()
            await store.mark(tx, own.org, own.id, clash.rows, "bad", found)
            await store.count_clashed(tx, own.org, own.id, len(clash.rows))

    # --- the end ----------------------------------------------------------------------------------------------

    async def end(self, own: ImportRow, state: ImportState, reason: str | None) -> None:
        """Written down, and whoever sent it is told."""
        async with self._db.begin(own.org) as tx:
            await self._keep(tx, own)
            await store.end_import(tx, own.org, own.id, state, reason, self._db.clock.now())
            row = await store.one_import(tx, own.org, own.id)
            assert row is not None
            ok = state is ImportState.FINISHED
            audit.note(
                tx, own.org, Act.USERS_IMPORTED, by=own.by_staff, ok=ok, by_import=str(own.id), mode=own.mode,
                state=state, rows=row.rows, created=row.created, bad=row.bad,
            )  # fmt: skip
            await self._notify(tx, row)

    async def _notify(self, tx: Tx, row: ImportRow) -> None:
        person = await staff_store.staff(tx, row.org, row.by_staff)
        organisation = await organisation_store.organisation(tx, row.org)
        if person is not None and person.status is StaffStatus.ACTIVE and organisation is not None:
            facts = {"state": row.state, "rows": str(row.rows), "created": str(row.created), "bad": str(row.bad)}
            await self._messages.send_notice(tx, person, organisation, NoticeKind.IMPORT_FINISHED, **facts)

    async def _keep(self, tx: Tx, own: ImportRow) -> None:
        if not await store.keep(tx, own.org, own, self._db.clock.now() + LEASE):
            raise Lost
