"""What changes and views of the administration work with: the transaction, who asks, and what they may do themselves.

Whoever asks is read where the work is done: who lost a right a moment ago neither sees nor changes anything by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from services.authz.arrivals import NotArrived
from services.authz.facts import Dossier, dossiers_of
from services.authz.store import subjects as subject_store
from services.authz.store.subjects import SubjectRow
from shared.db import Tx
from shared.errors import Forbidden, Invalid, NotFound, Unavailable
from staffgate.contracts.administration import Outcome
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.changes import Change
from staffgate.contracts.identity import StaffStatus
from staffgate.decision import Catalogue, Facts, Question, Snapshot, decide, resolve

C = TypeVar("C")

_FEW = 20  # people whom a request names: they are read together with whoever asks

# On whose rows an action of a section of System [CORE] is asked: the item type that the section holds. A person's
# permissions and account are rows of theirs, so the engine's own rule for rows says who may touch them (section 6, 1).
_ROWS = {
    "core.permissions": "permissions",
    "core.staff": "staff",
    "core.roles": "role",
    "core.teams": "team",
    "core.organisation": "group",
}


@dataclass
class Work:
    """One request's. `known` are those whom it names, as they were before it. `affected` are those whose facts may be others afterwards, `renamed` those of whom other names of
    roles and teams are shown; `claims` is what is handed out as such: pairs of dossiers without it and with it."""

    tx: Tx
    caller: Person
    catalogue: Catalogue
    now: datetime
    dossier: Dossier
    giver: Snapshot
    known: dict[UUID, Dossier] = field(default_factory=dict)
    before: dict[UUID, Dossier] = field(default_factory=dict)
    claims: list[tuple[Dossier, Dossier]] = field(default_factory=list)
    affected: set[UUID] = field(default_factory=set)
    everybody: bool = False
    renamed: set[UUID] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def org(self) -> UUID:
        return self.caller.org

    @property
    def type(self) -> StaffType:
        return self.dossier.everything.type

    @property
    def has_all(self) -> bool:
        """An owner or administrator whom no level lowers: there is nothing that they have not to give."""
        return self.giver.everything is not None and not self.giver.lowered

    def may(self, action: str, id: str, **row: str | None) -> bool:
        """The action over a row: of a person, of a team, or, with neither, one that only Full data access reaches."""
        properties = {name: value for name, value in row.items() if value is not None}
        question = Question(action, _ROWS[action.rpartition(".")[0]], id, properties)
        return decide(self.giver, self.catalogue, question).allowed

    def require(self, action: str, id: str, **row: str | None) -> None:
        """Of a contract or tenant that is not there, those are told so who may do it at all."""
        organisation = self.dossier.everything.organisation
        known = {"contract": organisation.contracts, "tenant": organisation.tenants}
        missing = next((what for what in known if row.get(what) is not None and row[what] not in known[what]), None)
        if missing is not None:
            self.require(action, id, **{what: value for what, value in row.items() if what not in known})
            raise Invalid(f"unknown_{missing}", f"Your organisation has no {missing} {row[missing]!r}.")
        if not self.may(action, id, **row):
            raise Forbidden("not_permitted", f"This takes the action {action!r} over what you want to see or change.")

    async def people(self, action: str, staff: Collection[UUID], **context: str | None) -> dict[UUID, SubjectRow]:
        """These people, over whose rows the action is required. Raises NotArrived."""
        rows = {row.staff: row for row in await self._rows(staff)}
        for id in staff:
            row = rows.get(id)
            team = str(row.team) if row and row.team else None
            self.require(action, str(id), owner=str(id), team=team, **context)
        if len(rows) < len(set(staff)):
            raise NotArrived(NotFound("not_found", "There is nobody of that id in your organisation."))
        return rows

    def knows(self, staff: UUID) -> bool:
        """Is what is known of them still what is there?"""
        return staff in self.known and not self.outcomes

    async def _rows(self, staff: Collection[UUID]) -> list[SubjectRow]:
        if not all(self.knows(id) for id in staff):
            return await subject_store.subjects(self.tx, self.org, staff)
        found = (self.known[id].everything for id in staff)
        return [_row(facts) for facts in found if facts.status is not StaffStatus.DELETED]

    async def renew(self) -> None:
        """After a change that gives nobody anything: the contracts, tenants and teams that there are now. The giver's
        own permissions stay as they were before the changes."""
        present = (await dossiers_of(self.tx, self.org, [self.caller.staff]))[self.caller.staff].everything
        facts = msgspec.structs.replace(self.dossier.everything, organisation=present.organisation, teams=present.teams)
        self.dossier = Dossier(facts, self.dossier.ends)
        self.giver = resolve(self.dossier.at(self.now), self.catalogue)


async def begin(tx: Tx, caller: Person, catalogue: Catalogue, named: Collection[UUID] = ()) -> Work:
    """With what is known of these people, where they are few. Raises NotArrived."""
    known = await dossiers_of(tx, caller.org, {caller.staff, *(named if len(named) <= _FEW else ())})
    dossier = known.get(caller.staff)
    if dossier is None or dossier.everything.status is StaffStatus.INVITED:
        # identity let them in, so they are active; only we have not heard of it yet.
        raise NotArrived(Unavailable("account_unknown", "Your account is not known here yet; try again."))
    now = tx.database.clock.now()
    giver = resolve(dossier.at(now), catalogue)
    if giver.closed is not None:
        raise Forbidden("not_permitted", "Your account is not active.")
    return Work(tx, caller, catalogue, now, dossier, giver, known)


def _row(facts: Facts) -> SubjectRow:
    return SubjectRow(
        staff=facts.staff,
        type=facts.type,
        status=facts.status,
        default_level=facts.default_level,
        route_anywhere=facts.route_anywhere,
        team=None if facts.team is None else UUID(facts.team),
        tenants=facts.tenants,
        subscribers=facts.subscribers,
    )


# --- kinds of change ------------------------------------------------------------------------------------------

Result = tuple[object, object]  # how it was, and what it became; what is stored nowhere is None
Affected = Collection[UUID] | None  # None: everybody


@dataclass(frozen=True)
class Rule(Generic[C]):
    """What the pipeline has to know of a kind of change. Each is asked before the change is made, `apply` makes it.

    `judged` is false where those who are affected get nothing that anybody could have to give: an empty team, a
    contract or a tenant as such. `renames` are those of whom identity shows other names of roles or teams afterwards.
    """

    gate: Callable[[Work, C], Awaitable[object]]
    affects: Callable[[Work, C], Awaitable[Affected]]
    apply: Callable[[Work, C], Awaitable[Result]]
    shown: Callable[[Work, C], Awaitable[Any]] | None = None
    judged: bool = True
    renames: Callable[[Work, C], Awaitable[Collection[UUID]]] | None = None


Rules = Mapping[type[Change], Rule[Any]]


async def nobody(_work: Work, _change: object) -> Affected:
    return ()


async def everybody(_work: Work, _change: object) -> Affected:
    return None


# --- what is common to people ---------------------------------------------------------------------------------


def require_others(work: Work, rows: Collection[SubjectRow]) -> None:
    """Nobody changes their own, and a standard person not what an owner or administrator has (section 6, 4)."""
    for row in rows:
        if row.staff == work.caller.staff:
            raise Forbidden("own_permissions", "Nobody changes their own permissions; ask somebody else.")
        if row.type is not StaffType.STANDARD and work.type is StaffType.STANDARD:
            raise Forbidden("above_you", f"An {row.type}'s permissions are changed by owners and administrators only.")


def etag_of(view: Any) -> str:
    """Of a view before the organisation's revision is put in: that one moves with every change to anything."""
    digest = hashlib.sha256(msgspec.json.encode(view, order="deterministic")).hexdigest()
    return f'"{digest[:32]}"'
