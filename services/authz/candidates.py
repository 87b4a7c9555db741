"""People who are not there yet: in which roles and teams somebody could place them.

For identity, before it writes what a file names. It is judged as if the people were here already, standard, with nothing
of their own, in the root team, and the changes were made in the name of whoever imports them (permission model, section
6). A team is theirs to give where it is together with every role of the same question that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from services.authz import delegation
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.facts import Dossier
from services.authz.grants import EDIT
from services.authz.store import roles as role_store
from services.authz.store import subjects as subject_store
from services.authz.store import teams as team_store
from services.authz.store.teams import TeamRow
from services.authz.work import Work, begin
from shared.db import Database
from shared.errors import Forbidden, NotFound
from staffgate.contracts.authz import CheckPlacements, PlacementChecked, PlacementsChecked, Role
from staffgate.contracts.caller import Person, Product, StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess
from staffgate.decision import Catalogue, Facts
from staffgate.decision.builtin import BUILT_IN
from staffgate.decision.model import Holding

_IDENTITY = "identity"
_PLACE = "core.teams.edit"
_OF_TEAMS = (DataAccess.TEAM, DataAccess.DEPARTMENT)
_NOT_YOURS = PlacementChecked(refusal="not_yours_to_give")


_Named = Role | TeamRow
N = TypeVar("N", Role, TeamRow)
Checked = dict[str, PlacementChecked]


class Candidates:
    def __init__(self, db: Database, catalogue: Callable[[], Catalogue], arrivals: Arrivals) -> None:
        self._db = db
        self._catalogue = catalogue
        self._arrivals = arrivals

    async def check(self, caller: Product, asked: CheckPlacements) -> PlacementsChecked:
        """Nothing is changed, and nothing recorded."""
        if caller.name != _IDENTITY:
            raise Forbidden("identity_only", "This is for identity; other products place nobody.")
        return await self._arrivals.until_here([asked.by], lambda: self._check(asked))

    async def _check(self, asked: CheckPlacements) -> PlacementsChecked:
        async with self._db.begin_anywhere() as tx:
            org = await subject_store.organisation_of_anywhere(tx, asked.by)
        if org is None:
            raise NotArrived(NotFound("not_found", "There is nobody of that id."))
        caller = Person(staff=asked.by, org=org, type=StaffType.STANDARD, session=delegation.NOBODY)
        async with self._db.begin(org, snapshot=True) as tx:
            try:
                work = await begin(tx, caller, self._catalogue())
            except Forbidden:  # whoever is not active has nothing to give
                return PlacementsChecked(roles=_refused(asked.roles), teams=_refused(asked.teams))
            return await _checked(work, asked)


async def _checked(work: Work, asked: CheckPlacements) -> PlacementsChecked:
    every = [*BUILT_IN.values(), *await role_store.roles(work.tx, work.org)]
    tree = await team_store.teams(work.tx, work.org)
    root = next(team for team in tree if team.parent is None)
    somebody = await _newcomer(work, root)
    roles = await _roles(work, asked.roles, Names(every), somebody)
    given = {one.id for one in roles.values()}
    holder = _holding(somebody, [role for role in every if role.id in given and role.data_access in _OF_TEAMS])
    return PlacementsChecked(roles=roles, teams=await _teams(work, asked.teams, Names(tree), holder))


async def _roles(work: Work, names: Iterable[str], every: Names[Role], somebody: Dossier) -> Checked:
    """Without the permission nothing is told of what there is."""
    if not _may(work, EDIT, somebody):
        return _refused(names)
    found = {name: every.called(name) for name in names}
    wanted = {one.id: one for one in found.values() if isinstance(one, Role)}
    givable = await _givable(work, list(wanted.values()), somebody)
    return {name: _checked_one(one, givable) for name, one in found.items()}


async def _givable(work: Work, roles: Sequence[Role], somebody: Dossier) -> set[str]:
    """As such, and in the hands of somebody in the root. What is not too much together is not too much alone; what is,
    is looked at in halves: sixty roles that are all to be given take one comparison and not sixty."""
    held = [Holding(id=delegation.NOBODY, role=role) for role in roles]
    pairs = [(delegation.holding(work), delegation.holding(work, *held)), (somebody, _holding(somebody, roles))]
    if not roles or await delegation.within(work, pairs):
        return {role.id for role in roles}
    if len(roles) == 1:
        return set()
    half = len(roles) // 2
    return await _givable(work, roles[:half], somebody) | await _givable(work, roles[half:], somebody)


async def _teams(work: Work, names: Iterable[str], tree: Names[TeamRow], holder: Dossier) -> Checked:
    if not _may(work, _PLACE, holder):
        return _refused(names)
    found = {name: tree.called(name) for name in names}
    wanted = {one.id: one for one in found.values() if isinstance(one, TeamRow)}
    below = {row.team: row.below for row in await team_store.branches(work.tx, work.org, wanted)}
    givable = {str(id) for id in wanted if await _may_place(work, id, below[id], holder)}
    return {name: _checked_one(one, givable) for name, one in found.items()}


async def _may_place(work: Work, team: UUID, below: Iterable[UUID], holder: Dossier) -> bool:
    """In the team as such, and with every role whose rows are the team's."""
    if not work.may(_PLACE, str(team), team=str(team)):
        return False
    moved = msgspec.structs.replace(holder.everything, team=str(team), teams=tuple(str(one) for one in below))
    return not moved.roles or await delegation.within(work, [(holder, Dossier(moved, {}))])


def _checked_one(one: _Named | PlacementChecked, givable: Collection[str]) -> PlacementChecked:
    if isinstance(one, PlacementChecked):
        return one
    return PlacementChecked(id=str(one.id)) if str(one.id) in givable else _NOT_YOURS


def _refused(names: Iterable[str]) -> Checked:
    return dict.fromkeys(names, _NOT_YOURS)


# --- somebody who is not there yet ----------------------------------------------------------------------------


async def _newcomer(work: Work, root: TeamRow) -> Dossier:
    (branch,) = await team_store.branches(work.tx, work.org, [root.id])
    facts = Facts(
        staff=delegation.NOBODY,
        revision=work.dossier.everything.revision,
        org_active=True,
        type=StaffType.STANDARD,
        status=StaffStatus.ACTIVE,
        team=str(root.id),
        teams=tuple(str(team) for team in branch.below),
        organisation=work.dossier.everything.organisation,
    )
    return Dossier(facts, {})


def _holding(somebody: Dossier, roles: Iterable[Role]) -> Dossier:
    held = tuple(Holding(id=delegation.NOBODY, role=role) for role in roles)
    return Dossier(msgspec.structs.replace(somebody.everything, roles=held), {})


def _may(work: Work, action: str, somebody: Dossier) -> bool:
    """Over the row of somebody new."""
    return work.may(action, str(delegation.NOBODY), owner=str(delegation.NOBODY), team=somebody.everything.team)


# --- names ----------------------------------------------------------------------------------------------------


class Names(Generic[N]):
    """What there is, by name: as it is written, and where nothing is, whatever the case and the spaces."""

    def __init__(self, every: Iterable[N]) -> None:
        self._exactly: dict[str, list[N]] = {}
        self._plainly: dict[str, list[N]] = {}
        for one in every:
            self._exactly.setdefault(one.name, []).append(one)
            self._plainly.setdefault(_plain(one.name), []).append(one)

    def called(self, name: str) -> N | PlacementChecked:
        found = self._exactly.get(name) or self._plainly.get(_plain(name)) or []
        if len(found) == 1:
            return found[0]
        return PlacementChecked(refusal="ambiguous" if found else "unknown")


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
