"""The gates that a question may find shut: tenants, contracts, channels, the portal; and what needs no tier (sections 4, 5)."""

from __future__ import annotations

from typing import Any

import pytest

from staffgate.contracts.authz import Target
from staffgate.contracts.caller import StaffType
from staffgate.decision import Holding, Question, Reason, decide
from tests.unit.decision.people import CATALOGUE, access, ask, grant, held, person, role, to

EVERYTHING = (Target(), "view create edit delete download approve")
CHANNELS = Target(section="channels")


@pytest.mark.parametrize("name", ["owner", "team", "subscriber", "tenant", "contract", "channel"])
@pytest.mark.parametrize("value", [7, True, 0, ["a"], {}, b"a"])
def test_an_attribute_that_is_no_text_is_denied_to_everybody(name: str, value: Any) -> None:
    verdict = ask(person(type=StaffType.OWNER), "sms.read", "inbox:sales", **{name: value})
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "unknown_property", False)


def test_what_nobody_has_declared_does_not_count() -> None:
    assert ask(person(default="read"), "sms.read", "inbox:sales", colour=7, owner=None, channel=None).allowed


# --- tenants and contracts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("staff_type", "tenants", "tenant", "allowed"),
    [
        (StaffType.STANDARD, ("acme",), "acme", True),
        (StaffType.STANDARD, ("acme",), "beta", False),
        (StaffType.STANDARD, ("gamma",), "gamma", False),
        (StaffType.OWNER, (), "acme", True),
        (StaffType.ADMINISTRATOR, (), "beta", True),
        (StaffType.OWNER, ("gamma",), "gamma", False),
        (StaffType.OWNER, (), "", False),
    ],
)
def test_a_tenant_is_open_to_its_members(
    staff_type: StaffType, tenants: tuple[str, ...], tenant: str, allowed: bool
) -> None:
    someone = person(type=staff_type, tenants=tenants, default="read")
    verdict = ask(someone, "sms.read", "inbox:sales", tenant=tenant)
    assert (verdict.allowed, verdict.visible) == (allowed, allowed)
    assert allowed or verdict.reason == "not_a_member"


@pytest.mark.parametrize("staff_type", list(StaffType))
@pytest.mark.parametrize("contract", ["9", ""])
def test_a_contract_of_somebody_else_is_closed_to_everybody(staff_type: StaffType, contract: str) -> None:
    verdict = ask(person(type=staff_type, default="full"), "sms.read", "inbox:sales", contract=contract)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "product_access", False)
    assert (verdict.rule, verdict.target) == (None, None)


@pytest.mark.parametrize("staff_type", list(StaffType))
@pytest.mark.parametrize(
    ("product", "contract", "reason"),
    [
        ("sms", None, "product_use"),
        ("sms", "7", "product_use"),
        ("sms", "8", "not_subscribed"),
        ("campaigns", None, "not_subscribed"),
        ("sms", "9", "product_access"),
        ("fax", None, "unknown_resource"),
    ],
)
def test_every_active_member_may_use_what_a_contract_carries(
    staff_type: StaffType, product: str, contract: str | None, reason: str
) -> None:
    someone = person(type=staff_type, access=(access(1, "without", "sms"),))
    verdict = decide(someone, CATALOGUE, Question("product.use", "product", product, {"contract": contract}))
    assert (verdict.allowed, verdict.reason) == (reason == "product_use", reason)


@pytest.mark.parametrize(("default", "visible"), [("deny", False), ("read", True)])
def test_a_product_that_is_not_subscribed_may_still_be_seen(default: str, visible: bool) -> None:
    verdict = ask(person(default=default), "product.use", "product:campaigns")
    assert (verdict.allowed, verdict.visible) == (False, visible)


def test_a_product_is_nobodys_row() -> None:
    agent = person(roles=(held(1, "restricted", EVERYTHING),))
    assert ask(agent, "product.use", "product:campaigns").visible


@pytest.mark.parametrize(
    ("action", "resource"), [("product.use", "section:sms"), ("product.use", "inbox:a"), ("sms.view", "product:sms")]
)
def test_using_is_all_that_one_does_with_a_product(action: str, resource: str) -> None:
    assert ask(person(type=StaffType.OWNER), action, resource).reason == "unknown_resource"


# --- channels -------------------------------------------------------------------------------------------------

PHONE = grant(1, "use", "channels", item="channel:phone")


@pytest.mark.parametrize(("channel", "allowed"), [("phone", True), ("email", False), ("fax", False), ("", False)])
def test_a_channel_is_open_to_who_may_operate_it(channel: str, allowed: bool) -> None:
    verdict = ask(person(PHONE, grant(2, "read", "sms")), "sms.read", "inbox:sales", channel=channel)
    assert (verdict.allowed, verdict.visible) == (allowed, allowed)
    assert allowed or verdict.reason == "channel"


@pytest.mark.parametrize("staff_type", [StaffType.OWNER, StaffType.ADMINISTRATOR])
def test_owner_and_administrator_operate_every_channel_that_there_is(staff_type: StaffType) -> None:
    someone = person(type=staff_type, access=(access(1, "without", "channels"),))
    assert ask(someone, "contacts.view", "contact:1", channel="whatsapp").allowed
    assert ask(someone, "contacts.view", "contact:1", channel="fax").reason == "channel"


def test_a_channel_is_asked_of_in_the_tenant_and_in_no_contract() -> None:
    in_acme = held(1, "restricted", (CHANNELS, "create"), (Target(product="sms"), "view"), tenant="acme")
    someone = person(grant(2, "read", "sms"), roles=(in_acme,), tenants=("acme", "beta"))
    told = {"owner": someone.staff, "channel": "phone"}
    assert ask(someone, "sms.read", "inbox:sales", tenant="acme", **told).allowed
    assert ask(someone, "sms.read", "inbox:sales", tenant="beta", **told).reason == "channel"
    assert ask(someone, "sms.read", "inbox:sales", **told).reason == "channel"
    assert ask(someone, "sms.read", "inbox:sales", tenant="acme", contract="7", **told).allowed


# --- the portal -----------------------------------------------------------------------------------------------

NO_PORTAL = held(1, "restricted", (Target(), ""), id="pbx.no-portal")


@pytest.mark.parametrize("staff_type", list(StaffType))
@pytest.mark.parametrize(
    ("others", "allowed"), [((), False), (("agents",), False), (("pbx.basic-user",), True), (("pbxsales",), False)]
)
def test_whose_only_pbx_scope_is_no_portal_does_not_get_in(
    staff_type: StaffType, others: tuple[str, ...], allowed: bool
) -> None:
    rest = tuple(held(2, "restricted", (Target(), "view"), id=id) for id in others)
    verdict = ask(person(type=staff_type, roles=(NO_PORTAL, *rest)), "portal.login", "section:portal")
    assert verdict.allowed is allowed
    assert allowed or (verdict.reason, verdict.visible) == ("no_portal", False)


def test_no_portal_is_about_the_portal_only_and_where_it_was_given() -> None:
    someone = person(
        roles=(held(1, "full", (Target(), ""), id="pbx.no-portal", tenant="acme"),), tenants=("acme",), default="read"
    )
    assert ask(someone, "portal.login", "section:portal", tenant="acme").reason == "no_portal"
    assert ask(someone, "portal.view", "section:portal", tenant="acme").reason == "role"
    assert ask(someone, "portal.login", "section:portal").reason == "default"


def test_who_has_no_scope_at_all_gets_in_by_the_tiers() -> None:
    assert ask(person(default="read"), "portal.login", "section:portal").allowed
    assert ask(person(), "portal.login", "section:portal").reason == "default"


# --- links and routes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "subscriber", "reason"),
    [
        ("call.click", "101", "subscriber"),
        ("call.click", "102", "default"),
        ("call.click", None, "default"),
        ("pbx.extensions.create", "101", "default"),
    ],
)
def test_a_linked_subscriber_is_called_whatever_the_tiers_say(action: str, subscriber: str | None, reason: str) -> None:
    someone, linked = person(subscribers=("101",)), reason == "subscriber"
    verdict = ask(someone, action, "extension:1", subscriber=subscriber)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (linked, reason, linked)
    assert ask(someone, "recording.listen", "section:pbx.recordings", subscriber="101").reach == "restricted"


def test_a_link_opens_no_gate_and_comes_before_the_type() -> None:
    someone = person(type=StaffType.OWNER, subscribers=("101",))
    assert ask(someone, "call.click", "extension:1", subscriber="101").reason == "subscriber"
    assert ask(someone, "call.click", "extension:1", subscriber="101", tenant="gamma").reason == "not_a_member"


@pytest.mark.parametrize(
    ("described", "allowed"),
    [
        ({}, True),
        ({"tenant": "acme"}, True),
        ({"tenant": "beta"}, False),
        ({"contract": "9"}, False),
        ({"channel": "email"}, False),
        ({"owner": 7}, False),
    ],
)
def test_a_route_is_refused_by_the_gates_of_where_it_leads(described: dict[str, Any], allowed: bool) -> None:
    grants = (grant(1, "use", "telephony.numbers"), grant(2, "read", "telephony.ivr"), PHONE)
    there = {**to("ivr:office-b"), "properties": described}
    for anywhere in (False, True):
        someone = person(*grants, tenants=("acme",), route_anywhere=anywhere)
        verdict = ask(someone, "call.route", "number:office-a", destination=there)
        assert verdict.allowed is (allowed or anywhere)
        assert verdict.reason == ("grant" if verdict.allowed else Reason.DESTINATION)


def test_a_route_needs_rows_at_both_ends() -> None:
    leader = held(1, "team", (Target(product="telephony"), "view edit"))
    someone = person(roles=(leader,), team="sales", teams=("sales",))
    for team, reason in (("sales", "role"), ("operations", "destination")):
        there = {**to("ivr:office-b"), "properties": {"team": team}}
        verdict = ask(someone, "call.route", "number:office-a", team="sales", destination=there)
        assert verdict.reason == reason
        assert (verdict.role, verdict.target) == ("role", Target(product="telephony"))
        assert verdict.reach == ("team" if verdict.allowed else None)


def test_nothing_is_routed_to_a_product() -> None:
    verdict = ask(person(type=StaffType.OWNER), "call.route", "number:a", destination=to("product:telephony"))
    assert (verdict.reason, verdict.rule, verdict.target) == ("unknown_destination", None, None)


def test_what_a_scope_builds_on_is_held_as_well() -> None:
    below = role("pbx.basic-user", "restricted", (Target(product="portal"), "view"))
    above = held(1, "full", id="pbx.no-portal")
    built = Holding(id=above.id, role=role("pbx.no-portal", "full", builds_on=below))
    assert ask(person(roles=(built,)), "portal.login", "section:portal").allowed
    assert ask(person(roles=(above,), default="read"), "portal.login", "section:portal").reason == "no_portal"
