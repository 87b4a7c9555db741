"""Who can: the people for whom a decision is true (AuthZEN 1.0, section 8.4).

Read from the database in bulk and in one transaction: nobody is asked about one by one, and all are of one revision.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from services.authz import registry
from services.authz.arrivals import Arrivals
from services.authz.facts import facts_of, facts_of_many
from services.authz.pages import Found, Pages, Place, found
from services.authz.questions import STAFF, demands
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from services.authz.verdicts import REVISION_WAIT, Verdicts, require_reached
from shared.db import Database, Tx
from shared.errors import Forbidden, Invalid
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.decisions import FoundSubject, SubjectSearch, SubjectsFound
from staffgate.decision import Question, Shared, Snapshot, decide, resolve
from staffgate.decision.catalogue import SECTION
from staffgate.decision.decide import reached

_MOST = 2_000  # people looked at for one page, where few of them may
_AT_ONCE = 200  # read with one query; between two of them others get their turn
_VIEW = Question("core.permissions.view", SECTION, "core.permissions")
_NOBODY = UUID(int=0)

Sees = Callable[[Snapshot], bool]


class Holders:
    def __init__(self, db: Database, verdicts: Verdicts, arrivals: Arrivals, pages: Pages) -> None:
        self._db = db
        self._verdicts = verdicts
        self._arrivals = arrivals
        self._pages = pages

    async def subjects(self, caller: Caller, asked: SubjectSearch) -> SubjectsFound:
        """The active staff of one organisation who may, by id. People search in their own, and whom they may see."""
        wanted, place = demands(asked.context), self._pages.place("subject", asked)
        org = _organisation(caller, asked)
        sees = await self.seen_by(caller) if isinstance(caller, Person) else _everybody
        revision, page = 0, Found[UUID]([], None, 0)
        if asked.subject.type == STAFF:
            properties = {**asked.resource.properties, **asked.action.properties}
            question = Question(asked.action.name, asked.resource.type, asked.resource.id, properties)
            revision, page = await self.people(org, question, place, wanted.min_revision, sees)
        return SubjectsFound(
            page=self._pages.page(place, page),
            context={"revision": revision} if wanted.explain else None,
            results=[FoundSubject(type=STAFF, id=str(staff)) for staff in page.results],
        )

    async def seen_by(self, caller: Person) -> Sees:
        """Of whom the caller may view the permissions (section 6). Raises Forbidden where that is of nobody."""
        verdict = await self._verdicts.decide(caller.staff, _VIEW)
        if not verdict.allowed:
            raise Forbidden("not_permitted", f"This takes the action 'view' on {_VIEW.id!r}.")

        def sees(other: Snapshot) -> bool:
            return reached(verdict.snapshot, verdict.reaches, other.staff, other.team, None)

        return sees

    async def people(
        self, org: UUID, question: Question, place: Place, at_least: int, sees: Sees
    ) -> tuple[int, Found[UUID]]:
        """The organisation's revision, and a page of those who may."""

        async def attempt() -> tuple[int, Found[UUID]]:
            async with self._db.begin(org, snapshot=True) as tx:
                revision = await revision_store.revision(tx, org)
                if revision is None:
                    return 0, Found([], None, 0)
                require_reached(revision, at_least)
                return revision, await self._page(tx, org, question, place, sees)

        return await self._arrivals.until_here([org], attempt, seconds=REVISION_WAIT)

    async def _page(self, tx: Tx, org: UUID, question: Question, place: Place, sees: Sees) -> Found[UUID]:
        catalogue, shared = self._verdicts.catalogue, Shared()
        question = await self._completed(tx, org, question)
        allowed: list[UUID] = []
        after = UUID(place.after) if place.after else _NOBODY
        for _ in range(0, _MOST, _AT_ONCE):
            people = await subject_store.active_after(tx, org, after, _AT_ONCE)
            facts = await facts_of_many(tx, org, people, self._db.clock.now())
            snapshots = [(staff, resolve(facts[staff], catalogue, shared)) for staff in people]
            allowed += [who for who, one in snapshots if decide(one, catalogue, question).allowed and sees(one)]
            if len(people) < _AT_ONCE:
                return found(allowed, place, str, total=None if place.after else len(allowed))
            after = people[-1]
            if len(allowed) > place.limit:
                break
        return found(allowed, place, str, looked=str(after))

    async def _completed(self, tx: Tx, org: UUID, question: Question) -> Question:
        """With what the registry knows of the item, and of the destination of a route."""
        question = await self._described(tx, org, question)
        match question.properties.get("destination"):
            case {"type": str(kind), "id": str(name), **rest}:
                own = rest.get("properties", {})
            case _:
                return question
        if not isinstance(own, dict):
            return question
        there = await self._described(tx, org, Question(question.action, kind, name, own))
        destination = {"type": there.type, "id": there.id, "properties": there.properties}
        properties = {**question.properties, "destination": destination}
        return Question(question.action, question.type, question.id, properties)

    async def _described(self, tx: Tx, org: UUID, question: Question) -> Question:
        """With its registered attributes, and the team of its owner."""
        question = question.about(await registry.item(tx, org, self._verdicts.catalogue, question.type, question.id))
        owner = question.properties.get("owner")
        staff = _uuid(owner)
        facts = None if staff is None else await facts_of(tx, org, staff, self._db.clock.now())
        return question if facts is None or facts.team is None else question.completed({str(owner): facts.team})


def _organisation(caller: Caller, asked: SubjectSearch) -> UUID:
    """In which organisation to search. In another than their own people find nobody."""
    named = asked.context.get("organisation", asked.resource.properties.get("organisation"))
    if named is None and isinstance(caller, Person):
        return caller.org
    org = _uuid(named)
    if org is None:
        detail = "Say in which organisation: its id (a UUID) in context.organisation."
        raise Invalid("organisation_missing", detail, at="$.context.organisation")
    return org if not isinstance(caller, Person) or org == caller.org else _NOBODY


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _everybody(_person: Snapshot) -> bool:
    return True
