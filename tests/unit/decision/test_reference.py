"""The fast engine against the slow reference evaluator (permission model, section 7)."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import given

from staffgate.contracts.authz import Grant, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level
from staffgate.decision import Facts, Holding, Organisation, ProductAccess, Question, Reason, decide, resolve, shipped
from tests.unit.decision.reference import Reference
from tests.unit.decision.worlds import JANE, RAY, World, complete, many, random_world, working, worlds


def compare(world: World, questions: list[Question]) -> None:
    catalogue = world.catalogue
    snapshot = resolve(world.facts, catalogue)
    reference = Reference(world.manifests, world.facts, world.items, world.teams)
    for question in questions:
        verdict, answer = decide(snapshot, catalogue, complete(world, question)), reference.decide(question)
        assert (verdict.allowed, verdict.reason, verdict.visible) == (answer.allowed, answer.reason, answer.visible)
        assert verdict.revision == world.facts.revision
        assert verdict.rule in (answer.rules or {None})


@many
@given(worlds())
def test_the_engine_decides_as_the_page_says(world: World) -> None:
    compare(world, world.questions)


@many
@given(working())
def test_the_tiers_decide_as_the_page_says(world: World) -> None:
    compare(world, world.questions)


@many
@given(working(grants=(), access=()))
def test_roles_decide_as_the_page_says(world: World) -> None:
    compare(world, world.questions)


@many
@given(working(default_level=Level.DENY, route_anywhere=False))
def test_routing_is_decided_as_the_page_says(world: World) -> None:
    compare(world, [Question("call.route", asked.type, asked.id, asked.properties) for asked in world.questions])


def someone(**known: Any) -> World:
    """One question, of somebody in tenant Acme, about a row of another's in the inbox Sales."""
    facts = Facts(
        staff=JANE,
        revision=7,
        org_active=True,
        type=StaffType.STANDARD,
        status=StaffStatus.ACTIVE,
        tenants=("acme",),
        organisation=Organisation({"7": ("sms",)}, ("acme",)),
        **known,
    )
    described = {"contract": "7", "tenant": "acme", "owner": str(RAY)}
    return World(list(shipped()), facts, [Question("sms.read", "inbox", "sales", described)], {}, {})


# Dice throw the two below together too seldom.
SECTION = Grant(id=UUID(int=1), target=Target(section="sms", contract="7"), level=Level.READ)
ITEM = Grant(id=UUID(int=2), target=Target(item="inbox:sales", tenant="acme"), level=Level.READ)


def test_the_rule_named_for_a_row_out_of_reach_is_one_that_does_not_reach_it() -> None:
    """The grant on the item reaches the row, and so it is not the one that denies."""
    role = Role(id="agents", name="Agents", data_access=DataAccess.RESTRICTED)
    world = someone(grants=(SECTION, ITEM), roles=(Holding(id=UUID(int=3), role=role),))
    assert Reference(world.manifests, world.facts).decide(world.questions[0]).rules == {SECTION.id}
    compare(world, world.questions)


def test_the_rule_named_for_what_a_grant_and_a_level_allow_is_the_grant() -> None:
    level = ProductAccess(id=UUID(int=4), contract="7", product="sms", level=AccessLevel.ADMINISTRATOR)
    world = someone(grants=(ITEM,), access=(level,))
    assert Reference(world.manifests, world.facts).decide(world.questions[0]).rules == {ITEM.id}
    compare(world, world.questions)


def test_the_worlds_reach_every_reason_and_each_tier_both_ways() -> None:
    """Otherwise the comparisons above might compare nothing."""
    seen: Counter[tuple[str, bool]] = Counter()
    for number in range(200):
        world = random_world(Random(number))  # noqa: S311
        reference = Reference(world.manifests, world.facts, world.items, world.teams)
        answers = [reference.decide(question) for question in world.questions]
        seen.update((str(answer.reason), answer.allowed) for answer in answers)
    assert {reason for reason, _ in seen} == {*map(str, Reason)} - {"unknown_subject"}
    for reason in ("grant", "product_access", "role", "default"):
        assert min(seen[reason, True], seen[reason, False]) > 10
