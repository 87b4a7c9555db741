"""One question, or many about one person, answered from parts: those in memory, and those loaded for it.

A decision may need the person, the registry of the item's type, and the owner of the row, for a row with an owner is in
its owner's present team. They have to be right at one revision: an old part next to a newer one is how somebody who was
put out sees what was written after that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from staffgate.decision import Catalogue, Question, Verdict, decide
from staffgate.decision.catalogue import ROUTE
from staffgate.mirror.cache import Cache
from staffgate.mirror.parts import NOBODY, Key, Part, Registry, Standing

Used = list[tuple[Key, Part]]
_NOTHING = (NOBODY.org, 0)
_LONGEST = 45  # characters of a UUID, written as a URN


class Missing(Exception):
    """This has to be loaded, as it is at the revision or later."""

    def __init__(self, key: Key, at_least: int) -> None:
        super().__init__(key, at_least)
        self.key = key
        self.at_least = at_least


class Asking:
    """`memory` is None while it can't be believed."""

    def __init__(self, memory: Cache | None, catalogue: Catalogue) -> None:
        self.memory = memory
        self.catalogue = catalogue
        self._loaded: dict[Key, tuple[Part, float]] = {}

    def take(self, parts: dict[Key, Part], begun: float) -> None:
        """What was loaded at the same time. That somebody was nobody is no revision's: it counts where nothing else was
        read since, or together with it."""
        known = any(part is not NOBODY for part in parts.values())
        if known:
            self._keep(lambda part, _: part is not NOBODY)
        self._loaded |= {key: (part, begun) for key, part in parts.items() if part is not NOBODY or not known}

    def leave(self, begun: float) -> None:
        """Take no account of what began to be loaded so long ago: it says nothing about now."""
        self._keep(lambda _, at: at > begun)

    def _keep(self, good: Callable[[Part, float], bool]) -> None:
        self._loaded = {key: (part, begun) for key, (part, begun) in self._loaded.items() if good(part, begun)}

    @property
    def newest(self) -> tuple[UUID, int]:
        """Of what was loaded."""
        loaded = ((part.org, part.revision) for part, _ in self._loaded.values())
        return max(loaded, key=itemgetter(1), default=_NOTHING)

    def answer(self, staff: int, question: Question, least: int, now: float, used: Used | None = None) -> Verdict:
        """Raises Missing. What it was made from goes into `used`, but for the person."""
        subject = self._standing(staff, least, now)
        used = [] if used is None else used
        if subject.snapshot.closed is None:
            question = self._completed(subject, question, used, least, now)
        newest = self._agreed(subject, used, least) if used else least
        if subject.snapshot.revision < newest:
            subject = self._at(staff, subject, newest)
        return decide(subject.snapshot, self.catalogue, question)

    def _agreed(self, subject: Standing, used: Used, least: int) -> int:
        """The one revision at which all of them are right."""
        newest = subject.snapshot.revision
        if least > newest:
            newest = least
        for _, part in used:
            if part.revision > newest:
                newest = part.revision
        for key, part in used:
            if part.revision < newest and not self._is_right(key, part, newest):
                raise Missing(key, newest)
        return newest

    def standing(self, staff: int, least: int, now: float) -> Standing:
        return self._at(staff, self._standing(staff, least, now), least)

    def registry(self, org: UUID, type: str, least: int, now: float) -> Registry:
        kind = self.catalogue.kind(type)
        if kind is None:
            return Registry(org, type, least)
        key = (org.int, kind)
        registry = self._registry(key, least, now)
        if registry.revision < least and not self._is_right(key, registry, least):
            raise Missing(key, least)
        return registry

    # --- parts ------------------------------------------------------------------------------------------------

    def _get(self, key: Key, least: int, now: float) -> Part:
        part = None if self.memory is None else self.memory.get(key, now)
        if self._loaded:
            part = self._newer(key, part)
        if part is None:
            raise Missing(key, least)
        return part

    def _newer(self, key: Key, part: Part | None) -> Part | None:
        """Of what is in memory and what was loaded."""
        own = self._loaded.get(key)
        return own[0] if own is not None and (part is None or own[0].revision > part.revision) else part

    def _standing(self, key: Key, least: int, now: float) -> Standing:
        part = self._get(key, least, now)
        assert type(part) is Standing
        if part.until is not None and part.until <= now:
            raise Missing(key, least)
        return part

    def _registry(self, key: Key, least: int, now: float) -> Registry:
        part = self._get(key, least, now)
        assert type(part) is Registry
        return part

    def _is_right(self, key: Key, part: Part, revision: int) -> bool:
        return self.memory is not None and self.memory.is_right(key, part, revision)

    def _at(self, key: Key, standing: Standing, revision: int) -> Standing:
        """The same person at a later revision: nothing that was announced since has concerned them."""
        if standing.snapshot.revision >= revision or standing is NOBODY:
            return standing
        if not self._is_right(key, standing, revision):
            raise Missing(key, revision)
        snapshot = msgspec.structs.replace(standing.snapshot, revision=revision)
        standing = msgspec.structs.replace(standing, snapshot=snapshot)
        assert self.memory is not None
        self.memory.replace(key, standing)
        return standing

    # --- the question -----------------------------------------------------------------------------------------

    def _completed(self, subject: Standing, question: Question, used: Used, least: int, now: float) -> Question:
        question = self._described(subject, question, used, least, now)
        if question.action != ROUTE:
            return question
        match question.properties.get("destination"):
            case {"type": str(kind), "id": str(name), **rest}:
                own = rest.get("properties", {})
            case _:
                return question
        if not isinstance(own, dict):
            return question
        there = self._described(subject, Question(question.action, kind, name, own), used, least, now)
        if there.properties is own:
            return question
        destination = {"type": kind, "id": name, "properties": there.properties}
        properties = {**question.properties, "destination": destination}
        return Question(question.action, question.type, question.id, properties)

    def _described(self, subject: Standing, question: Question, used: Used, least: int, now: float) -> Question:
        """What the registry says of the resource, and the team in which its owner is at present."""
        org = subject.org.int
        kind = self.catalogue.kind(question.type)
        if kind is not None:
            registry = self._registry((org, kind), least, now)
            used.append(((org, kind), registry))
            item = registry.items.get(question.id)
            if item is not None:
                question = question.about(item)
        said = question.properties
        owner = said.get("owner") if said else None
        if owner is None or said.get("team") is not None or not subject.snapshot.asks_teams:
            return question
        key = _person(owner) if isinstance(owner, str) else None
        return question if key is None else self._teamed(org, key, question, owner, used, least, now)

    def _teamed(
        self, org: int, key: Key, question: Question, owner: Any, used: Used, least: int, now: float
    ) -> Question:
        standing = self._standing(key, least, now)
        if standing.org.int != org:
            return question  # nobody's, or another organisation's: that is so at every revision
        used.append((key, standing))
        return question if standing.team is None else question.completed({owner: standing.team})


def _person(text: str) -> Key | None:
    return _number(text) if len(text) <= _LONGEST else None


@lru_cache(4096)
def _number(text: str) -> Key | None:
    try:
        return UUID(text).int
    except ValueError:
        return None


def lasting(used: Used) -> bool:
    """Not what is right for a while only."""
    for _, part in used:  # noqa: SIM110 - a generator takes longer than all of this
        if type(part) is Standing and part.until is not None:
            return False
    return True


def missing_of(take: Callable[[], None]) -> dict[Key, int]:
    try:
        take()
    except Missing as part:
        return {part.key: part.at_least}
    return {}
