"""Decisions that are remembered, each for as long as everything is unchanged that it was made from.

A product asks the same few questions about the same people again and again. A decision takes 2 to 5 µs, and to look it
up a tenth of that. There is nothing to expire here: an answer goes in the moment in which the cache loses one of its
parts (the person, the registry of the item's type, the owner of the row), and what was made from a part that is only
right for a while is not remembered at all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

import msgspec

from staffgate.decision import Question, Verdict
from staffgate.mirror.parts import Key

_MOST_EACH = 1000  # of one person; who asks about more than that begins anew

# What was asked: action, type and id; and the properties, where there are any.
Said = tuple[Hashable, ...]


class Answer(msgspec.Struct, gc=False):
    """`told` is for whoever encodes it, so that it is encoded once."""

    allowed: bool
    verdict: Verdict
    told: bytes | None = None


class _Person(msgspec.Struct, gc=False):
    answers: dict[Said, Answer]
    used: tuple[Key, ...]


class Answers:
    """`size` is how many are remembered, some 400 bytes each. Of more, those go first whose person was first asked about."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._people: dict[int, _Person] = {}
        self._users: dict[Key, set[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, staff: int, said: Said) -> Answer | None:
        person = self._people.get(staff)
        return None if person is None else person.answers.get(said)

    def put(self, staff: int, said: Said, verdict: Verdict, used: Collection[Key]) -> None:
        """`used` are the other parts that went into it."""
        person = self._people.get(staff)
        if person is None or len(person.answers) >= _MOST_EACH:
            self._leave(staff)
            person = self._people[staff] = _Person({}, ())
        for key in used:
            if key not in person.used:
                person.used += (key,)
                self._users.setdefault(key, set()).add(staff)
        if said not in person.answers:
            self._count += 1
        person.answers[said] = Answer(verdict.allowed, verdict)
        while self._count > self._size:
            self._leave(next(iter(self._people)))

    def parts(self, staff: int) -> tuple[Key, ...]:
        """All that this person's answers were made from."""
        person = self._people.get(staff)
        return (staff,) if person is None else (staff, *person.used)

    def lose(self, key: Key) -> None:
        """This part is another now, or gone."""
        if type(key) is int:
            self._leave(key)
        for staff in tuple(self._users.get(key, ())):
            self._leave(staff)

    def clear(self) -> None:
        self._people.clear()
        self._users.clear()
        self._count = 0

    def _leave(self, staff: int) -> None:
        person = self._people.pop(staff, None)
        if person is None:
            return
        self._count -= len(person.answers)
        for key in person.used:
            users = self._users[key]
            users.discard(staff)
            if not users:
                del self._users[key]


def said(question: Question) -> Said | None:
    """None where one of the properties can't be looked up by: what is nested (a route's destination) is not remembered."""
    if not question.properties:
        return (question.action, question.type, question.id)
    if not all(type(value) is str for value in question.properties.values()):
        return None
    return (question.action, question.type, question.id, *question.properties.items())
