"""Decisions for people: why somebody may or may not, in words, and who can."""

from __future__ import annotations

from uuid import UUID

from services.authz.arrivals import Arrivals, NotArrived
from services.authz.holders import Holders
from services.authz.questions import explained
from services.authz.verdicts import Verdicts
from shared.errors import Forbidden, NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.decisions import (
    Action,
    Asked,
    AskedWho,
    Explanation,
    Object,
    Page,
    Resource,
    SubjectQuery,
    SubjectSearch,
    WhoCan,
)
from staffgate.decision import Question, because
from staffgate.decision.model import ATTRIBUTES
from staffgate.mirror import Standing


class Explanations:
    def __init__(self, verdicts: Verdicts, holders: Holders, arrivals: Arrivals) -> None:
        self._verdicts = verdicts
        self._holders = holders
        self._arrivals = arrivals

    async def explain(self, caller: Person, staff: UUID, asked: Asked) -> Explanation:
        """Everybody is told about themselves; about others, whoever may view their permissions."""
        sees = None if staff == caller.staff else await self._holders.seen_by(caller)
        standing = await self._arrivals.until_here([staff], lambda: self._found(caller, staff))
        if sees is not None and not sees(standing.snapshot):
            raise Forbidden("not_permitted", "This is outside of what you may view of permissions.")
        question = Question(asked.action, asked.type, asked.id, _properties(asked))
        verdict = await self._verdicts.decide(staff, question, standing.revision)
        context = explained(verdict, asked.type)
        return Explanation(decision=verdict.allowed, because=because(verdict), **context)

    async def _found(self, caller: Person, staff: UUID) -> Standing:
        standing = await self._verdicts.standing(staff)
        if standing is None or standing.org != caller.org:
            raise NotArrived(NotFound("not_found", "There is nobody of that id in your organisation."))
        return standing

    async def who_can(self, caller: Person, asked: AskedWho) -> WhoCan:
        """The same people that a subject search finds."""
        search = SubjectSearch(
            subject=SubjectQuery(type="staff"),
            action=Action(name=asked.action),
            resource=Resource(type=asked.type, id=asked.id, properties=_properties(asked)),
            page=Page(token=asked.token, limit=asked.limit),
        )
        found = await self._holders.subjects(caller, search)
        token = found.page.next_token if found.page else ""
        return WhoCan(people=[UUID(one.id) for one in found.results], next_token=token)


def _properties(asked: Asked) -> Object:
    """Only what is there: an absent attribute and an empty one are two things."""
    given: Object = {name: value for name in ATTRIBUTES if isinstance(value := getattr(asked, name), str)}
    if isinstance(asked.destination, str):
        type, _, id = asked.destination.partition(":")
        given["destination"] = {"type": type, "id": id}
    return given
