"""Product access levels, roles, and whose rows they reach, one at a time (permission model, sections 2 and 3)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.level import Level
from staffgate.decision import Holding
from tests.unit.decision.people import access, ask, grant, held, person, role

SMS, CONTACTS = Target(product="sms"), Target(product="contacts")
MINE, SALES, INSIDE, OPERATIONS = str(UUID(int=99)), "sales", "inside", "operations"


def on(number: int, level: str, **target: str) -> Grant:
    return Grant(id=UUID(int=number), target=Target(**target), level=Level(level))


# --- product access levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "allowed"),
    [("without", ""), ("user", "view"), ("administrator", "all"), ("owner", "all")],
)
def test_a_level_says_what_one_does_with_a_product_in_a_contract(level: str, allowed: str) -> None:
    someone = person(access=(access(1, level, "sms"),), default="use")
    for action in ("view", "create", "edit", "delete", "download", "approve"):
        verdict = ask(someone, f"sms.{action}", "inbox:a", contract="7")
        assert (verdict.allowed, verdict.reason) == (allowed in ("all", action), "product_access")
        assert (verdict.rule, verdict.target) == (UUID(int=1), Target(product="sms", contract="7"))


def test_of_two_levels_in_one_product_the_lower_counts() -> None:
    two = (access(1, "user", "sms"), access(2, "administrator", "sms"))
    for given in (two, two[::-1]):
        verdict = ask(person(access=given), "sms.edit", "inbox:a", contract="7")
        assert (verdict.allowed, verdict.rule) == (False, UUID(int=1))


@pytest.mark.parametrize(
    ("action", "contract", "reason", "allowed"),
    [
        ("sms.view", "7", "product_access", True),
        ("sms.view", "8", "product_access", False),
        ("sms.view", None, "default", True),
        ("contacts.view", "7", "product_access", False),
        ("contacts.view", None, "default", True),
    ],
)
def test_who_has_neither_level_nor_role_there_is_without_access(
    action: str, contract: str | None, reason: str, allowed: bool
) -> None:
    someone = person(access=(access(1, "user", "sms"),), default="use")
    verdict = ask(someone, action, f"section:{action.partition('.')[0]}", contract=contract)
    assert (verdict.allowed, verdict.reason) == (allowed, reason)
    assert verdict.rule == (UUID(int=1) if allowed and contract else None)


@pytest.mark.parametrize(
    ("target", "level", "reason", "allowed"),
    [
        ({"product": "sms"}, "full", "product_access", False),
        ({"contract": "7"}, "full", "product_access", False),
        ({"section": "sms"}, "full", "product_access", False),
        ({"section": "sms", "contract": "7"}, "full", "grant", True),
        ({"product": "sms", "contract": "7", "tenant": "acme"}, "full", "grant", True),
        ({"product": "sms", "contract": "7"}, "full", "product_access", False),
        ({"section": "sms", "contract": "7"}, "read", "grant", False),
        ({"section": "sms", "contract": "8"}, "full", "product_access", False),
    ],
)
def test_a_grant_overrides_a_level_where_it_is_narrower_in_everything(
    target: dict[str, str], level: str, reason: str, allowed: bool
) -> None:
    someone = person(on(2, level, **target), access=(access(1, "user", "sms"),), tenants=("acme",))
    verdict = ask(someone, "sms.edit", "inbox:a", contract="7", tenant="acme")
    assert (verdict.allowed, verdict.reason) == (allowed, reason)
    assert verdict.rule == UUID(int=2 if reason == "grant" else 1)


def test_a_grant_and_a_level_that_cross_both_have_to_allow() -> None:
    """One is narrower in the place, the other in the contract."""
    for level, reason in (("use", "grant"), ("read", "grant"), ("user", "product_access")):
        mine = access(1, "user" if level == "user" else "administrator", "sms")
        someone = person(on(2, "use" if level == "user" else level, section="sms"), access=(mine,))
        verdict = ask(someone, "sms.edit", "inbox:a", contract="7")
        assert (verdict.allowed, verdict.reason) == (level == "use", reason)
        assert verdict.rule == UUID(int=1 if level == "user" else 2)


@pytest.mark.parametrize("staff_type", [StaffType.OWNER, StaffType.ADMINISTRATOR])
@pytest.mark.parametrize(
    ("level", "contract", "reason"),
    [
        ("without", "7", "product_access"),
        ("user", "7", "product_access"),
        ("administrator", "7", "type"),
        ("without", "8", "type"),
        ("without", None, "type"),
    ],
)
def test_an_owner_may_be_lowered_in_one_product_of_one_contract(
    staff_type: StaffType, level: str, contract: str | None, reason: str
) -> None:
    someone = person(type=staff_type, access=(access(1, level, "sms"),))
    verdict = ask(someone, "sms.edit", "inbox:a", contract=contract)
    assert verdict.reason == (staff_type.value if reason == "type" else reason)
    assert verdict.allowed is (reason == "type")
    assert ask(someone, "contacts.edit", "contact:a", contract=contract).reason == staff_type.value


@pytest.mark.parametrize(
    "target",
    [
        {"section": "sms"},
        {"section": "sms", "item": "inbox:a"},
        {"section": "sms", "feature": "sms.read"},
        {"section": "sms", "feature": "sms.read", "item": "inbox:a"},
        {"product": "sms"},
        {},
    ],
)
@pytest.mark.parametrize("context", [{}, {"contract": "7"}, {"tenant": "acme"}, {"contract": "7", "tenant": "acme"}])
def test_the_rule_that_decided_is_named_with_its_target(target: dict[str, str], context: dict[str, str]) -> None:
    others = (on(8, "read", section="contacts", **context), on(9, "read", section="telephony"))
    silent = held(1, "full", (Target(product="sms"), ""))
    someone = person(on(2, "read", **target, **context), *others, roles=(silent,), tenants=("acme",))
    verdict = ask(someone, "sms.read", "inbox:a", **context)
    assert (verdict.rule, verdict.target) == (UUID(int=2), Target(**target, **context))


@pytest.mark.parametrize("target", [{}, {"feature": "sms.read"}, {"item": "inbox:a"}])
@pytest.mark.parametrize("narrower", [{"contract": "7"}, {"tenant": "acme"}, {"contract": "7", "tenant": "acme"}])
def test_a_contract_and_a_tenant_make_a_rule_narrower(target: dict[str, str], narrower: dict[str, str]) -> None:
    silent = held(1, "full", (Target(product="sms"), ""))
    target = {"section": "sms", **target}
    someone = person(on(2, "deny", **target), on(3, "read", **target, **narrower), roles=(silent,), tenants=("acme",))
    verdict = ask(someone, "sms.read", "inbox:a", contract="7", tenant="acme")
    assert (verdict.allowed, verdict.rule) == (True, UUID(int=3))


def test_a_contract_and_a_tenant_cross() -> None:
    silent = held(1, "full", (Target(product="sms"), ""))
    both = (on(2, "read", section="sms", contract="7"), on(3, "deny", section="sms", tenant="acme"))
    verdict = ask(person(*both, roles=(silent,), tenants=("acme",)), "sms.read", "inbox:a", contract="7", tenant="acme")
    assert (verdict.allowed, verdict.rule) == (False, UUID(int=3))


def test_who_is_refused_by_rows_is_told_of_the_rule_that_does_not_reach_them() -> None:
    """A grant on an item reaches it; the level of the contract, which is next to it, has to reach the row as well."""
    level, leader = access(1, "user", "contacts"), held(4, "team", id="leader")
    on_item, on_section = on(2, "read", item="contact:a"), on(3, "read", section="contacts", contract="7")
    with_level = person(on_item, access=(level,), roles=(leader,), team=SALES)
    refused = ask(with_level, "contacts.view", "contact:a", contract="7", team=OPERATIONS)
    assert (refused.reason, refused.rule, refused.target) == (
        "scope",
        UUID(int=1),
        Target(product="contacts", contract="7"),
    )
    assert ask(with_level, "contacts.view", "contact:a", contract="7", team=SALES).rule == UUID(int=2)
    with_grant = person(on_item, on_section, access=(level,), roles=(leader,), team=SALES)
    refused = ask(with_grant, "contacts.view", "contact:a", contract="7", team=OPERATIONS)
    assert (refused.reason, refused.rule) == ("scope", UUID(int=3))


# --- roles ----------------------------------------------------------------------------------------------------


def test_the_union_over_roles_is_of_pairs_of_action_and_rows() -> None:
    viewer, editor = held(1, "full", (CONTACTS, "view"), id="v"), held(2, "restricted", (CONTACTS, "edit"), id="e")
    someone = person(roles=(editor, viewer))
    seen = ask(someone, "contacts.view", "contact:a", owner="somebody")
    assert (seen.allowed, seen.role, seen.rule, seen.reach, seen.target) == (True, "v", UUID(int=1), "full", CONTACTS)
    edited = ask(someone, "contacts.edit", "contact:a", owner="somebody")
    assert (edited.allowed, edited.reason, edited.role, edited.rule, edited.reach) == (
        False,
        "scope",
        "e",
        UUID(int=2),
        "restricted",
    )
    assert edited.visible
    assert ask(someone, "contacts.edit", "contact:a", owner=MINE).allowed
    assert ask(someone, "contacts.delete", "contact:a").reason == "role"


def test_inside_one_role_the_narrower_entry_wins_and_between_roles_the_union() -> None:
    own_denial = held(1, "full", (SMS, "view"), (Target(item="inbox:a"), ""), id="a")
    assert ask(person(roles=(own_denial,)), "sms.view", "inbox:a").reason == "role"
    assert ask(person(roles=(own_denial,)), "sms.view", "inbox:b").allowed
    other = held(2, "full", (SMS, "view"), id="b")
    verdict = ask(person(roles=(own_denial, other)), "sms.view", "inbox:a")
    assert (verdict.allowed, verdict.role) == (True, "b")


def test_of_several_roles_that_deny_the_first_is_named_and_of_those_that_allow_the_widest() -> None:
    denying = (held(1, "full", (SMS, ""), id="b"), held(2, "full", (Target(), ""), id="a"))
    assert ask(person(roles=denying), "sms.view", "inbox:a").role == "a"
    allowing = tuple(
        held(number, reach, (SMS, "view"), id=reach) for number, reach in enumerate(["team", "full", "department"])
    )
    assert ask(person(roles=(*denying, *allowing)), "sms.view", "inbox:a").role == "full"


def test_a_role_that_says_nothing_is_as_if_it_were_not_there() -> None:
    someone = person(roles=(held(1, "restricted", (CONTACTS, "view")),), default="read")
    assert ask(someone, "sms.view", "inbox:a", owner=MINE).reason == "default"
    assert ask(someone, "sms.view", "inbox:a", owner="somebody").reason == "scope"


def test_what_a_role_builds_on_is_held_with_its_own_rows() -> None:
    below = role("below", "restricted", (SMS, "view"))
    above = role("above", "full", (CONTACTS, "view"), builds_on=below)
    someone = person(roles=(Holding(id=UUID(int=1), role=above),))
    verdict = ask(someone, "sms.view", "inbox:a", owner="somebody")
    assert (verdict.reason, verdict.role, verdict.rule) == ("scope", "below", UUID(int=1))
    assert ask(someone, "contacts.view", "contact:a").allowed


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({}, False),
        ({"contract": "7"}, False),
        ({"tenant": "acme"}, False),
        ({"contract": "7", "tenant": "acme"}, True),
        ({"contract": "8", "tenant": "acme"}, False),
        ({"contract": "7", "tenant": "beta"}, False),
    ],
)
def test_an_assignment_counts_where_it_was_made(asked: dict[str, str], allowed: bool) -> None:
    someone = person(roles=(held(1, "full", (SMS, "view"), contract="7", tenant="acme"),), tenants=("acme", "beta"))
    assert ask(someone, "sms.view", "inbox:a", **asked).allowed is allowed


@pytest.mark.parametrize(
    ("entry", "speaks"),
    [
        ({}, True),
        ({"product": "sms"}, True),
        ({"section": "sms"}, True),
        ({"item": "inbox:b"}, True),
        ({"feature": "sms.read"}, True),
        ({"product": "sms", "contract": "7"}, True),
        ({"product": "sms", "tenant": "acme"}, True),
        ({"product": "sms", "contract": "7", "tenant": "acme"}, True),
        ({"product": "sms", "contract": "8"}, False),
        ({"product": "sms", "tenant": "beta"}, False),
        ({"product": "sms", "contract": "8", "tenant": "acme"}, False),
        ({"product": "contacts"}, False),
    ],
)
def test_a_role_that_says_something_of_the_product_there_gives_the_tiers_the_word(
    entry: dict[str, str], speaks: bool
) -> None:
    someone = person(roles=(held(1, "full", (Target(**entry), "")),), default="use", tenants=("acme",))
    verdict = ask(someone, "sms.create", "inbox:a", contract="7", tenant="acme")
    assert (verdict.reason != "product_access") is speaks


@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        ({}, True),
        ({"contract": "7"}, False),
        ({"contract": "8"}, True),
        ({"tenant": "acme"}, False),
        ({"tenant": "beta"}, True),
    ],
)
def test_an_entry_counts_in_its_contract_and_tenant(context: dict[str, str], allowed: bool) -> None:
    denied = ((Target(contract="7"), ""), (Target(product="contacts", tenant="acme"), ""))
    someone = person(roles=(held(1, "full", (Target(), "view"), *denied),), tenants=("acme", "beta"))
    verdict = ask(someone, "contacts.view", "contact:a", **context)
    assert (verdict.allowed, verdict.reason) == (allowed, "role")


# --- rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reach", "rows"),
    [
        ("restricted", "mine linked"),
        ("team", "mine linked sales"),
        ("department", "mine linked sales inside"),
        ("full", "mine linked sales inside operations nothing"),
    ],
)
def test_a_data_access_level_reaches_rows(reach: str, rows: str) -> None:
    someone = person(
        roles=(held(1, reach, (CONTACTS, "view")),), team=SALES, teams=(SALES, INSIDE), subscribers=("101",)
    )
    described: dict[str, dict[str, Any]] = {
        "mine": {"owner": MINE, "team": OPERATIONS},
        "linked": {"subscriber": "101", "owner": "somebody"},
        **{team: {"team": team, "owner": "somebody"} for team in (SALES, INSIDE, OPERATIONS)},
        "nothing": {"contract": None},
    }
    for name, row in described.items():
        verdict = ask(someone, "contacts.view", "contact:a", **row)
        assert (verdict.allowed, verdict.visible) == (name in rows.split(),) * 2
        assert verdict.reason == ("role" if verdict.allowed else "scope_unknown" if name == "nothing" else "scope")
    assert ask(someone, "contacts.view", "section:contacts").reach == reach


@pytest.mark.parametrize(
    ("target", "reason"),
    [({"item": "contact:a"}, "grant"), ({"product": "contacts"}, "scope"), ({"feature": "contacts.export"}, "scope")],
)
def test_a_grant_on_an_item_reaches_it_and_any_other_the_rows_of_the_widest_role(
    target: dict[str, str], reason: str
) -> None:
    roles = (held(1, "restricted", id="r"), held(2, "team", id="t"))
    someone = person(on(3, "read", **target), roles=roles, team=SALES)
    assert ask(someone, "contacts.view", "contact:a", team=OPERATIONS).reason == (
        reason if "feature" not in target else "default"
    )
    assert ask(person(on(3, "read", **target)), "contacts.view", "contact:a").allowed is ("feature" not in target)


def test_an_item_and_a_feature_together_reach_what_both_reach() -> None:
    both = (on(1, "use", item="inbox:a"), on(2, "use", feature="sms.send"))
    someone = person(*both, roles=(held(3, "team", (CONTACTS, "view")),), team=SALES)
    assert ask(someone, "sms.send", "inbox:a", team=OPERATIONS).reason == "scope"
    assert ask(someone, "sms.send", "inbox:a", team=SALES).allowed
    assert ask(someone, "sms.send", "inbox:a").reason == "scope_unknown"
    assert ask(someone, "sms.create", "inbox:a").allowed


def test_the_rows_of_a_grant_are_of_the_roles_that_count_there() -> None:
    roles = (held(1, "restricted", id="r"), held(2, "full", id="f", tenant="acme"))
    someone = person(grant(3, "read", "contacts"), roles=roles, tenants=("acme", "beta"))
    assert ask(someone, "contacts.view", "contact:a", owner="somebody", tenant="acme").allowed
    assert ask(someone, "contacts.view", "contact:a", owner="somebody", tenant="beta").reason == "scope"
    assert ask(someone, "contacts.view", "contact:a", owner="somebody").reason == "scope"


def test_a_level_reaches_the_rows_of_the_widest_role_too() -> None:
    someone = person(access=(access(1, "user", "contacts"),), roles=(held(2, "team", (CONTACTS, "")),), team=SALES)
    beyond = ask(someone, "contacts.view", "contact:a", contract="7", team=OPERATIONS)
    assert (beyond.reason, beyond.rule, beyond.reach) == ("scope", UUID(int=1), "team")
    assert ask(someone, "contacts.view", "contact:a", contract="7", team=SALES).reason == "product_access"


def test_rows_do_not_matter_where_the_manifest_says_so() -> None:
    someone = person(grant(1, "use", "channels"), roles=(held(2, "restricted"),))
    assert ask(someone, "channel.operate", "channel:phone").allowed
    assert ask(someone, "channel.operate", "channel:phone", owner="somebody").allowed


@pytest.mark.parametrize(
    ("reach", "matters"), [("restricted", False), ("team", True), ("department", True), ("full", False)]
)
def test_the_owners_team_matters_to_some(reach: str, matters: bool) -> None:
    assert person(roles=(held(1, reach),)).asks_teams is matters
