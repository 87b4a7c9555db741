"""Parts in memory, bounded. Nothing here waits for anything, so nothing happens between two of its lines.

An entry is right at its own revision, and at every later one up to which its organisation's announcements have been
heard: one that concerned it would have dropped it.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from itertools import islice
from uuid import UUID

import msgspec

from staffgate.mirror.answers import Answers
from staffgate.mirror.parts import Key, Part, Registry, Standing

_ITEMS_A_PERSON = 8  # as many items take the memory of one person


class _Organisation(msgspec.Struct, gc=False):
    """One of which there are entries. `heard` is the revision up to which no announcement is missing."""

    heard: int
    keys: set[Key]
    org: UUID


class Cache:
    """`size` is in people; the items of a registry count for some. Of more, those that are asked about remain.

    In order of insertion, and every eighth hit puts its own to the end: whoever is asked about is there soon enough. A
    mark for each, or an ordered dict, would cost everybody 40 to 100 bytes, and moving them all a third of the speed.

    A registry that has changed is put aside, where answers were made from it: only beside the next one can be seen which of
    them are good still. There it takes its room as before, and is the first to go where there is too little.
    """

    def __init__(self, size: int, answers: Answers | None = None) -> None:
        self._size = size
        self.answers = Answers(0) if answers is None else answers
        self._weight = 0
        self._entries: dict[Key, Part] = {}
        self._aside: dict[Key, Registry] = {}
        self._turn = 0
        self._organisations: dict[int, _Organisation] = {}
        self.people = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Part | None:
        part = self._entries.get(key)
        if part is None:
            return None
        if type(part) is Standing and part.until is not None and part.until <= now:
            self._remove(key)
            return None
        self._turn += 1
        if not self._turn & 7:
            self._entries[key] = self._entries.pop(key)
        return part

    def lasts(self, key: Key) -> bool:
        """Is it here, and right until an announcement says otherwise?"""
        part = self._entries.get(key)
        return type(part) is Registry or (type(part) is Standing and part.until is None)

    def touch(self, key: Key) -> None:
        """It was asked about, though nobody had to look: a registry may have changed meanwhile, and the rest not."""
        part = self._entries.pop(key, None)
        if part is not None:
            self._entries[key] = part

    def missing(self, keys: Set[Key]) -> set[Key]:
        return {key for key in keys if key not in self._entries}

    def heard(self, org: int) -> int | None:
        """The revision up to which no announcement is missing; None where there is nothing of the organisation."""
        organisation = self._organisations.get(org)
        return None if organisation is None else organisation.heard

    def held(self, org: int) -> tuple[int, dict[Key, Part]]:
        """All of an organisation, and the revision at which it is right."""
        organisation = self._organisations.get(org)
        if organisation is None:
            return 0, {}
        return organisation.heard, {key: self._entries[key] for key in organisation.keys}

    def is_right(self, key: Key, part: Part, revision: int) -> bool:
        """Is it this very part that is remembered, and nothing missing up to the revision?"""
        return self._entries.get(key) is part and self._organisations[part.org.int].heard >= revision

    def put(self, key: Key, part: Part, reached: int) -> bool:
        """Remember what is known to be right at `reached`. Never an older one over a newer one."""
        organisation = self._organisations.get(part.org.int)
        if 2 * _weight(part) > self._size + 1 or (organisation is not None and reached < organisation.heard):
            return False
        if key in self._entries:
            if self._revision(key) > part.revision:
                return False
            self._remove(key, aside=True)
        # Heard no further than this, where it is the first: what comes after it may concern it.
        new = organisation or _Organisation(reached, set(), part.org)
        organisation = self._organisations.setdefault(part.org.int, new)
        organisation.keys.add(key)
        if part.org is not organisation.org:
            part = msgspec.structs.replace(part, org=organisation.org)  # one id for all: a hundred bytes each
        self._entries[key] = part
        self._weight += _weight(part)
        self.people += type(key) is int
        old = self._aside.pop(key, None)
        if old is not None and type(part) is Registry:
            self._weight -= _weight(old)
            self.answers.settle(key, old, part)
        self._make_room()
        return True

    def replace(self, key: Key, part: Part) -> None:
        """The same at a later revision."""
        self._entries[key] = part

    # --- forgetting -------------------------------------------------------------------------------------------

    def missed(self, org: int, previous: int, revision: int) -> bool:
        """Note an announcement; True where one before it was never heard, and might have concerned anybody."""
        organisation = self._organisations.get(org)
        if organisation is None or revision <= organisation.heard:
            return False
        gap = previous > organisation.heard
        organisation.heard = revision
        return gap

    def drop(self, org: int, keys: Collection[Key] | None, revision: int) -> int:
        """Drop these (with None everything of the organisation) where they are older; the number dropped."""
        organisation = self._organisations.get(org)
        if organisation is None:
            return 0
        mine = organisation.keys
        old = [one for one in (mine if keys is None else mine.intersection(keys)) if self._revision(one) < revision]
        for key in old:
            self._remove(key, aside=keys is not None)
        return len(old)

    def clear(self) -> int:
        count = len(self._entries)
        self._entries.clear()
        self._aside.clear()
        self.answers.clear()
        self._organisations.clear()
        self._weight = self.people = 0
        return count

    def _revision(self, key: Key) -> int:
        return self._entries[key].revision

    def _make_room(self) -> None:
        """A hundredth at a time: to find the oldest of a dict takes a walk over the places of those that have left."""
        while self._aside and self._weight > self._size:
            key, part = self._aside.popitem()
            self._weight -= _weight(part)
            self.answers.lose(key)
        while self._weight > self._size:
            for key in list(islice(self._entries, max(1, len(self._entries) // 100))):
                self._remove(key)
                self.evicted += 1

    def _remove(self, key: Key, *, aside: bool = False) -> None:
        part = self._entries.pop(key)
        if aside and type(part) is Registry and self.answers.doubt(key):
            self._aside[key] = part
        else:
            self.answers.lose(key)
            self._weight -= _weight(part)
        self.people -= type(key) is int
        organisation = self._organisations[part.org.int]
        organisation.keys.discard(key)
        if not organisation.keys:
            del self._organisations[part.org.int]


def _weight(part: Part) -> int:
    return 1 + len(part.items) // _ITEMS_A_PERSON if type(part) is Registry else 1
