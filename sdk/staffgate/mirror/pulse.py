"""Until when memory may be believed: announcements can be lost without a word, and then only heartbeats tell.

A heartbeat lists how far the organisations have come that changed of late. It says, of the moment at which it was read:
whoever has heard all of that has missed nothing. So an answer is never older than the last heartbeat, and a heartbeat
is good for `bound` seconds.

It may overtake the announcement of what it lists, by a few milliseconds; to forget an organisation each time would
leave busy ones with no memory at all. What it lists and was not heard yet is waited for with `patience`, though never
for longer than the heartbeat before it is good.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf


class Pulse:
    """`since` and `until` are the reader's own time: memory is good in between. A clock that is put back ends it, too."""

    def __init__(self, bound: float, patience: float) -> None:
        self.bound = bound
        self._patience = patience
        self.last = -inf
        self._awaited: dict[int, tuple[int, float]] = {}
        self.since, self.until = inf, -inf

    def begin(self, at: float, now: float) -> None:
        """Nothing is remembered from before `at`, and all is heard since."""
        self._awaited.clear()
        self.last, self.since = at, now
        self._reckon()

    def stop(self) -> None:
        self._awaited.clear()
        self.since, self.until = inf, -inf

    def alive(self, now: float) -> bool:
        return self.since <= now < self.last + self.bound

    def beat(self, at: float, now: float) -> None:
        """Only time that was alive may be prolonged."""
        self.last = max(self.last, at)
        self.since = now
        self._reckon()

    def await_revision(self, org: int, revision: int, now: float) -> None:
        """A heartbeat lists what was not heard. To be called before that beat counts."""
        known, due = self._awaited.get(org, (0, inf))
        self._awaited[org] = max(known, revision), min(due, now + self._patience, self.last + self.bound)
        self._reckon()

    def overdue(self, now: float) -> Iterator[tuple[int, int]]:
        """The organisations whose announcements did not come in time, with the revision that was listed."""
        late = [org for org, (_, due) in self._awaited.items() if due <= now]
        for org in late:
            yield org, self._awaited.pop(org)[0]
        self._reckon()

    def age(self, now: float) -> float | None:
        """Of the last heartbeat that counted."""
        return None if self.last == -inf else now - self.last

    @property
    def awaited(self) -> Iterator[tuple[int, int]]:
        return ((org, revision) for org, (revision, _) in self._awaited.items())

    def _reckon(self) -> None:
        due = min((due for _, due in self._awaited.values()), default=inf)
        self.until = min(self.last + self.bound, due)
