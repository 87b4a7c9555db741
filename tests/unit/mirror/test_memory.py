"""What it costs to remember somebody: 100,000 people are to fit into a process."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Entry, Grant, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Facts, Holding, Organisation, Shared, resolve
from staffgate.mirror import Standing
from staffgate.mirror.cache import Cache
from tests.conftest import LONG
from tests.unit.mirror.world import CATALOGUE

PEOPLE = 20_000 if LONG else 3_000
RULES, MOST = 40, 2048
ORGANISATION = Organisation({"7": ("sms", "telephony"), "8": ("sms",)}, ("acme", "beta"))


def facts(number: int) -> bytes:
    """As it comes from outside: nothing in it is anybody else's."""
    inboxes = (Target(section="sms", item=f"inbox:{number % 10}-{n}") for n in range(RULES))
    grants = tuple(
        Grant(id=UUID(int=number * 1000 + n), target=target, level=Level.USE) for n, target in enumerate(inboxes)
    )
    role = Role(
        id=f"role-{number % 20}",
        name="Leader",
        data_access=DataAccess.TEAM,
        entries=(Entry(target=Target(section="contacts"), actions=("view", "edit")),),
    )
    team = str(UUID(int=10_000 + number % 100))
    return msgspec.json.encode(
        Facts(
            staff=UUID(int=number),
            revision=7,
            org_active=True,
            type=StaffType.STANDARD,
            status=StaffStatus.ACTIVE,
            grants=grants,
            roles=(Holding(id=UUID(int=number), role=role),),
            team=team,
            teams=(team,),
            tenants=("acme",),
            organisation=ORGANISATION,
        )
    )


def test_somebody_with_forty_rules_of_their_own_takes_two_kibibytes() -> None:
    compile, decoder = partial(resolve, catalogue=CATALOGUE, shared=Shared()), msgspec.json.Decoder(Facts)

    def standings() -> Iterator[tuple[int, Standing]]:
        for number in range(PEOPLE):
            known = decoder.decode(facts(number))
            snapshot = compile(known)
            yield known.staff.int, Standing(UUID(int=1 + number % 10), snapshot, snapshot.team)

    cache = Cache(PEOPLE + 1)
    cache.put(-1, Standing(UUID(int=1), compile(decoder.decode(facts(0)))), 7)  # what everybody shares comes first
    gc.collect()
    tracemalloc.start()
    for key, standing in standings():
        cache.put(key, standing, 7)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] / PEOPLE
    tracemalloc.stop()
    print(f"\n{taken:.0f} bytes a person")
    assert len(cache) == PEOPLE + 1
    assert taken <= MOST
