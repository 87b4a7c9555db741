"""Times are told as Prometheus' own client tells them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from prometheus_client import Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, CollectorRegistry

from shared.http.times import BOUNDS, Times


@pytest.fixture
def times() -> Iterator[Times]:
    made = Times("test_seconds", "Time to test", ["operation", "status"])
    yield made
    REGISTRY.unregister(made)


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    [family] = [
        one for one in text_string_to_metric_families(generate_latest(registry).decode()) if one.type == "histogram"
    ]
    assert (family.name, family.documentation) == ("test_seconds", "Time to test")
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in family.samples}


def test_they_are_those_of_the_clients_own_histogram(times: Times) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(times)
    histogram = Histogram("test_seconds", "Time to test", ["operation", "status"], buckets=BOUNDS, registry=theirs)
    dice = random.Random(3)  # noqa: S311
    taken = [*BOUNDS, 0.0, 99.0, *(dice.expovariate(20) for _ in range(500))]
    for number, seconds in enumerate(taken):
        labels = ("evaluate", (200, 422)[number % 2])
        times.of(*labels).observe(seconds)
        histogram.labels(*labels).observe(seconds)
    assert samples(ours) == pytest.approx(samples(theirs))


def test_each_bucket_holds_those_before_it(times: Times) -> None:
    for seconds in (0.0004, 0.0005, 0.02, 11.0):
        times.of("evaluate", 200).observe(seconds)
    buckets, total = times.of("evaluate", 200).told()
    assert (buckets[0], buckets[-1]) == (("0.0005", 2), ("+Inf", 4))
    assert all(before[1] <= after[1] for before, after in pairwise(buckets))
    assert total == pytest.approx(11.0209)


def test_no_other_labels_are_touched(times: Times) -> None:
    times.of("evaluate", 200).observe(1)
    assert times.of("evaluate", 422).told()[1] == 0
    assert times.of("evaluate", 200) is times.of("evaluate", 200)
