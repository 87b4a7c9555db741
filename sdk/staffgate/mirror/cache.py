"""Parts in memory, bounded. Nothing here waits for anything, so nothing happens between two of its lines.

An entry is right at its own revision, and at every later one up to which its organisation's announcements have been
heard: one that concerned it would have dropped it.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

import msgspec

from staffgate.mirror.parts import Key, Part, Registry, Standing

_ITEMS_A_PERSON = 8  # as many items take the memory of one person


class _Entry(msgspec.Struct, gc=False):
    part: Part
    used: bool = True


class _Organisation(msgspec.Struct, gc=False):
    """One of which there are entries. `heard` is the revision up to which no announcement is missing."""

    heard: int
    keys: set[Key]


class Cache:
    """`size` is in people; the items of a registry count for some. Of more, those that were asked about last remain.

    A hit leaves a mark and moves nothing: whoever is in the way of a newcomer and has a mark loses that first. So a
    plain dict will do, which is a third smaller than an ordered one.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._weight = 0
        self._entries: dict[Key, _Entry] = {}
        self._organisations: dict[int, _Organisation] = {}
        self.people = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Part | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        part = entry.part
        if type(part) is Standing and part.until is not None and part.until <= now:
            self._remove(key)
            return None
        entry.used = True
        return part

    def heard(self, org: int) -> int | None:
        """The revision up to which no announcement is missing; None where there is nothing of the organisation."""
        organisation = self._organisations.get(org)
        return None if organisation is None else organisation.heard

    def is_right(self, key: Key, part: Part, revision: int) -> bool:
        """Is it this very part that is remembered, and nothing missing up to the revision?"""
        entry = self._entries.get(key)
        return entry is not None and entry.part is part and self._organisations[part.org.int].heard >= revision

    def put(self, key: Key, part: Part, reached: int) -> bool:
        """Remember what is known to be right at `reached`. Never an older one over a newer one."""
        organisation = self._organisations.get(part.org.int)
        if 2 * _weight(part) > self._size + 1 or (organisation is not None and reached < organisation.heard):
            return False
        if key in self._entries:
            if self._revision(key) > part.revision:
                return False
            self._remove(key)
        # Heard no further than this, where it is the first: what comes after it may concern it.
        organisation = self._organisations.setdefault(part.org.int, organisation or _Organisation(reached, set()))
        organisation.keys.add(key)
        self._entries[key] = _Entry(part)
        self._weight += _weight(part)
        self.people += type(key) is int
        self._make_room()
        return True

    def replace(self, key: Key, part: Part) -> None:
        """The same at a later revision."""
        self._entries[key].part = part

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
            self._remove(key)
        return len(old)

    def clear(self) -> int:
        count = len(self._entries)
        self._entries.clear()
        self._organisations.clear()
        self._weight = self.people = 0
        return count

    def _revision(self, key: Key) -> int:
        return self._entries[key].part.revision

    def _make_room(self) -> None:
        """A hundredth at a time: to find the oldest of a dict takes a walk over the places of those that have left."""
        while self._weight > self._size:
            for key in list(islice(self._entries, max(1, len(self._entries) // 100))):
                entry = self._entries[key]
                if entry.used:
                    entry.used = False
                    self._entries[key] = self._entries.pop(key)
                else:
                    self._remove(key)
                    self.evicted += 1

    def _remove(self, key: Key) -> None:
        part = self._entries.pop(key).part
        self._weight -= _weight(part)
        self.people -= type(key) is int
        organisation = self._organisations[part.org.int]
        organisation.keys.discard(key)
        if not organisation.keys:
            del self._organisations[part.org.int]


def _weight(part: Part) -> int:
    return 1 + len(part.items) // _ITEMS_A_PERSON if type(part) is Registry else 1
