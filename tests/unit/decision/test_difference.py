"""What a change gives and takes, and whether the giver had it to give (permission model, section 6)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from staffgate.contracts.authz import Item, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess
from staffgate.decision import Difference, Snapshot, decide, difference, excess
from tests.unit.decision.changes import Change, change, is_in_its_team, strong
from tests.unit.decision.people import CATALOGUE, access, grant, held, person
from tests.unit.decision.worlds import some

SMS, CONTACTS = Target(section="sms"), Target(section="contacts")
FULL, TEAM, OWN = DataAccess.FULL, DataAccess.TEAM, DataAccess.RESTRICTED


def lines(before: Snapshot, after: Snapshot) -> list[Difference]:
    return difference(before, after, CATALOGUE)


def line(target: Target, gained: dict[str, DataAccess] | None = None, **lost: DataAccess) -> Difference:
    return Difference(target=target, gained=gained or {}, lost=lost)


def full(actions: str) -> dict[str, DataAccess]:
    return dict.fromkeys(actions.split(), FULL)


# --- what a change gives and takes ----------------------------------------------------------------------------


def test_no_change_is_no_difference() -> None:
    one, same = (person(grant(number, "read", "sms"), tenants=("acme",)) for number in (1, 2))
    assert lines(one, same) == []


def test_a_grant_on_a_section_is_one_line() -> None:
    assert lines(person(), person(grant(1, "use", "sms"))) == [line(SMS, full("view create edit"))]
    assert lines(person(grant(1, "use", "sms")), person(grant(1, "read", "sms"))) == [line(SMS, create=FULL, edit=FULL)]


def test_what_is_inside_goes_without_saying_and_an_exception_does_not() -> None:
    numbers = Target(section="telephony.numbers")
    telephony = Target(section="telephony")
    before = person(grant(1, "deny", "telephony.numbers"))
    assert lines(before, person(grant(1, "deny", "telephony.numbers"), grant(2, "read", "telephony"))) == [
        line(telephony, full("view")),
        line(numbers),
    ]


@pytest.mark.parametrize(
    ("changed", "gained"),
    [
        ({"item": "inbox:sales"}, "view"),
        ({"feature": "sms.read"}, "sms.read"),
        ({"feature": "sms.send"}, ""),
        ({"item": "inbox:sales", "feature": "sms.read"}, "sms.read"),
    ],
)
def test_an_item_and_a_feature_are_lines_of_their_own(changed: dict[str, str], gained: str) -> None:
    found = lines(person(), person(grant(1, "read", "sms", **changed)))
    assert found == ([line(Target(section="sms", **changed), full(gained))] if gained else [])


def test_a_feature_goes_with_the_action_that_it_needs_unless_a_rule_says_otherwise() -> None:
    denied = grant(1, "deny", "sms", feature="sms.send")
    sending = Target(section="sms", feature="sms.send")
    assert lines(person(denied), person(denied, default="use"))[-1] == line(sending)
    assert lines(person(denied, default="use"), person(denied))[-1] == line(sending)
    allowed = grant(1, "use", "sms", feature="sms.send")
    assert sending not in [one.target for one in lines(person(allowed, default="use"), person())]
    assert lines(person(allowed, default="use"), person(default="use")) == []


def test_the_rows_of_a_role_are_told() -> None:
    leader = person(roles=(held(1, "team", (CONTACTS, "view")),), team="sales")
    assert lines(person(), leader) == [line(CONTACTS, {"view": TEAM})]
    wider = person(roles=(held(1, "department", (CONTACTS, "view")),), team="sales", teams=("sales", "inside"))
    assert lines(leader, wider) == [line(CONTACTS, {"view": DataAccess.DEPARTMENT})]
    moved = person(roles=(held(1, "team", (CONTACTS, "view")),), team="support")
    assert lines(leader, moved) == [line(CONTACTS, {"view": TEAM}, view=TEAM)]
    assert lines(leader, person(roles=(held(1, "full", (CONTACTS, "view")),))) == [line(CONTACTS, {"view": FULL})]


def test_whose_rows_do_not_matter_is_not_told() -> None:
    channels = (Target(section="channels"), "create")
    agent, leader = (person(roles=(held(1, reach, channels),), team="sales") for reach in ("restricted", "team"))
    assert lines(agent, leader) == []


def test_the_rows_of_an_item_matter_as_they_do_in_its_own_section() -> None:
    """Channels are everybody's alike; numbers are in a section inside another one, and are somebody's."""
    for section, item, told in (("channels", "channel:sms", False), ("telephony.numbers", "number:a", True)):
        entry = (Target(section=section, item=item), "create")
        agent, leader = (person(roles=(held(1, reach, entry),), team="sales") for reach in ("restricted", "team"))
        expected = [line(Target(section=section, item=item), {"create": TEAM})] if told else []
        assert lines(agent, leader) == expected


def test_a_leader_in_no_team_has_own_rows_only() -> None:
    leader, agent = (person(roles=(held(1, reach, (CONTACTS, "view")),)) for reach in ("team", "restricted"))
    assert lines(agent, leader) == []


def test_contracts_and_tenants_are_told_where_they_differ() -> None:
    in_seven = person(access=(access(1, "user", "sms"),))
    assert lines(person(), in_seven) == [line(Target(product="sms", contract="7"), full("view"))]
    in_acme = person(roles=(held(1, "full", (SMS, "view"), tenant="acme"),), tenants=("acme",))
    assert line(Target(section="sms", tenant="acme"), full("view")) in lines(person(tenants=("acme",)), in_acme)
    assert lines(person(), person(tenants=("acme",))) == [line(Target(), full("tenant:acme"))]


@pytest.mark.parametrize(
    ("changed", "gained"),
    [
        ({"route_anywhere": True}, "route_anywhere"),
        ({"subscribers": ("101",)}, "subscriber:101"),
        ({"tenants": ("beta", "gamma")}, "tenant:beta"),
    ],
)
def test_what_is_on_no_target_is_told_of_everything(changed: dict[str, Any], gained: str) -> None:
    assert lines(person(), person(**changed)) == [line(Target(), full(gained))]


def test_who_becomes_active_gains_the_use_of_products() -> None:
    [everywhere] = lines(person(status=StaffStatus.INVITED), person())
    assert everywhere == line(Target(), full("product.use"))


def test_who_loses_no_portal_gains_the_portal() -> None:
    scope = held(1, "full", (Target(product="portal"), "view"), id="pbx.no-portal")
    login = Target(section="portal", feature="portal.login")
    other = held(1, "full", (Target(product="portal"), "view"), id="other")
    assert line(login, full("portal.login")) in lines(person(roles=(scope,)), person(roles=(other,)))


# --- what a giver has -----------------------------------------------------------------------------------------

GIFT = person(grant(1, "use", "sms"))


@pytest.mark.parametrize(
    ("giver", "target"),
    [
        (person(type=StaffType.OWNER), None),
        (person(type=StaffType.ADMINISTRATOR), None),
        (person(type=StaffType.OWNER, status=StaffStatus.SUSPENDED), SMS),
        (person(grant(1, "full", "sms")), None),
        (person(grant(1, "use", "sms")), None),
        (person(grant(1, "read", "sms")), SMS),
        (person(grant(1, "full", "contacts")), SMS),
        (person(default="use"), None),
        (person(grant(1, "deny", "sms", item="inbox:a"), default="full"), Target(section="sms", item="inbox:a")),
        (
            person(grant(1, "deny", "sms", feature="sms.send"), default="full"),
            Target(section="sms", feature="sms.send"),
        ),
        (person(roles=(held(1, "full", (SMS, "view create edit")),)), None),
        (person(type=StaffType.OWNER, access=(access(1, "user", "contacts"),)), None),
    ],
)
def test_nobody_gives_more_than_they_have(giver: Snapshot, target: Target | None) -> None:
    assert excess(giver, person(), GIFT, CATALOGUE) == target


def test_what_somebody_has_already_is_no_gift() -> None:
    assert excess(person(), GIFT, GIFT, CATALOGUE) is None
    assert excess(person(), GIFT, person(grant(1, "read", "sms")), CATALOGUE) is None
    assert excess(person(), GIFT, person(grant(1, "full", "sms")), CATALOGUE) == SMS


@pytest.mark.parametrize(
    ("mine", "theirs", "given"),
    [
        ("department", "team", True),
        ("department", "restricted", True),
        ("department", "department", True),
        ("department", "full", False),
        ("team", "department", False),
        ("team", "restricted", False),
        ("restricted", "restricted", False),
        ("full", "full", True),
    ],
)
def test_rows_are_given_by_who_has_them(mine: str, theirs: str, given: bool) -> None:
    """The giver leads Sales, and in Inside, below it, is whoever is given to."""
    giver = person(roles=(held(1, mine, (CONTACTS, "view")),), team="sales", teams=("sales", "inside"))
    before, after = (
        person(roles=roles, team="inside", teams=("inside",)) for roles in ((), (held(2, theirs, (CONTACTS, "view")),))
    )
    assert (excess(giver, before, after, CATALOGUE) is None) is given


def test_only_what_is_new_has_to_be_the_givers() -> None:
    giver = person(roles=(held(1, "team", (CONTACTS, "view")),), team="inside")
    before, after = (
        person(roles=(held(2, "department", (CONTACTS, "view")),), team="sales", teams=teams)
        for teams in (("sales",), ("sales", "inside"))
    )
    assert excess(giver, before, after, CATALOGUE) is None
    assert excess(giver, person(), after, CATALOGUE) == CONTACTS


@pytest.mark.parametrize(
    ("own", "given"), [({"team": "sales"}, True), ({"team": "support"}, False), ({}, False), (None, False)]
)
def test_an_item_is_given_by_who_reaches_it(own: dict[str, str] | None, given: bool) -> None:
    giver = person(roles=(held(1, "team", (SMS, "view create edit")),), team="sales")
    after = person(grant(2, "use", "sms", item="inbox:a"), team="sales")
    known = {} if own is None else {"inbox:a": Item(type="inbox", id="a", section="sms", label="A", **own)}
    assert (excess(giver, person(team="sales"), after, CATALOGUE, known) is None) is given


def test_a_contract_and_a_tenant_are_given_by_who_has_something_there() -> None:
    everywhere = person(grant(1, "use", "sms"), tenants=("acme",))
    assert excess(GIFT, person(tenants=("acme",)), everywhere, CATALOGUE) == Target(section="sms", tenant="acme")
    in_seven = person(access=(access(1, "user", "sms"),))
    assert excess(GIFT, person(), in_seven, CATALOGUE) == Target(product="sms", contract="7")
    assert excess(in_seven, person(), in_seven, CATALOGUE) is None


def test_a_tenant_of_which_the_giver_is_no_member_is_not_given_in() -> None:
    member_of_one, of_both = (person(grant(1, "use", "sms"), tenants=them) for them in (("acme",), ("acme", "beta")))
    before = person(tenants=("acme", "beta"))
    assert excess(member_of_one, before, of_both, CATALOGUE) == Target(section="sms", tenant="beta")
    assert excess(of_both, before, of_both, CATALOGUE) is None


def test_a_roles_entry_is_given_in_its_own_contract() -> None:
    in_eight = person(roles=(held(1, "full", (Target(section="sms", contract="8"), "view")),))
    in_seven = person(roles=(held(1, "full", (SMS, "view"), contract="7"),))
    for giver in (person(), in_seven):
        assert excess(giver, person(), in_eight, CATALOGUE) == Target(section="sms", contract="8")


@pytest.mark.parametrize("right", [{"route_anywhere": True}, {"tenants": ("acme",)}, {"subscribers": ("101",)}])
def test_what_is_on_no_target_is_given_by_who_has_it(right: dict[str, Any]) -> None:
    assert excess(person(**right), person(), person(**right), CATALOGUE) is None
    assert excess(person(), person(), person(**right), CATALOGUE) is not None


PBX, PHONES = (Target(product="virtual-pbx"), "view create"), Target(section="pbx.extensions", feature="call.click")


@pytest.mark.parametrize(
    ("entries", "target"),
    [((PBX,), None), ((PBX, (PHONES, "")), PHONES), ((PBX, (Target(item="extension:1"), "")), "extension:1")],
)
def test_a_link_is_given_by_who_reaches_all_that_it_opens(
    entries: tuple[tuple[Target, str], ...], target: Target | str | None
) -> None:
    giver = person(roles=(held(1, "full", *entries),))
    found = excess(giver, person(), person(subscribers=("101",)), CATALOGUE)
    assert found == target or (found is not None and found.item == target)


def test_a_link_opens_rows_in_every_section() -> None:
    """Whoever may view contacts of their own may view those of the extension."""
    own = held(1, "restricted", (CONTACTS, "view"))
    before, after = (person(roles=(own,), team="sales", subscribers=links) for links in ((), ("101",)))
    assert excess(person(roles=(held(2, "full", PBX),)), before, after, CATALOGUE) == CONTACTS
    assert excess(person(roles=(held(2, "full", PBX, (CONTACTS, "view")),)), before, after, CATALOGUE) is None


# --- any change whatever --------------------------------------------------------------------------------------

dice = st.integers(0, 2**32).map(Random)


def allowed(one: Change) -> list[tuple[bool, bool, bool]]:
    """Of every question whether the giver may, and Ray before, and after."""
    catalogue, people = one.catalogue, one.people
    return [tuple(decide(who, catalogue, asked).allowed for who in people) for asked in one.questions]  # type: ignore[misc]


@some
@given(dice)
def test_nobody_gives_what_they_do_not_have(dice: Random) -> None:
    one = change(dice, **(strong(dice) if dice.randrange(3) else {}))
    event(f"excessive: {one.excessive}")
    if one.excessive:
        return
    for asked, (giver, before, after) in zip(one.questions, allowed(one), strict=True):
        # A route takes two things, and each is given by itself. The gate of channels is no part of a target.
        if after and not before and asked.action != "call.route" and is_in_its_team(one, asked):
            event("something new")
            assert giver or "channel" in asked.properties


@some
@given(dice)
def test_what_changes_an_answer_is_a_difference(dice: Random) -> None:
    one = change(dice)
    changed = any(before != after for _, before, after in allowed(one))
    event(f"changed: {changed}, difference: {bool(one.differences)}")
    assert one.differences or not changed


@some
@given(dice)
def test_the_way_back_is_the_same_difference_with_gained_and_lost_swapped(dice: Random) -> None:
    one = change(dice)
    back = one._replace(before=one.after, after=one.before)
    assert [(line.target, line.lost, line.gained) for line in back.differences] == [
        (line.target, line.gained, line.lost) for line in one.differences
    ]
