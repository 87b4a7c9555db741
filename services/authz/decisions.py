"""Decisions (permission model, section 7) in the form of OpenID AuthZEN 1.0: one question, or many at once."""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz.questions import Demands, about, demands, explained, one_of, whole
from services.authz.verdicts import Verdicts
from shared.errors import Forbidden, Invalid, Malformed, Refusal
from staffgate.contracts.authz import Permissions, SectionPermissions
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.decisions import Decision, Evaluation, Evaluations
from staffgate.contracts.decisions import Decisions as Decided
from staffgate.decision import Question, Verdict, stranger, tree

MOST = 1000  # evaluations in one request
# The decision after which no other matters.
LAST = {"deny_on_first_deny": False, "permit_on_first_permit": True}


class Decisions:
    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts

    async def evaluate(self, caller: Caller, asked: Evaluation) -> Decision:
        one = _Asked(caller, asked)
        at_least = one.wanted.min_revision
        if one.wanted.await_subject and one.staff is not None:
            return one.answer(await self._verdicts.decide_arrived(one.staff, one.question, at_least))
        return one.answer(await self._verdicts.decide(one.staff, one.question, at_least))

    async def evaluate_all(self, caller: Caller, asked: Evaluations) -> Decided:
        """In the order of the questions; with a semantic that stops early, as far as the one that decided."""
        if not asked.evaluations:
            one = await self.evaluate(caller, whole(asked, asked))
            return Decided(decision=one.decision, context=one.context)
        if len(asked.evaluations) > MOST:
            raise Invalid("too_many", f"A request may have {MOST} evaluations at most; send more in several.")
        found = await self._answers([_asked(caller, asked, item) for item in asked.evaluations])
        last = LAST.get(asked.options.evaluations_semantic)
        end = next((number for number, one in enumerate(found, 1) if one.decision is last), len(found))
        return Decided(evaluations=found[:end])

    async def _answers(self, asked: list[_Asked | Decision]) -> list[Decision]:
        """All that are about one person at once: what is known of them is looked up once, and is the same for all."""
        people: dict[UUID | None, list[_Asked]] = {}
        for one in asked:
            if isinstance(one, _Asked):
                people.setdefault(one.staff, []).append(one)
        answers: dict[int, Decision] = {}
        for staff, theirs in people.items():
            at_least = max(one.wanted.min_revision for one in theirs)
            verdicts = await self._verdicts.decide_all(staff, [one.question for one in theirs], at_least)
            answers |= {id(one): one.answer(verdict) for one, verdict in zip(theirs, verdicts, strict=True)}
        return [one if isinstance(one, Decision) else answers[id(one)] for one in asked]

    async def permissions(self, caller: Person) -> Permissions:
        """The caller's own, section by section."""
        standing = await self._verdicts.standing(caller.staff)
        snapshot = stranger(0) if standing is None else standing.snapshot
        shown = tree(snapshot, self._verdicts.catalogue)
        sections = msgspec.convert(shown, list[SectionPermissions], from_attributes=True)
        return Permissions(revision=snapshot.revision, sections=sections)


class _Asked:
    """A question that may be asked. Raises Refusal where it may not."""

    __slots__ = ("question", "staff", "wanted")

    def __init__(self, caller: Caller, asked: Evaluation) -> None:
        self.staff: UUID | None = about(caller, asked.subject)
        self.wanted: Demands = demands(asked.context)
        self.question = Question.of(asked)

    def answer(self, verdict: Verdict) -> Decision:
        context = explained(verdict, self.question.type) if self.wanted.explain else None
        return Decision(decision=verdict.allowed, context=context)


def _asked(caller: Caller, defaults: Evaluations, item: msgspec.Raw) -> _Asked | Decision:
    """One of many: what is wrong with it denies it, and it alone (AuthZEN 1.0, section 7.2.1)."""
    try:
        return _Asked(caller, one_of(defaults, item))
    except (Malformed, Invalid, Forbidden) as refusal:
        return Decision(decision=False, context={"error": _error(refusal)})


def _error(refusal: Refusal) -> dict[str, object]:
    """As a whole request would have been answered (10.1.2)."""
    return {"status": 403 if isinstance(refusal, Forbidden) else 400, "message": refusal.detail}
