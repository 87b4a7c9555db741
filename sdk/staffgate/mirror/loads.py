"""Parts on their way, and what was told while they were: what came back may be of before it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from staffgate.mirror.parts import Key, Part

Keys = Collection[Key] | None  # None: everything of an organisation


class Filling:
    """Any number of parts on their way at once: which ones is known when they are here. `kept` says whether they may be
    remembered then."""

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self._told: list[tuple[int, int, int, Keys]] = []
        self._overtaken: list[tuple[int, int, Keys]] = []
        self._listed: list[Mapping[UUID, int]] = []

    def told(self, org: int, previous: int, revision: int, keys: Keys) -> None:
        self._told.append((org, previous, revision, keys))

    def overtaken(self, org: int, revision: int, keys: Keys) -> None:
        self._overtaken.append((org, revision, keys))

    def listed(self, revisions: Mapping[UUID, int]) -> None:
        self._listed.append(revisions)

    def right_until(self, key: Key, part: Part) -> int | None:
        """The revision up to which it is known to be right; None where it is not known that it still is.

        The organisation is known only now, with the part: until then every organisation's news were kept.
        """
        reached, org = part.revision, part.org.int
        for of, previous, revision, keys in self._told:
            if of != org or revision <= part.revision:
                continue
            if keys is None or key in keys or previous > reached:
                return None
            reached = max(reached, revision)
        for of, revision, keys in self._overtaken:
            if of == org and revision > part.revision and (keys is None or key in keys):
                return None
        if any(listed.get(part.org, 0) > reached for listed in self._listed):
            return None
        return reached


class Load(Filling):
    """One on its way."""

    def __init__(self, key: Key, *, at_least: int, begun: float, kept: bool) -> None:
        super().__init__(kept=kept)
        self.key = key
        self.at_least = at_least
        self.begun = begun
        self.task: asyncio.Task[Part]

    def reached(self, part: Part) -> int | None:
        return self.right_until(self.key, part)


class Loads:
    """All that are on their way. Those who ask for the same at the same time share one."""

    def __init__(self) -> None:
        self._running: set[Filling] = set()
        self._joinable: dict[Key, Load] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, load: Load) -> None:
        self._running.add(load)
        self._joinable[load.key] = load

    def end(self, load: Load) -> None:
        self._running.discard(load)
        if self._joinable.get(load.key) is load:
            del self._joinable[load.key]

    @contextmanager
    def filling(self, *, kept: bool) -> Iterator[Filling]:
        """Nobody joins these: who asks for one of them meanwhile loads it."""
        filling = Filling(kept=kept)
        self._running.add(filling)
        try:
            yield filling
        finally:
            self._running.discard(filling)

    def joinable(self, key: Key, at_least: int, earliest: float) -> Load | None:
        """One that is good for whoever asks now: none that began earlier, or with less of a demand."""
        load = self._joinable.get(key)
        return load if load is not None and load.begun >= earliest and load.at_least >= at_least else None

    def told(self, org: int, previous: int, revision: int, keys: Keys) -> None:
        """An announcement; with None it concerns everything of the organisation."""
        for load in self._running:
            load.told(org, previous, revision, keys)
        self._detach(keys)

    def overtaken(self, org: int, revision: int, keys: Keys) -> None:
        """These have changed. Nothing is said about what else has, or about what came before."""
        for load in self._running:
            load.overtaken(org, revision, keys)
        self._detach(keys)

    def listed(self, revisions: Mapping[UUID, int]) -> None:
        """A heartbeat: how far these organisations have come."""
        for load in self._running:
            load.listed(revisions)

    def forsake(self) -> None:
        """Keep none of them, and let nobody join them: anything may have happened."""
        self._joinable.clear()
        for load in self._running:
            load.kept = False

    def detach_all(self) -> None:
        self._joinable.clear()

    def _detach(self, keys: Keys) -> None:
        """Whoever asks for these from now on gets a load that begins from now on."""
        if keys is None:
            self._joinable.clear()
        for key in keys or ():
            self._joinable.pop(key, None)


def seen(task: asyncio.Task[Part]) -> None:
    """A fault that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()
