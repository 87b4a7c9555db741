"""Refused logins can't be told apart by how long they take: measured, with the password hash at its real cost."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import pytest

from services.identity.password.passwords import Passwords
from tests.service.identity.conftest import register, running
from tests.service.identity.states import refused_states
from tests.service.identity.test_login import attempt

REFERENCE = "wrong password"


def auc(one: Sequence[float], other: Sequence[float]) -> float:
    """How well a threshold on the time tells the two apart: 0.5 not at all, 1 always (Mann and Whitney's U)."""
    ranked = sorted([(time, 0) for time in one] + [(time, 1) for time in other])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which)
    u = ranks - len(other) * (len(other) + 1) / 2
    area = u / (len(one) * len(other))
    return max(area, 1 - area)


async def sample(database: Any, rounds: int) -> dict[str, list[float]]:
    """Milliseconds by state; all of them in each round, in another order each time."""
    taken: dict[str, list[float]] = {}
    async with running(database, passwords=Passwords()) as identity:
        states = await refused_states(await register(identity))
        order = [*states]
        for number in range(rounds + 5):
            random.shuffle(order)
            # What is held up answers before the hash, so nothing may be: failures are forgotten meanwhile.
            identity.clock.advance(hours=47)
            for name in order:
                state = states[name]
                began = time.perf_counter()
                answer = await attempt(identity, state.login, state.password)
                took = (time.perf_counter() - began) * 1000
                assert answer.status == 401, name
                if number >= 5:
                    taken.setdefault(name, []).append(took)
    return taken


def table(taken: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Of each state against the wrong password: AUC, and how far the median is off. Printed."""
    reference = taken[REFERENCE]
    median, found = statistics.median(reference), {}
    print(f"\n| state | samples | median ms | against {REFERENCE} | AUC |\n|---|---|---|---|---|")
    for name, times in taken.items():
        off, area = statistics.median(times) / median - 1, 0.5 if name == REFERENCE else auc(reference, times)
        print(f"| {name} | {len(times)} | {statistics.median(times):.2f} | {off:+.1%} | {area:.3f} |")
        found[name] = (area, abs(off))
    return found


@pytest.mark.checklist("A02", "A03")
async def test_no_refused_login_stands_out_in_sixty_tries(database: Any) -> None:
    """So few samples differ by chance alone; what is looked for here is a hash that is left out or done twice."""
    found = table(await sample(database, 60))
    assert {name: one for name, one in found.items() if one[0] > 0.70 or one[1] > 0.25} == {}


@pytest.mark.long
@pytest.mark.checklist("A02", "A03")
async def test_no_refused_login_can_be_told_by_its_time(database: Any) -> None:
    found = table(await sample(database, 500))
    assert {name: one for name, one in found.items() if one[0] > 0.55 or one[1] > 0.05} == {}


def test_the_measure_finds_a_difference() -> None:
    chance = random.Random(1)  # noqa: S311 - a measure's own test
    one = [chance.gauss(25, 1) for _ in range(500)]
    assert auc(one, [chance.gauss(25, 1) for _ in range(500)]) < 0.55
    assert auc(one, [chance.gauss(25.4, 1) for _ in range(500)]) > 0.58
    assert auc(one, [time / 2 for time in one]) == 1
