"""What a row can't know by itself: other rows of the file, who is there already, and what authz has of that name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from services.identity.permits import Permits
from services.identity.staff.imports import faults
from services.identity.staff.imports.checking import Checked
from services.identity.staff.imports.faults import Fault
from services.identity.store import imports as store
from services.identity.store.imports import Judged
from services.identity.store.staff import name_digest
from shared.db import Database
from staffgate.contracts.authz import PlacementChecked
from staffgate.contracts.caller import Person

_LONGEST_NAME = 1000  # that authz can be asked about
_UNKNOWN = PlacementChecked(refusal="unknown")
_NOWHERE = PlacementChecked()


class Known:
    """Grows with the rows of one import: their names, and the answers of authz."""

    def __init__(self, db: Database, permits: Permits, caller: Person) -> None:
        self._db = db
        self._permits = permits
        self._caller = caller
        self._names: dict[bytes, int] = {}
        self._extensions: dict[str, int] = {}
        self._roles: dict[str, PlacementChecked] = {"": _NOWHERE}
        self._teams: dict[str, PlacementChecked] = {"": _NOWHERE}

    async def judge(self, rows: Mapping[int, Checked]) -> list[Judged]:
        """authz is asked first: while it is away nothing is written, not even what was found here."""
        await self._ask(rows.values())
        people = [row.person for row in rows.values() if row.person is not None]
        digests = {person.username_key: self._digest(person.username_key) for person in people}
        extensions = [person.extension for person in people if person.extension is not None]
        async with self._db.begin(self._caller.org) as tx:
            names = await store.names_taken(tx, self._caller.org, list(digests.values()))
            taken = await store.extensions_taken(tx, self._caller.org, extensions)
        return [self._judged(number, row, names, taken) for number, row in rows.items()]

    async def _ask(self, rows: Iterable[Checked]) -> None:
        roles, teams = set[str](), set[str]()
        for row in rows:
            roles.add(row.role)
            teams.add(row.team)
        for names, known in ((roles, self._roles), (teams, self._teams)):
            known.update((name, _UNKNOWN) for name in names if len(name) > _LONGEST_NAME)
        roles, teams = roles - self._roles.keys(), teams - self._teams.keys()
        if roles or teams:
            found = await self._permits.placements(self._caller, sorted(roles), sorted(teams))
            self._roles.update({name: found.roles.get(name, _UNKNOWN) for name in roles})
            self._teams.update({name: found.teams.get(name, _UNKNOWN) for name in teams})

    def _judged(self, number: int, row: Checked, names: set[bytes], extensions: set[str]) -> Judged:
        role, team = self._roles[row.role], self._teams[row.team]
        found = [*row.faults, *self._clashes(number, row, names, extensions)]
        found += [
            faults.unplaced(column, place.refusal)
            for column, place in (("role", role), ("team", team))
            if place.refusal is not None
        ]
        person = row.person if not found else None
        return Judged(
            row=number,
            state="bad" if person is None else "good",
            person=None if person is None else msgspec.json.encode(person).decode(),
            digest=None if person is None else self._digest(person.username_key),
            role=role.id,
            team=None if team.id is None else UUID(team.id),
            faults=msgspec.json.encode(found).decode() if found else None,
        )

    def _clashes(self, number: int, row: Checked, names: set[bytes], extensions: set[str]) -> Iterable[Fault]:
        """Of two rows of one name the first has it."""
        if row.person is None:
            return
        digest, extension = self._digest(row.person.username_key), row.person.extension
        if (first := self._names.setdefault(digest, number)) != number:
            yield faults.twice("username", first)
        elif digest in names:
            yield faults.NAME_TAKEN
        if extension is None:
            return
        if (first := self._extensions.setdefault(extension, number)) != number:
            yield faults.twice("extension", first)
        elif extension in extensions:
            yield faults.EXTENSION_TAKEN

    def _digest(self, key: str) -> bytes:
        return name_digest(self._caller.org, key)
