"""Decisions that are remembered, each for as long as everything is unchanged that it was made from.

A product asks the same few questions about the same people again and again, of one item after the other. A decision takes 3
to 7 µs, and to look it up a tenth of that. There is nothing to expire here: an answer goes in the moment in which the
cache loses one of its parts (the person, the registry of the item's type, the owner of the row), and what was made from
a part that is only right for a while is not remembered at all.

One answer serves for all items of a type that nothing tells apart: no rule of the person names the item, and the registry
says nothing of it that counts. So an item that nobody has asked about yet is mostly answered as well.

What was asked in the very same words is found in one look at one dict. (By person first, and then by question, takes three
times as long with 20,000 questions: what costs is memory that is not in the processor's cache.)
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from functools import lru_cache

import msgspec

from staffgate.decision import Question, Verdict
from staffgate.decision.model import ATTRIBUTES
from staffgate.mirror.parts import Key, Part, Registry

_MOST_EACH = 10_000  # of one person; who asks about more than that begins anew
_MOST_PARTS = 64  # that one person's answers are made from: the rows of more owners are decided each time
_LONGEST = 600  # characters of a question: what is longer is none of ours, and anybody may send a megabyte

# What was asked besides action, type and id: the names of the properties, and then their values, all of it text.
About = tuple[str, ...]


class Answer(msgspec.Struct, gc=False):
    """`told` is for whoever encodes it, so that it is encoded once."""

    allowed: bool
    verdict: Verdict
    told: bytes | None = None


# Person, action, type, id, and what else was said.
Words = tuple[Hashable, ...]


class Person(msgspec.Struct, gc=False):
    """One who was asked about: in which words, which ids their rules name, and those of their roles, which the registries of
    the types describe, and which parts besides their own went into the answers."""

    answers: dict[tuple[Hashable, ...], Answer]
    words: list[Words]
    named: frozenset[str]
    by_roles: frozenset[str]
    described: dict[str, Collection[str]]
    used: tuple[Key, ...]

    def key(self, action: str, type: str, id: str, about: About) -> tuple[Hashable, ...]:
        """Without the id, where that makes no difference."""
        described = self.described.get(type)
        if described is None or id in described or id in self.named or id in self.by_roles:
            return (None, id, action, type, *about)
        return (action, type, *about)


class Answers:
    """`size` is how many are remembered, some 400 bytes each. Of more, those go first whose person was first asked about."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.by_words: dict[Words, Answer] = {}
        self.people: dict[int, Person] = {}
        self._users: dict[Key, set[int]] = {}
        self._described: dict[Key, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self.by_words)

    def alike(self, staff: int, action: str, type: str, id: str, about: About) -> Answer | None:
        """What was answered of another item that nothing tells apart from this one: from now on in these words as well."""
        person = self.people.get(staff)
        # An id that is no text equals none that a rule names.
        if person is None or not isinstance(id, str) or _is_long(action, type, id, about):
            return None
        answer = person.answers.get(person.key(action, type, id, about))
        if answer is not None and len(self.by_words) < self._size:  # only a new answer makes room
            self._note(person, (staff, action, type, id, *about), answer)
        return answer

    def put(
        self, staff: int, question: Question, about: About, verdict: Verdict, used: Iterable[tuple[Key, Part]]
    ) -> None:
        """`used` are the other parts that went into it; the first is the registry, if the type has one."""
        action, type_, id = question.action, question.type, question.id
        if _is_long(action, type_, id, about):
            return
        person = self.people.get(staff)
        if person is None or len(person.words) >= _MOST_EACH:
            self._leave(staff)
            snapshot = verdict.snapshot
            roles = _union(tuple(held.part.items for held in snapshot.roles if held.part.items))
            person = self.people[staff] = Person({}, [], snapshot.grants.items(), roles, {}, ())
        for key, part in used:
            if key not in person.used:
                if len(person.used) >= _MOST_PARTS:
                    return
                person.used += (key,)
                self._users.setdefault(key, set()).add(staff)
            if type_ not in person.described and type(part) is Registry:
                person.described[type_] = self._ids(key, part)
        answer = person.answers[person.key(action, type_, id, about)] = Answer(verdict.allowed, verdict)
        self._note(person, (staff, action, type_, id, *about), answer)
        while len(self.by_words) > self._size:
            self._leave(next(iter(self.people)))

    def _note(self, person: Person, words: Words, answer: Answer) -> None:
        if words not in self.by_words:
            if len(person.words) >= _MOST_EACH:
                return
            person.words.append(words)
        self.by_words[words] = answer

    def lose(self, key: Key) -> None:
        """This part is another now, or gone."""
        if type(key) is int:
            self._leave(key)
        self._described.pop(key, None)
        for staff in tuple(self._users.get(key, ())):
            self._leave(staff)

    def clear(self) -> None:
        self.by_words.clear()
        self.people.clear()
        self._users.clear()
        self._described.clear()

    def _ids(self, key: Key, registry: Registry) -> frozenset[str]:
        """Of the items that have something of their own that counts, the same for everybody."""
        found = self._described.get(key)
        if found is None:
            items = registry.items.values()
            found = frozenset(item.id for item in items if any(getattr(item, name) is not None for name in ATTRIBUTES))
            self._described[key] = found
        return found

    def _leave(self, staff: int) -> None:
        person = self.people.pop(staff, None)
        if person is None:
            return
        for words in person.words:
            del self.by_words[words]
        for key in person.used:
            users = self._users[key]
            users.discard(staff)
            if not users:
                del self._users[key]


def about(question: Question) -> About | None:
    """None where one of the properties can't be looked up by: what is nested (a route's destination) is not remembered."""
    if not question.properties:
        return ()
    values = question.properties.values()
    return (*question.properties, *values) if all(type(one) is str for one in values) else None


def _is_long(action: str, type: str, id: str, about: About) -> bool:
    return len(action) + len(type) + len(id) + sum(map(len, about)) > _LONGEST


@lru_cache(1024)
def _union(items: tuple[frozenset[str], ...]) -> frozenset[str]:
    """The same object for everybody who holds the same roles: a role may name five hundred items."""
    return frozenset().union(*items)
