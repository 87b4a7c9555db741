"""The staff as a file, in the columns of an import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.permits import Permits
from services.identity.staff.imports import cells
from services.identity.store import exports as store
from services.identity.store.exports import ExportedRow
from shared.db import Database
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import COLUMNS
from staffgate.decision import RowFilter

_BATCH = 200


class Exports:
    def __init__(self, db: Database, permits: Permits) -> None:
        self._db = db
        self._permits = permits

    async def staff(self, caller: Person) -> AsyncIterator[bytes]:
        """Those whom the caller may view, if they may download at all. Written down before the first row leaves."""
        require_fresh(caller, self._db.clock)
        await self._permits.require(caller, "download")
        rows = await self._permits.rows(caller)
        async with self._db.begin(caller.org) as tx:
            audit.note(tx, caller.org, Act.USERS_EXPORTED, by=caller)
        return cells.file(COLUMNS, self._batches(caller.org, rows))

    async def _batches(self, org: UUID, rows: RowFilter) -> AsyncIterator[Iterable[Iterable[str]]]:
        """A transaction for each: nothing is held open for somebody who reads slowly."""
        after = ""
        while True:
            async with self._db.begin(org) as tx:
                people = await store.staff_after(tx, org, rows, after, _BATCH)
            if not people:
                return
            yield [_cells(person) for person in people]
            after = people[-1].username_key


def _cells(person: ExportedRow) -> list[str]:
    values = {
        "type": person.type,
        "name": person.name,
        "email": person.email,
        "username": person.username,
        "extension": person.extension or "",
        "mobile": person.mobile or "",
        "locale": person.locale or "",
        "default_level": person.default_level,
        "route_anywhere": _word(person.route_anywhere),
        "portal": _word(person.portal),
        "role": ", ".join(person.role_names),
        "team": person.team_name or "",
    }
    return [values[column] for column in COLUMNS]


def _word(yes: bool) -> str:
    return "yes" if yes else "no"
