"""Parts on their way, and what was told while they were: what came back may be of before it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

from staffgate.mirror.parts import Key, Part


class Load:
    """One on its way. `kept` says whether it may be remembered when it comes back."""

    def __init__(self, key: Key, *, at_least: int, begun: float, kept: bool) -> None:
        self.key = key
        self.at_least = at_least
        self.begun = begun
        self.kept = kept
        self.task: asyncio.Task[Part]
        self._told: list[tuple[int, int, int, bool]] = []
        self._listed: list[Mapping[UUID, int]] = []

    def told(self, org: int, previous: int, revision: int, concerned: bool) -> None:
        self._told.append((org, previous, revision, concerned))

    def listed(self, revisions: Mapping[UUID, int]) -> None:
        self._listed.append(revisions)

    def reached(self, part: Part) -> int | None:
        """The revision up to which it is known to be right; None where it is not known that it still is.

        The organisation is known only now, with the part: until then every organisation's news were kept.
        """
        reached, org = part.revision, part.org.int
        for of, previous, revision, concerned in self._told:
            if of != org or revision <= part.revision:
                continue
            if concerned or previous > reached:
                return None
            reached = max(reached, revision)
        if any(listed.get(part.org, 0) > reached for listed in self._listed):
            return None
        return reached


class Loads:
    """All that are on their way. Those who ask for the same at the same time share one."""

    def __init__(self) -> None:
        self._running: set[Load] = set()
        self._joinable: dict[Key, Load] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, load: Load) -> None:
        self._running.add(load)
        self._joinable[load.key] = load

    def end(self, load: Load) -> None:
        self._running.discard(load)
        self._detach(load)

    def joinable(self, key: Key, at_least: int, earliest: float) -> Load | None:
        """One that is good for whoever asks now: none that began earlier, or with less of a demand."""
        load = self._joinable.get(key)
        return load if load is not None and load.begun >= earliest and load.at_least >= at_least else None

    def told(self, org: int, previous: int, revision: int, keys: Collection[Key] | None) -> None:
        """An announcement; with None it concerns everything of the organisation."""
        for load in self._running:
            concerned = keys is None or load.key in keys
            load.told(org, previous, revision, concerned)
            if concerned:
                self._detach(load)

    def overtaken(self, org: int, revision: int, keys: Collection[Key] | None) -> None:
        """These have changed. Nothing is said about what else has, or about what came before."""
        for load in self._running:
            if keys is None or load.key in keys:
                load.told(org, 0, revision, True)
                self._detach(load)

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

    def _detach(self, load: Load) -> None:
        """Whoever asks from now on gets a load that begins from now on."""
        if self._joinable.get(load.key) is load:
            del self._joinable[load.key]
