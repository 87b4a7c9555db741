"""How long a decision takes and how much room a person needs, without network or database: `./dev bench engine`.

- decide: one question to one snapshot, on the paths that are asked most.
- resolve: the facts of a person with 40 grants and 3 roles, compiled.
- row filter, and excess: what a list costs, and a change by somebody who is no administrator.
- memory: people with 40 grants of their own each, in a dict by id; with `--long` a hundred thousand of them.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import UUID

from staffgate.contracts.authz import BaseAction, Entry, Grant, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level
from staffgate.decision import (
    Catalogue,
    Facts,
    Holding,
    Organisation,
    ProductAccess,
    Question,
    Shared,
    Snapshot,
    decide,
    excess,
    resolve,
    row_filter,
    shipped,
)

CATALOGUE = Catalogue.from_manifests(shipped())
ORGANISATION = Organisation({"7": ("sms", "contacts", "telephony"), "8": ("telephony",)}, ("acme", "beta"))
TEAMS = tuple(str(UUID(int=number)) for number in range(1, 9))
VIEW: tuple[BaseAction, ...] = ("view", "create", "edit")
BATCH = 200  # questions between two looks at the clock, which takes as long as a tenth of a decision


def role(name: str, access: DataAccess, *sections: str) -> Role:
    entries = tuple(Entry(target=Target(section=section), actions=VIEW) for section in sections)
    return Role(id=name, name=name, data_access=access, entries=entries)


ROLES = (
    role("agent", DataAccess.RESTRICTED, "sms", "channels"),
    role("leader", DataAccess.TEAM, "contacts"),
    role("manager", DataAccess.DEPARTMENT, "campaigns", "telephony"),
)


def facts(number: int, grants: int = 40, **changes: Any) -> Facts:
    own = tuple(
        Grant(id=UUID(int=number * 1000 + n), target=Target(section="sms", item=f"inbox:{n}"), level=Level.USE)
        for n in range(grants)
    )
    known: dict[str, Any] = {
        "staff": UUID(int=number),
        "revision": 7,
        "org_active": True,
        "type": StaffType.STANDARD,
        "status": StaffStatus.ACTIVE,
        "grants": own,
        "roles": tuple(Holding(id=UUID(int=number + n), role=role) for n, role in enumerate(ROLES)),
        "team": TEAMS[0],
        "teams": TEAMS,
        "tenants": ORGANISATION.tenants,
        "organisation": ORGANISATION,
    }
    return Facts(**(known | changes))


# --- time -----------------------------------------------------------------------------------------------------


def paths() -> dict[str, tuple[Snapshot, Question]]:
    agent, owner = resolve(facts(99), CATALOGUE), resolve(facts(98, type=StaffType.OWNER), CATALOGUE)
    level = ProductAccess(id=UUID(int=1), contract="7", product="sms", level=AccessLevel.USER)
    user = resolve(facts(97, 0, access=(level,)), CATALOGUE)
    row = {"owner": str(UUID(int=5)), "team": TEAMS[0]}
    return {
        "grant on the item": (agent, Question("sms.send", "inbox", "7", {})),
        "role, own team's row": (agent, Question("contacts.edit", "contact", "42", row)),
        "role, a row of a team below": (agent, Question("campaigns.edit", "campaign", "42", row | {"team": TEAMS[5]})),
        "role, denied, not visible": (agent, Question("reporting.view", "section", "reporting", {})),
        "section": (agent, Question("contacts.view", "section", "contacts", {})),
        "owner": (owner, Question("sms.send", "inbox", "7", {})),
        "grant, tenant named": (agent, Question("sms.send", "inbox", "7", {"tenant": "acme"})),
        "level, contract and tenant named": (
            user,
            Question("sms.read", "inbox", "7", {"contract": "7", "tenant": "acme"}),
        ),
        "role, contract and tenant named": (
            agent,
            Question("contacts.edit", "contact", "42", row | {"contract": "7", "tenant": "acme"}),
        ),
    }


def timed(what: Callable[[], object], samples: int, batch: int) -> tuple[float, float]:
    """Microseconds of our own processor time, the median and the 99th percentile of the means of so many batches."""
    took = []
    for _ in range(samples):
        started = time.thread_time_ns()
        for _ in range(batch):
            what()
        took.append((time.thread_time_ns() - started) / batch / 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def report(name: str, what: Callable[[], object], samples: int = 1000, batch: int = BATCH) -> None:
    p50, p99 = timed(what, samples, batch)
    print(f"{name:<45} p50 {p50:>8.2f} us   p99 {p99:>8.2f} us")


# --- memory ---------------------------------------------------------------------------------------------------


def bytes_each(people: int) -> float:
    """Over what they share, the entry of a dict included."""
    shared = Shared()
    known = {UUID(int=0): resolve(facts(0), CATALOGUE, shared)}
    gc.collect()
    gc.disable()  # it would look through all of them again and again
    tracemalloc.start()
    for number in range(1, people + 1):
        known[UUID(int=number)] = resolve(facts(number), CATALOGUE, shared)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="100,000 people instead of 5,000")
    people = 100_000 if parser.parse_args().long else 5000
    for name, (snapshot, question) in paths().items():
        report(f"decide: {name}", lambda snapshot=snapshot, question=question: decide(snapshot, CATALOGUE, question))  # type: ignore[misc]
    shared, known = Shared(), facts(1)
    report("resolve: 40 grants and 3 roles", lambda: resolve(known, CATALOGUE, shared), batch=5)
    agent = resolve(known, CATALOGUE, shared)
    report("row filter: 40 items", lambda: row_filter(agent, CATALOGUE, Question("sms.read", "inbox", "")), 100, 1)
    more = resolve(facts(1, 41), CATALOGUE, shared)
    report("excess: one grant more, 40 items", lambda: excess(agent, agent, more, CATALOGUE), 20, 1)
    print(f"{f'memory: {people} people with 40 grants each':<45} {bytes_each(people):.0f} bytes each")


if __name__ == "__main__":
    main()
