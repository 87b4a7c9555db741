"""Decisions that are remembered, each for as long as everything is unchanged that it was made from.

A product asks the same few questions about the same people again and again, of one item after the other. A decision takes 3
to 7 µs, and to look it up a tenth of that. There is nothing to expire here: an answer goes in the moment in which the
cache loses one of its parts (the person, the registry of the item's type, the owner of the row), and what was made from
a part that is only right for a while is not remembered at all.

A registry that has changed is another matter: it is of many items, and mostly one of them is another now. Until it is
loaded again nobody knows which, and what was made from it is in doubt: it is kept, and not given. Then only those answers go
that were about an item of which the new one says something else.

One answer serves for all items of a type that nothing tells apart: no rule of the person names the item, and the registry
says nothing of it that counts. So an item that nobody has asked about yet is mostly answered as well. In its own words
such an answer is remembered when it is asked for again: what is asked once takes no room, and a hundred thousand ids that
nobody asks for twice push out nothing.

What was asked in the very same words is found in one look at one dict. (By person first, and then by question, takes three
times as long with 20,000 questions: what costs is memory that is not in the processor's cache.)
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from staffgate.contracts.authz import Item
from staffgate.decision import Question, Snapshot, Verdict
from staffgate.decision.model import attributes
from staffgate.mirror.parts import Key, Part, Registry
from staffgate.mirror.pulse import Pulse

_MOST_EACH = 10_000  # of one person; who asks about more than that begins anew
_MOST_PARTS = 64  # that one person's answers are made from: the rows of more owners are decided each time
_MOST_GONE = 1_000  # ids of items that are no longer registered; where there are more, it begins anew
_PLACES = (
    1 << 17
)  # one byte each, by the hash of a question's words: was it asked of late? Half of them, and all are cleared
_LONGEST = 600  # characters of a question: what is longer is none of ours, and anybody may send a megabyte

# Person (the number of their id), action, type, id; and what else was said: the names of the properties, then their values.
Words = tuple[Any, ...]

_NEVER = Pulse(0, 0)  # that of what is in doubt: there is no time at which it is good


class Ground(msgspec.Struct, gc=False):
    """A registry that answers were made from, or none: which ids something is or was said of that counts, and until when
    those answers are good. `pulse` is the mirror's, which every look-up asks in any case: so to put them in doubt, or to settle it,
    is to give all of them another one, and costs whoever looks one up nothing."""

    pulse: Pulse
    described: set[str]


class Answer(msgspec.Struct, gc=False):
    """`told` is for whoever encodes it, so that it is encoded once."""

    allowed: bool
    verdict: Verdict
    ground: Ground
    told: bytes | None = None


class Person(msgspec.Struct, gc=False):
    """One who was asked about: in which words; what was answered of items that nothing tells apart, by all words but the id;
    which ids their rules name, and those of their roles; by type, what the answers were made from; and which parts besides
    their own went into them."""

    words: list[Words]
    alike: dict[Words, Answer]
    named: frozenset[str]
    by_roles: frozenset[str]
    grounds: dict[str, Ground]
    used: list[Key]


class Answers:
    """`size` is how many are remembered, some 400 bytes each. Of more, those go first whose person was first asked about."""

    def __init__(self, size: int, pulse: Pulse = _NEVER) -> None:
        self._size = size
        self._pulse = pulse
        self.by_words: dict[Words, Answer] = {}
        self.people: dict[int, Person] = {}
        self._users: dict[Key, set[int]] = {}
        self._grounds: dict[Key, Ground] = {}
        self._count = 0
        self._nothing = Ground(pulse, set())
        self._asked = array("q", bytes(8 * _PLACES))

    def __len__(self) -> int:
        return self._count

    def alike(self, words: Words) -> Answer | None:
        """What was answered of another item that nothing tells apart from this one: from now on in these words as well."""
        staff, action, type, id = words[:4]
        person = self.people.get(staff)
        ground = None if person is None else person.grounds.get(type)
        if person is None or ground is None:
            return None
        if id in ground.described or id in person.named or id in person.by_roles:
            return None
        answer = person.alike.get((action, type, *words[4:]))
        # An id that is no text equals none that a rule names.
        if answer is None or not isinstance(id, str) or _is_long(words):
            return None
        # Only a new answer makes room.
        if self._is_asked_again(words) and self._count < self._size and len(person.words) < _MOST_EACH:
            self._note(person, words, answer)
        return answer

    def put(self, words: Words, verdict: Verdict, used: Sequence[tuple[Key, Part]]) -> None:
        """`used` are the other parts that went into it; the first is the registry, if the type has one."""
        if _is_long(words):
            return
        staff, action, type_, id = words[:4]
        person = self.people.get(staff)
        if person is None or len(person.words) + len(person.alike) >= _MOST_EACH:
            person = self._begun(staff, verdict.snapshot)
        ground = person.grounds.get(type_)
        for key, part in used:
            users = self._users.get(key)
            if users is None or staff not in users:
                if len(person.used) >= _MOST_PARTS:
                    return
                person.used.append(key)
                self._users.setdefault(key, set()).add(staff)
            if ground is None and type(part) is Registry:
                ground = person.grounds[type_] = self._ground(key, part)
        answer = Answer(verdict.allowed, verdict, ground or self._nothing)
        if ground is None or id in ground.described or id in person.named or id in person.by_roles:
            self._note(person, words, answer)
        else:
            key = (action, type_, *words[4:])
            before = person.alike.get(key)
            person.alike[key] = answer
            if before is None:
                self._count += 1
            elif words in self.by_words:
                self.by_words[words] = answer
        while self._count > self._size:
            self._leave(next(iter(self.people)))

    def _is_asked_again(self, words: Words) -> bool:
        """Unless so much was asked meanwhile that another question has its place."""
        known = hash(words)
        place = known & (_PLACES - 1)
        if self._asked[place] == known:
            return True
        self._asked[place] = known
        return False

    def _note(self, person: Person, words: Words, answer: Answer) -> None:
        count = len(self.by_words)
        self.by_words[words] = answer
        if len(self.by_words) > count:  # there may have been one, of an earlier revision
            person.words.append(words)
            self._count += 1

    # --- forgetting -------------------------------------------------------------------------------------------

    def lose(self, key: Key) -> None:
        """This part is another now, or gone."""
        if type(key) is int:
            self._leave(key)
        for staff in tuple(self._users.get(key, ())):
            self._leave(staff)
        self._grounds.pop(key, None)

    def doubt(self, key: Key) -> bool:
        """This registry is another now, and how it differs will be seen. False where nothing was made from it."""
        ground = self._grounds.get(key)
        if ground is None:
            return False
        ground.pulse = _NEVER
        return True

    def settle(self, key: Key, old: Registry, new: Registry) -> None:
        """It is here: the answers about what is in both of them are good again.

        Of what something was said once, it counts as said for good: what the rest shares is of a revision at which this
        item was not one of them.
        """
        ground = self._grounds.get(key)
        if ground is None:
            return
        changed = _changed(old.items, new.items)
        if changed:
            ground.described |= changed
            if len(ground.described) > 2 * len(new.items) + _MOST_GONE:
                self.lose(key)
                return
            for staff in self._users.get(key, ()):
                self._forget(self.people[staff], ground, changed)
        ground.pulse = self._pulse

    def _forget(self, person: Person, ground: Ground, ids: set[str]) -> None:
        gone = {words for words in person.words if words[3] in ids and person.grounds.get(words[2]) is ground}
        if gone:
            person.words = [words for words in person.words if words not in gone]
            self._count -= len(gone)
            for words in gone:
                del self.by_words[words]

    def clear(self) -> None:
        self.by_words.clear()
        self.people.clear()
        self._users.clear()
        self._grounds.clear()
        self._count = 0

    def _begun(self, staff: int, snapshot: Snapshot) -> Person:
        self._leave(staff)
        roles = _union(tuple(held.part.items for held in snapshot.roles if held.part.items))
        person = self.people[staff] = Person([], {}, snapshot.grants.items(), roles, {}, [])
        return person

    def _ground(self, key: Key, registry: Registry) -> Ground:
        """The same for everybody."""
        ground = self._grounds.get(key)
        if ground is None:
            described = {id for id, item in registry.items.items() if attributes(item)}
            ground = self._grounds[key] = Ground(self._pulse, described)
        return ground

    def _leave(self, staff: int) -> None:
        person = self.people.pop(staff, None)
        if person is None:
            return
        self._count -= len(person.words) + len(person.alike)
        for words in person.words:
            del self.by_words[words]
        for key in person.used:
            users = self._users[key]
            users.discard(staff)
            if not users:
                del self._users[key]
                self._grounds.pop(key, None)


def wording(staff: int, question: Question) -> Words | None:
    """None where one of the properties can't be looked up by: what is nested (a route's destination) is not remembered."""
    said = question.properties
    if not said:
        return (staff, question.action, question.type, question.id)
    for value in said.values():
        if type(value) is not str:
            return None
    return (staff, question.action, question.type, question.id, *said, *said.values())


def _is_long(words: Words) -> bool:
    return len(words[1]) + len(words[2]) + len(words[3]) + (sum(map(len, words[4:])) if words[4:] else 0) > _LONGEST


def _changed(old: dict[str, Item], new: dict[str, Item]) -> set[str]:
    """Of which items they say different things that count."""
    other = {id for id, item in new.items() if old.get(id) != item} | (old.keys() - new.keys())
    return {id for id in other if _counting(old.get(id)) != _counting(new.get(id))}


def _counting(item: Item | None) -> dict[str, str]:
    return {} if item is None else attributes(item)


@lru_cache(1024)
def _union(items: tuple[frozenset[str], ...]) -> frozenset[str]:
    """The same object for everybody who holds the same roles: a role may name five hundred items."""
    return frozenset().union(*items)
