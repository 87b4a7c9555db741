"""Snapshots in memory, bounded: what people may do, each at the revision at which it was read.

An entry is good for as long as no newer revision is known to concern it. Nothing here waits for anything, so nothing
happens between two of its lines.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from services.authz.facts import Standing


class _Entry(msgspec.Struct, frozen=True, gc=False):
    standing: Standing
    until: datetime


@dataclass
class _Organisation:
    """One of which there are entries. `heard` is the revision up to which no announcement is missing."""

    heard: int
    people: set[UUID] = field(default_factory=set)


class Cache:
    def __init__(self, size: int) -> None:
        """At most `size` people; of more, those that were asked about last."""
        self._size = size
        self._entries: OrderedDict[UUID, _Entry] = OrderedDict()
        self._organisations: dict[UUID, _Organisation] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, staff: UUID, now: datetime) -> Standing | None:
        entry = self._entries.get(staff)
        if entry is None:
            return None
        if entry.until <= now:
            self._remove(staff)
            return None
        self._entries.move_to_end(staff)
        return entry.standing

    def put(self, staff: UUID, standing: Standing, until: datetime) -> None:
        """Never an older one over a newer one."""
        present = self._entries.get(staff)
        revision = standing.snapshot.revision
        if present is not None and present.standing.snapshot.revision > revision:
            return
        # Heard no further than the first entry's revision: what came after it may concern that one.
        self._organisations.setdefault(standing.org, _Organisation(revision)).people.add(staff)
        self._entries[staff] = _Entry(standing, until)
        self._entries.move_to_end(staff)
        if len(self._entries) > self._size:
            self._remove(next(iter(self._entries)))

    def drop(self, org: UUID, people: Collection[UUID] | None, revision: int) -> int:
        """Drop these people (with None everybody of the organisation) where they are older; the number dropped."""
        organisation = self._organisations.get(org)
        if organisation is None:
            return 0
        mine = organisation.people
        old = [one for one in (mine if people is None else mine & set(people)) if self._revision(one) < revision]
        for staff in old:
            self._remove(staff)
        return len(old)

    def missed(self, org: UUID, previous: int, revision: int) -> bool:
        """Note an announcement; True where one before it was never heard, and might have concerned anybody."""
        organisation = self._organisations.get(org)
        if organisation is None or revision <= organisation.heard:
            return False
        gap = previous > organisation.heard
        organisation.heard = revision
        return gap

    def clear(self) -> None:
        self._entries.clear()
        self._organisations.clear()

    def _revision(self, staff: UUID) -> int:
        return self._entries[staff].standing.snapshot.revision

    def _remove(self, staff: UUID) -> None:
        org = self._entries.pop(staff).standing.org
        people = self._organisations[org].people
        people.discard(staff)
        if not people:
            del self._organisations[org]
