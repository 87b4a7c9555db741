"""What people have in common is there once, so that a process can remember very many of them (permission model, section 2)."""

from __future__ import annotations

import gc
import tracemalloc
from uuid import UUID

from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Facts, Holding, Organisation, Shared, Snapshot, resolve, snapshot
from tests.unit.decision.people import CATALOGUE, role

PEOPLE, GRANTS, MOST_BYTES = 500, 40, 2048


def facts(number: int) -> Facts:
    """Everything made anew, as it is when it comes from a database."""
    own = tuple(
        Grant(id=UUID(int=number * 1000 + n), target=Target(item=f"inbox:{n}"), level=Level.USE) for n in range(GRANTS)
    )
    leader = role("leader", "team", (Target(product="sms"), "view"), builds_on=role("agent", "restricted"))
    return Facts(
        staff=UUID(int=number),
        revision=7,
        org_active=True,
        type=StaffType.STANDARD,
        status=StaffStatus.ACTIVE,
        grants=own,
        roles=(Holding(id=UUID(int=number), role=leader),),
        team="".join(["sa", "les"]),
        teams=tuple("".join(["sa", "les", str(n)]) for n in range(5)),
        tenants=("acme", "beta"),
        organisation=Organisation({"7": ("sms", "contacts")}, ("acme", "beta")),
    )


def resolved(number: int, shared: Shared) -> Snapshot:
    return resolve(facts(number), CATALOGUE, shared)


def test_two_people_share_what_they_have_in_common() -> None:
    shared = Shared()
    one, other = resolved(1, shared), resolved(2, shared)
    assert one.roles is other.roles
    assert one.roles[0].part is other.roles[0].part
    for name in ("team", "teams", "tenants", "subscribers", "lowered", "organisation"):
        assert getattr(one, name) is getattr(other, name), name
    assert one.assignments != other.assignments


def test_a_role_held_in_another_place_is_compiled_once() -> None:
    shared, same = Shared(), role("leader", "team", (Target(product="sms"), "view"))
    here, there = (
        resolve(
            Facts(
                staff=UUID(int=1), revision=1, org_active=True, type=StaffType.STANDARD, status=StaffStatus.ACTIVE,
                roles=(Holding(id=UUID(int=1), role=same, contract=contract),),
            ),
            CATALOGUE, shared,
        )
        for contract in (None, "7")
    )  # fmt: skip
    assert here.roles is not there.roles
    assert here.roles[0].part is there.roles[0].part


def test_what_is_shared_does_not_grow_without_end() -> None:
    shared = Shared()
    for number in range(snapshot._MOST_SHARED + 10):
        shared.one(f"team {number}")
    assert len(shared._others) == 10


def test_a_person_with_forty_grants_needs_two_kilobytes_at_most() -> None:
    shared = Shared()
    known = {UUID(int=0): resolved(0, shared)}
    tracemalloc.start()
    for number in range(1, PEOPLE + 1):
        known[UUID(int=number)] = resolved(number, shared)
    gc.collect()  # with what the interpreter keeps of freed tuples, to use them again
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / PEOPLE <= MOST_BYTES
