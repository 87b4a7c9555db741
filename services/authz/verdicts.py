"""Where verdicts come from: what this process knows of people, never older than was demanded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from services.authz.arrivals import Arrivals, NotArrived
from shared.errors import Refusal, Unavailable
from staffgate.contracts.authz import Item
from staffgate.decision import Catalogue, Question, Reason, Verdict, decide, stranger
from staffgate.mirror import Mirror, NotReached, Standing

REVISION_WAIT = 1.0  # seconds; longer, and the asker's own deadline passes

# As long as identity's news of somebody has not come, whom identity has let in.
_EARLY = frozenset({Reason.UNKNOWN_SUBJECT, Reason.ACCOUNT_INACTIVE, Reason.ACCOUNT_SUSPENDED})
_ROWS = frozenset({Reason.SCOPE, Reason.SCOPE_UNKNOWN})

T = TypeVar("T")


class _Denied(Refusal):
    """For now."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason, "")
        self.verdict = verdict


class Verdicts:
    """Never an exception and never an allow for what is not known. `staff` is None where nobody can be meant."""

    def __init__(self, mirror: Mirror, arrivals: Arrivals) -> None:
        self._mirror = mirror
        self._arrivals = arrivals

    @property
    def catalogue(self) -> Catalogue:
        return self._mirror.catalogue

    async def decide(self, staff: UUID | None, question: Question, at_least: int = 0) -> Verdict:
        known = None if staff is None else self._mirror.decide_now(staff, question, at_least)
        if known is not None:
            return known
        [verdict] = await self.decide_all(staff, [question], at_least)
        return verdict

    async def decide_arrived(self, staff: UUID, question: Question, at_least: int = 0) -> Verdict:
        """About somebody whom identity has let in: they, and whose row it is, may only not have arrived here yet."""
        owner = _uuid(question.properties.get("owner"))

        async def attempt() -> Verdict:
            verdict = await self.decide(staff, question, at_least)
            if verdict.reason in _EARLY:
                raise NotArrived(_Denied(verdict))
            if verdict.reason not in _ROWS or owner is None:
                return verdict
            if await self.standing(owner) is None:
                raise NotArrived(_Denied(verdict))
            return await self.decide(staff, question, at_least)  # they may have arrived since

        try:
            return await self._arrivals.until_here([staff, *([owner] if owner else [])], attempt)
        except _Denied as denied:
            return denied.verdict

    async def decide_all(self, staff: UUID | None, questions: Sequence[Question], at_least: int = 0) -> list[Verdict]:
        """Many questions about one person: what has to be known for them is looked up once."""
        if staff is None:
            return [decide(stranger(0), self.catalogue, question) for question in questions]
        return await self._reached(lambda: self._mirror.decide_all(staff, questions, at_least), at_least)

    async def standing(self, staff: UUID | None, at_least: int = 0) -> Standing | None:
        """None where nobody of that id is known."""
        if staff is None:
            return None
        return await self._reached(lambda: self._mirror.standing(staff, at_least), at_least)

    async def registered(self, org: UUID, type: str, at_least: int = 0) -> list[Item]:
        """The registered items of a type, by id."""
        registry = await self._reached(lambda: self._mirror.registry(org, type, at_least), at_least)
        return sorted(registry.items.values(), key=lambda item: item.id)

    async def _reached(self, attempt: Callable[[], Awaitable[T]], at_least: int) -> T:
        """What `attempt` gives; where the organisation is not that far yet, once it is."""
        try:
            return await attempt()
        except NotReached as fault:
            org = fault.org
        return await self._arrivals.until_here([org], lambda: _arrived(attempt, at_least), seconds=REVISION_WAIT)


async def _arrived(attempt: Callable[[], Awaitable[T]], at_least: int) -> T:
    try:
        return await attempt()
    except NotReached as fault:
        raise _not_reached(fault.revision, at_least) from fault


def require_reached(revision: int, at_least: int) -> None:
    """An answer at an older revision is never given (section 7)."""
    if revision < at_least:
        raise _not_reached(revision, at_least)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _not_reached(revision: int, at_least: int) -> NotArrived:
    detail = f"The organisation is at revision {revision}, and {at_least} was demanded."
    return NotArrived(Unavailable("revision_not_reached", detail))
