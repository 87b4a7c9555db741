"""What a person may do on a target, and the tree of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from staffgate.contracts.authz import Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import (
    ALL,
    BASE_ACTIONS,
    LEVELS,
    NONE,
    Question,
    SectionAccess,
    Snapshot,
    decide,
    effective,
    level_of,
    names,
    resolve,
    tree,
)
from staffgate.decision.actions import within
from tests.unit.decision.people import CATALOGUE, access, grant, held, person
from tests.unit.decision.worlds import World, some, working

SMS = Target(section="sms")
SALES = Target(section="sms", item="inbox:sales")
JANE = person(
    grant(1, "use", "sms"),
    grant(2, "full", "sms", item="inbox:sales"),
    grant(3, "deny", "sms", item="inbox:management"),
)


@pytest.mark.parametrize(
    ("target", "mask"),
    [
        (SMS, LEVELS[Level.USE]),
        (Target(product="sms"), NONE),
        (SALES, LEVELS[Level.FULL]),
        (Target(item="inbox:sales"), LEVELS[Level.FULL]),
        (Target(product="sms", item="inbox:other"), LEVELS[Level.USE]),
        (Target(section="sms", item="inbox:management"), NONE),
        (Target(section="contacts"), NONE),
        (Target(section="fax"), NONE),
    ],
)
def test_effective_is_what_is_allowed_on_the_target_itself(target: Target, mask: int) -> None:
    assert effective(JANE, CATALOGUE, target) == mask


def test_a_feature_and_an_item_meet_in_what_both_allow() -> None:
    someone = person(grant(1, "read", "sms", feature="sms.send"), grant(2, "full", "sms", item="inbox:sales"))
    target = Target(section="sms", feature="sms.send", item="inbox:sales")
    assert effective(someone, CATALOGUE, target) == LEVELS[Level.READ]


@pytest.mark.parametrize(
    ("context", "mask"),
    [
        ({}, LEVELS[Level.USE]),
        ({"contract": "7"}, LEVELS[Level.READ]),
        ({"contract": "8"}, NONE),
        ({"tenant": "acme"}, LEVELS[Level.USE]),
        ({"tenant": "beta"}, LEVELS[Level.FULL]),
    ],
)
def test_effective_is_asked_for_a_contract_and_a_tenant(context: dict[str, str], mask: int) -> None:
    in_beta = held(1, "full", (SMS, "view create edit delete"), tenant="beta")
    someone = person(roles=(in_beta,), access=(access(2, "user", "sms"),), default="use")
    assert effective(someone, CATALOGUE, Target(section="sms", **context)) == mask


def test_owner_has_all_and_a_suspended_one_nothing() -> None:
    assert effective(person(type=StaffType.OWNER), CATALOGUE, SMS) == ALL
    assert effective(person(type=StaffType.OWNER, status=StaffStatus.SUSPENDED), CATALOGUE, SMS) == NONE


@some
@given(working(subscribers=()))
def test_effective_agrees_with_decide_where_rows_do_not_matter(world: World) -> None:
    catalogue, snapshot = world.catalogue, resolve(world.facts, world.catalogue)
    for section in catalogue.sections:
        for name, bit in BASE_ACTIONS.items():
            verdict = decide(snapshot, catalogue, Question(f"{section}.{name}", "section", section))
            feature = catalogue.actions[f"{section}.{name}"].feature
            mask = effective(snapshot, catalogue, Target(section=section, feature=feature))
            assert bool(mask & bit) == verdict.allowed


# --- the tree -------------------------------------------------------------------------------------------------


def find(branches: list[SectionAccess], section: str) -> SectionAccess:
    found = [branch for branch in branches if section == branch.section or section.startswith(f"{branch.section}.")]
    return found[0] if found[0].section == section else find(found[0].sections, section)


def test_the_tree_says_what_is_allowed_and_where_it_comes_from() -> None:
    office_a = person(grant(1, "use", "telephony"), grant(2, "deny", "telephony.ivr"), default="read")
    branches = tree(office_a, CATALOGUE)
    assert [branch.section for branch in branches if branch.section.startswith("core")] == ["core"]
    telephony = find(branches, "telephony")
    assert (telephony.level, telephony.actions) == (Level.USE, ["view", "create", "edit"])
    assert (telephony.reason, telephony.rule, telephony.target) == ("grant", UUID(int=1), Target(section="telephony"))
    numbers, ivr = find(branches, "telephony.numbers"), find(branches, "telephony.ivr")
    assert (numbers.level, numbers.rule, numbers.label) == (Level.USE, UUID(int=1), "Phone numbers")
    assert (ivr.level, ivr.actions, ivr.rule) == (Level.DENY, [], UUID(int=2))
    contacts = find(branches, "contacts")
    assert (contacts.level, contacts.reason, contacts.rule, contacts.target) == (Level.READ, "default", None, None)


def test_the_tree_says_which_role_and_over_whose_rows() -> None:
    someone = person(roles=(held(5, "team", (SMS, "view download"), id="leader"),))
    sms = find(tree(someone, CATALOGUE), "sms")
    assert (sms.reason, sms.role, sms.rule, sms.data_access) == ("role", "leader", UUID(int=5), DataAccess.TEAM)
    assert (sms.actions, sms.level) == (["view", "download"], Level.READ)
    assert find(tree(someone, CATALOGUE), "contacts").data_access is DataAccess.TEAM


@pytest.mark.parametrize(
    ("context", "reason", "rule"),
    [
        ({}, "default", None),
        ({"contract": "7"}, "product_access", UUID(int=2)),
        ({"contract": "8"}, "product_access", None),
        ({"tenant": "beta"}, "role", UUID(int=1)),
    ],
)
def test_the_tree_is_of_a_contract_and_a_tenant(context: dict[str, Any], reason: str, rule: UUID | None) -> None:
    someone = person(roles=(held(1, "full", (SMS, "view"), tenant="beta"),), access=(access(2, "user", "sms"),))
    sms = find(tree(someone, CATALOGUE, **context), "sms")
    assert (sms.reason, sms.rule) == (reason, rule)


@pytest.mark.parametrize(
    ("who", "level", "reason", "rows"),
    [
        (person(type=StaffType.OWNER), Level.FULL, "owner", DataAccess.FULL),
        (person(status=StaffStatus.INVITED, default="full"), Level.DENY, "account_inactive", None),
    ],
)
def test_the_tree_of_an_owner_and_of_somebody_outside(
    who: Snapshot, level: Level, reason: str, rows: DataAccess | None
) -> None:
    sms = find(tree(who, CATALOGUE), "sms")
    assert (sms.level, sms.reason, sms.data_access) == (level, reason, rows)


def test_the_tree_has_every_section_once() -> None:
    def walk(branches: list[SectionAccess]) -> list[str]:
        return [name for branch in branches for name in (branch.section, *walk(branch.sections))]

    assert sorted(walk(tree(JANE, CATALOGUE))) == sorted(CATALOGUE.sections)


def test_a_mask_and_its_level() -> None:
    for level, mask in LEVELS.items():
        assert level_of(mask) == level
        assert [lower for lower in Level if within(mask, lower)] == list(Level)[: list(Level).index(level) + 1]
    assert level_of(ALL) == Level.FULL
    assert level_of(BASE_ACTIONS["edit"]) == Level.DENY
    assert names(ALL) == list(BASE_ACTIONS)
