"""Whether the time that an answer takes tells if there is such an account: for those who ask for a new password."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence

import pytest

from tests.service.identity.conftest import Acme, run_as_owner
from tests.service.identity.post import answered, ask_for_reset

# What chance alone does to so few samples (four standard deviations of the statistic), and what is asked for of many.
FEW, MANY = (60, 0.71), (500, 0.55)


def auc(ones: Sequence[float], others: Sequence[float]) -> float:
    """How often one of the ones is the larger: half the time where they can't be told apart."""
    wins = sum((one > other) + (one == other) / 2 for one in ones for other in others)
    return max(share := wins / (len(ones) * len(others)), 1 - share)


async def sampled(acme: Acme, count: int) -> dict[str, list[float]]:
    """Each kind of name in turn, in an order that changes; every one is looked at, and those who get links get them."""
    identity = acme.identity
    suspended = await acme.activate(staff := await acme.add("Luke"))
    await run_as_owner(identity, "UPDATE staff SET status = 'suspended' WHERE id = $1", staff)
    logins = {
        "active": await acme.activate(await acme.add()),
        "suspended": suspended,
        "not activated": f"{acme.number}\\{'Han' if await acme.add('Han') else ''}",
        "unknown person": f"{acme.number}\\Nobody",
        "unknown organisation": "NoSuchPlace\\Jane",
    }
    took: dict[str, list[float]] = {name: [] for name in logins}
    for _ in range(count + 5):
        identity.clock.advance(hours=2.5)  # nobody asks too often
        for name in random.sample([*logins], len(logins)):
            started = time.perf_counter()
            answer = await ask_for_reset(identity, logins[name])
            took[name].append(time.perf_counter() - started)
            assert answer.status == 202
    await answered(identity, 120)
    return {name: samples[5:] for name, samples in took.items()}


@pytest.mark.checklist("A05")
@pytest.mark.parametrize(("count", "most"), [FEW, pytest.param(*MANY, marks=pytest.mark.long)])
async def test_the_time_of_the_answer_does_not_tell_whether_there_is_such_an_account(
    acme: Acme, count: int, most: float
) -> None:
    took = await sampled(acme, count)
    links = await run_as_owner(acme.identity, "SELECT count(*) FROM link WHERE org = $1 AND asked", acme.org)
    assert links[0][0] > 0, "the active one's were sent meanwhile"
    found = {name: auc(took["active"], samples) for name, samples in took.items() if name != "active"}
    table = [f"{name}: median {statistics.median(samples) * 1000:.2f} ms" for name, samples in took.items()]
    print("\n".join([*table, *(f"active against {name}: AUC {value:.3f}" for name, value in found.items())]))
    assert max(found.values()) <= most, found
