"""What a person may do on a target, what they may hand out, and the tree of it."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import (
    ALL,
    BASE_ACTIONS,
    LEVELS,
    NONE,
    SectionAccess,
    Snapshot,
    decide,
    effective,
    level_of,
    names,
    resolve,
    throughout,
    tree,
    within,
)
from tests.unit.decision.people import CATALOGUE, grant, person
from tests.unit.decision.worlds import World, some, targets, working

SMS = Target(section="sms")
SEND = Target(section="sms", feature="sms.send")
SALES = Target(section="sms", item="inbox:sales")
JANE = person(
    grant(1, "use", "sms"),
    grant(2, "full", "sms", item="inbox:sales"),
    grant(3, "deny", "sms", item="inbox:management"),
)


def test_effective_is_what_is_allowed_on_the_target_itself() -> None:
    assert effective(JANE, CATALOGUE, SMS) == LEVELS[Level.USE]
    assert effective(JANE, CATALOGUE, SALES) == LEVELS[Level.FULL]
    assert effective(JANE, CATALOGUE, Target(section="sms", item="inbox:management")) == NONE
    assert effective(JANE, CATALOGUE, Target(section="contacts")) == NONE
    assert effective(JANE, CATALOGUE, Target(section="fax")) == NONE


def test_a_feature_and_an_item_meet_in_what_both_allow() -> None:
    someone = person(grant(1, "read", "sms", feature="sms.send"), grant(2, "full", "sms", item="inbox:sales"))
    target = Target(section="sms", feature="sms.send", item="inbox:sales")
    assert effective(someone, CATALOGUE, target) == LEVELS[Level.READ]


def test_owner_has_all_and_a_suspended_one_nothing() -> None:
    assert effective(person(type=StaffType.OWNER), CATALOGUE, SMS) == ALL
    assert throughout(person(type=StaffType.ADMINISTRATOR), CATALOGUE, SMS) == ALL
    suspended = person(type=StaffType.OWNER, status=StaffStatus.SUSPENDED)
    assert effective(suspended, CATALOGUE, SMS) == throughout(suspended, CATALOGUE, SMS) == NONE


def test_an_exception_inside_the_section_is_not_given_away_with_the_section() -> None:
    assert throughout(JANE, CATALOGUE, SMS) == NONE
    assert throughout(JANE, CATALOGUE, SALES) == LEVELS[Level.FULL]
    assert throughout(JANE, CATALOGUE, Target(section="fax")) == NONE


def test_a_denied_feature_keeps_back_only_what_the_feature_needs() -> None:
    someone = person(grant(1, "deny", "sms", feature="sms.send"), default="full")
    held = throughout(someone, CATALOGUE, SMS)
    assert names(held) == ["view", "edit", "delete"]
    assert within(held, Level.READ)
    assert not within(held, Level.USE)
    assert throughout(someone, CATALOGUE, SEND) == NONE


def test_an_exception_in_a_sub_section_counts_for_the_section_around_it() -> None:
    someone = person(grant(1, "read", "telephony.ivr"), default="full")
    assert throughout(someone, CATALOGUE, Target(section="telephony")) == LEVELS[Level.READ]
    assert throughout(someone, CATALOGUE, Target(section="telephony.numbers")) == LEVELS[Level.FULL]


@some
@given(working(), st.data())
def test_nobody_hands_out_more_than_they_have(world: World, data: st.DataObject) -> None:
    catalogue = world.catalogue
    giver = resolve(world.facts, catalogue)
    target, level = data.draw(targets(catalogue)), data.draw(st.sampled_from(Level))
    if not within(throughout(giver, catalogue, target), level):
        return
    gift = Grant(id=UUID(int=1), target=target, level=level)
    taker = resolve(world.but(grants=(gift,), default_level=Level.DENY, route_anywhere=False), catalogue)
    for question in world.questions:
        if decide(taker, catalogue, question).allowed:
            assert decide(giver, catalogue, question).allowed


@some
@given(working())
def test_effective_agrees_with_decide(world: World) -> None:
    catalogue = world.catalogue
    snapshot = resolve(world.facts, catalogue)
    for question in world.questions:
        verdict = decide(snapshot, catalogue, question)
        action = catalogue.actions.get(question.action)
        path = catalogue.path(question.type, question.id)
        if action is None or path is None or action.section not in path or action.routes:
            continue
        item = path[0] if question.type != "section" and question.id else None
        section = path[0] if question.type == "section" else path[1]
        if question.id:
            target = Target(section=section, feature=action.feature, item=item)
            assert bool(effective(snapshot, catalogue, target) & action.need) == verdict.allowed


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
    assert (numbers.level, numbers.rule) == (Level.USE, UUID(int=1))
    assert (ivr.level, ivr.actions, ivr.rule) == (Level.DENY, [], UUID(int=2))
    contacts = find(branches, "contacts")
    assert (contacts.level, contacts.reason, contacts.rule, contacts.target) == (Level.READ, "default", None, None)


@pytest.mark.parametrize(
    ("who", "level", "reason"),
    [
        (person(type=StaffType.OWNER), Level.FULL, "owner"),
        (person(status=StaffStatus.INVITED, default="full"), Level.DENY, "account_inactive"),
    ],
)
def test_the_tree_of_an_owner_and_of_somebody_outside(who: Snapshot, level: Level, reason: str) -> None:
    sms = find(tree(who, CATALOGUE), "sms")
    assert (sms.level, sms.reason) == (level, reason)


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
