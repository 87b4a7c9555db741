"""What a replica tells of itself: as values, and as text for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from uuid import UUID

import msgspec

from staffgate.mirror import Stats


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an organisation that is wanted whole has been loaded: `count` people of `total`. `whole` says that it
    is all here, and kept."""

    count: int
    total: int
    whole: bool


class ReplicaStats(msgspec.Struct, frozen=True, kw_only=True):
    """`asked` counts the questions that went to the service, `unanswered` those of them that it could not answer, and `stale`
    those of these that were answered by what was last known."""

    mirror: Stats
    asked: int
    unanswered: int
    stale: int
    catalogue: int | None
    bound: float
    ready: bool
    organisations: dict[UUID, Loaded]


_Value = Callable[[ReplicaStats], float]

# Name, what it is, and its value. docs/how-to/replica.md says when to look at which.
COUNTERS: tuple[tuple[str, str, _Value], ...] = (
    ("hits", "Questions answered from memory", lambda stats: stats.mirror.hits),
    ("misses", "Questions for which something had to be loaded first", lambda stats: stats.mirror.misses),
    ("asked", "Questions that went to authz", lambda stats: stats.asked),
    ("unanswered", "Questions that authz could not answer", lambda stats: stats.unanswered),
    ("stale", "Reads answered by what was last known", lambda stats: stats.stale),
    ("loads", "People and registries loaded", lambda stats: stats.mirror.loads),
    ("dropped", "People and registries dropped for something newer", lambda stats: stats.mirror.invalidated),
    ("evicted", "People and registries dropped for lack of room", lambda stats: stats.mirror.evictions),
    ("gaps", "Announcements found missing", lambda stats: stats.mirror.gaps),
)
GAUGES: tuple[tuple[str, str, _Value], ...] = (
    ("age_seconds", "Seconds since the last sign that nothing was missed", lambda stats: _age(stats)),
    ("bound_seconds", "The age past which memory is not used", lambda stats: stats.bound),
    ("believed", "1 while memory is used", lambda stats: stats.mirror.believed),
    ("ready", "1 while all that was asked for is in memory", lambda stats: stats.ready),
    ("people", "People in memory", lambda stats: stats.mirror.people),
    ("registries", "Registries of items in memory", lambda stats: stats.mirror.size - stats.mirror.people),
    ("loading", "Loads on their way", lambda stats: stats.mirror.loading),
    ("catalogue_version", "The catalogue in use", lambda stats: nan if stats.catalogue is None else stats.catalogue),
    ("organisations_wanted", "Organisations to be kept whole", lambda stats: len(stats.organisations)),
    ("organisations_whole", "Those of them that are", lambda stats: _whole(stats)),
)
PREFIX = "staffgate_replica_"


def exposition(stats: ReplicaStats) -> str:
    """The text format of Prometheus, version 0.0.4."""
    lines = []
    for name, help, value in COUNTERS:
        lines += _lines(f"{PREFIX}{name}_total", "counter", help, value(stats))
    for name, help, value in GAUGES:
        lines += _lines(f"{PREFIX}{name}", "gauge", help, value(stats))
    return "\n".join(lines) + "\n"


def _lines(name: str, kind: str, help: str, value: float) -> list[str]:
    number = "NaN" if value != value else f"{value:d}" if isinstance(value, int) else repr(value)
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}", f"{name} {number}"]


def _age(stats: ReplicaStats) -> float:
    return nan if stats.mirror.heartbeat_age is None else stats.mirror.heartbeat_age


def _whole(stats: ReplicaStats) -> int:
    return sum(one.whole for one in stats.organisations.values())
