"""What this process's mirrors tell of themselves, for Prometheus and for readiness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from staffgate.mirror import Mirror, Stats

_COUNTED = ("hits", "misses", "bypassed", "loads", "invalidated", "evictions", "gaps")
_ANSWERED = {"memory": "hits", "source": "misses", "bypassed": "bypassed"}


class Mirrors(Collector):
    """Usually one. Of one that has gone its counts stay, for a counter never falls."""

    def __init__(self) -> None:
        self._present: list[Mirror] = []
        self._gone = dict.fromkeys(_COUNTED, 0)

    @asynccontextmanager
    async def measured(self, mirror: Mirror) -> AsyncIterator[None]:
        self._present.append(mirror)
        try:
            yield
        finally:
            self._present.remove(mirror)
            self._gone = self._counts([mirror.stats])

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        stats = [mirror.stats for mirror in self._present]
        counts = self._counts(stats)
        answered = CounterMetricFamily(
            "authz_mirror_questions", "Where the answer to a question came from", labels=["source"]
        )
        for source, name in _ANSWERED.items():
            answered.add_metric([source], counts[name])
        yield answered
        yield CounterMetricFamily("authz_mirror_loads", "Parts loaded", value=counts["loads"])
        yield CounterMetricFamily(
            "authz_mirror_invalidated", "Parts dropped for something newer", value=counts["invalidated"]
        )
        yield CounterMetricFamily("authz_mirror_evicted", "Parts dropped for lack of room", value=counts["evictions"])
        yield CounterMetricFamily("authz_mirror_gaps", "Announcements found missing", value=counts["gaps"])
        yield from _gauges(stats)

    def _counts(self, stats: list[Stats]) -> dict[str, int]:
        return {name: gone + sum(getattr(one, name) for one in stats) for name, gone in self._gone.items()}


def _gauges(stats: list[Stats]) -> Iterator[Metric]:
    remembered = GaugeMetricFamily("authz_mirror_remembered", "Parts in memory", labels=["kind"])
    remembered.add_metric(["people"], sum(one.people for one in stats))
    remembered.add_metric(["registries"], sum(one.size - one.people for one in stats))
    yield remembered
    yield GaugeMetricFamily("authz_mirror_loading", "Parts on their way", value=sum(one.loading for one in stats))
    lag = max((one.revision_lag for one in stats), default=0)
    yield GaugeMetricFamily("authz_mirror_revision_lag", "Most revisions that a heartbeat is ahead by", value=lag)
    age = max((one.heartbeat_age for one in stats if one.heartbeat_age is not None), default=float("nan"))
    yield GaugeMetricFamily("authz_mirror_heartbeat_age_seconds", "Age of the last heartbeat", value=age)
    believed = all(one.believed for one in stats)
    yield GaugeMetricFamily("authz_mirror_believed", "1 while memory is used at all", value=float(believed))


MIRRORS = Mirrors()
REGISTRY.register(MIRRORS)


async def synced(mirror: Mirror) -> None:
    """Raises while memory is not believed.

    Not among what the service needs: each question goes to the database then, and the answer is right. To be taken out
    of the load balancer for it would turn a broker that is away, which is slow, into a suite that is down.
    """
    stats = mirror.stats
    if stats.believed:
        return
    if stats.heartbeat_age is None:
        raise ConnectionError("not synced: no announcement can be heard yet, and each question goes to the database")
    age = f"{stats.heartbeat_age:.1f} s"
    raise ConnectionError(f"stale: the last heartbeat is {age} old, and each question goes to the database")
