"""Gates, owner and administrator, tiers, routing, and everything unknown, one at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from staffgate.contracts.authz import Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.decisions import Action, Evaluation, Resource, Subject
from staffgate.contracts.identity import StaffStatus
from staffgate.decision import CHANNEL_ITEMS, Organisation, Question, decide, stranger
from staffgate.decision.rules import Rules
from tests.unit.decision.people import CATALOGUE, access, ask, grant, held, person, to


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"org_active": False}, "organisation_inactive"),
        ({"status": StaffStatus.INVITED}, "account_inactive"),
        ({"status": StaffStatus.SUSPENDED}, "account_suspended"),
        ({"org_active": False, "status": StaffStatus.SUSPENDED}, "organisation_inactive"),
    ],
)
def test_a_closed_gate_comes_before_everything(changes: dict[str, Any], reason: str) -> None:
    closed = person(grant(1, "full", "sms"), default="full", **changes)
    for action in ("sms.read", "no.such.action"):
        verdict = ask(closed, action, "inbox:sales")
        assert (verdict.allowed, verdict.reason, verdict.visible) == (False, reason, False)
        assert (verdict.rule, verdict.target, verdict.revision) == (None, None, 7)


def test_a_stranger_is_denied() -> None:
    verdict = decide(stranger(3), CATALOGUE, Question("sms.read", "inbox", "sales"))
    assert (verdict.allowed, verdict.reason, verdict.visible, verdict.revision) == (False, "unknown_subject", False, 3)


def test_nothing_of_what_somebody_outside_may_otherwise_do_is_kept() -> None:
    shut = person(
        grant(1, "full", "sms"), default="full", status=StaffStatus.SUSPENDED, team="sales", teams=("sales",),
        tenants=("acme",), subscribers=("101",), route_anywhere=True, roles=(held(2, "full", (Target(), "view")),),
        access=(access(3, "user", "sms"),), type=StaffType.OWNER,
    )  # fmt: skip
    assert shut == replace(stranger(7), staff=shut.staff, team="sales", closed=shut.closed)
    kept = (shut.everything, shut.grants, shut.access, shut.lowered, shut.roles, shut.assignments, shut.organisation)
    assert kept == (None, Rules({}, {}, 0, b""), {}, frozenset(), (), b"", Organisation())
    assert (shut.contextual, shut.widest, shut.default, shut.route_anywhere, shut.revision) == (False, 0, 0, False, 7)
    assert shut.teams == shut.tenants == shut.subscribers == frozenset()
    assert (shut.staff, stranger(7).staff, stranger(7).team) == (str(UUID(int=99)), "", None)


@pytest.mark.parametrize("staff_type", [StaffType.OWNER, StaffType.ADMINISTRATOR])
@pytest.mark.parametrize("action", ["sms.delete", "contacts.export", "campaigns.approve"])
def test_owner_and_administrator_have_all_six_actions_whatever_the_tiers_say(
    staff_type: StaffType, action: str
) -> None:
    section = CATALOGUE.actions[action].section
    verdict = ask(person(grant(1, "deny", section), type=staff_type), action, f"section:{section}")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, staff_type.value, True)
    assert verdict.rule is None


@pytest.mark.parametrize("base", ["download", "approve"])
def test_no_level_gives_download_or_approve(base: str) -> None:
    assert not ask(person(grant(1, "full", "contacts"), default="full"), f"contacts.{base}", "section:contacts").allowed


@pytest.mark.parametrize(
    ("default", "allowed"),
    [("deny", ""), ("read", "view"), ("use", "view create edit"), ("full", "view create edit delete")],
)
def test_the_account_default_speaks_where_no_grant_does(default: str, allowed: str) -> None:
    someone = person(grant(1, "full", "sms"), default=default)
    for base in ("view", "create", "edit", "delete", "download", "approve"):
        verdict = ask(someone, f"contacts.{base}", "contact:42")
        assert (verdict.allowed, verdict.reason, verdict.rule) == (base in allowed.split(), "default", None)
        assert verdict.visible == (default != "deny")


@pytest.mark.parametrize(
    ("action", "resource", "reason"),
    [
        ("sms.forward", "inbox:sales", "unknown_action"),
        ("fax.view", "inbox:sales", "unknown_action"),
        ("sms.read", "fax:sales", "unknown_resource"),
        ("sms.read", "section:fax", "unknown_section"),
        ("sms.read", "section:contacts", "unknown_resource"),
        ("sms.read", "contact:42", "unknown_resource"),
        ("telephony.numbers.view", "section:telephony", "unknown_resource"),
        ("telephony.numbers.view", "ivr:office-a", "unknown_resource"),
    ],
)
@pytest.mark.parametrize("staff_type", list(StaffType))
def test_what_is_unknown_is_denied_to_everybody(staff_type: StaffType, action: str, resource: str, reason: str) -> None:
    verdict = ask(person(type=staff_type, default="full"), action, resource)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, reason, False)


def test_a_grant_on_a_section_reaches_its_sub_sections() -> None:
    someone = person(grant(1, "use", "telephony"), grant(2, "read", "telephony.ivr"))
    assert ask(someone, "telephony.edit", "number:office-a").target == Target(section="telephony")
    assert ask(someone, "telephony.edit", "number:office-a").allowed
    denied = ask(someone, "telephony.edit", "ivr:office-a")
    assert (denied.allowed, denied.target) == (False, Target(section="telephony.ivr"))


def test_a_feature_of_the_section_and_a_sub_section_both_have_to_allow() -> None:
    elsewhere = to("section:telephony")
    feature = grant(1, "use", "telephony", feature="call.route")
    for level, allowed in (("read", False), ("use", True)):
        someone = person(feature, grant(2, level, "telephony.numbers"), default="read")
        assert ask(someone, "call.route", "number:office-a", destination=elsewhere).allowed is allowed


def test_a_feature_in_a_sub_section_overrides_the_feature_and_the_section_around_it() -> None:
    someone = person(
        grant(1, "deny", "telephony.numbers"),
        grant(2, "deny", "telephony", feature="call.route"),
        grant(3, "use", "telephony.numbers", feature="call.route"),
        default="read",
    )
    verdict = ask(someone, "call.route", "number:office-a", destination=to("section:telephony"))
    assert (verdict.allowed, verdict.rule) == (True, UUID(int=3))


def test_one_item_named_by_its_section_and_by_the_one_around_it_is_one_target() -> None:
    inner = grant(1, "use", "telephony.numbers", item="number:office-a")
    outer = grant(2, "deny", "telephony", item="number:office-a")
    verdict = ask(person(inner, outer, default="full"), "telephony.view", "number:office-a")
    assert (verdict.allowed, verdict.rule) == (False, UUID(int=2))


def test_an_item_grant_says_nothing_about_the_section() -> None:
    verdict = ask(person(grant(1, "use", "sms", item="inbox:sales")), "sms.view", "section:sms")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "default", False)


def test_the_id_of_an_item_may_look_like_anything() -> None:
    someone = person(grant(1, "use", "sms", item="inbox:a:b"), grant(2, "use", "sms", feature="sms.send"))
    assert ask(someone, "sms.read", "inbox:a:b").allowed
    for item in ("inbox:a", "inbox:", "inbox:sms", "inbox:sms.send", "inbox:('sms.send', 'sms')"):
        assert ask(someone, "sms.read", item).reason == "default"


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"destination": None},
        {"destination": "ivr:office-b"},
        {"destination": {"type": "ivr"}},
        {"destination": {"type": "ivr", "id": 7}},
        {"destination": {"type": ["ivr"], "id": "office-b"}},
        {"destination": {"type": "fax", "id": "office-b"}},
        {"destination": {"type": "section", "id": "fax"}},
    ],
)
@pytest.mark.parametrize("staff_type", list(StaffType))
def test_routing_to_nowhere_is_denied_to_everybody(staff_type: StaffType, properties: dict[str, Any]) -> None:
    someone = person(type=staff_type, default="full", route_anywhere=True)
    verdict = ask(someone, "call.route", "number:office-a", **properties)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "unknown_destination", True)


def test_routing_needs_edit_on_the_element_whatever_the_flag() -> None:
    verdict = ask(
        person(default="read", route_anywhere=True), "call.route", "number:office-a", destination=to("ivr:office-b")
    )
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "default", True)


def test_routing_is_refused_by_the_rule_on_the_destination() -> None:
    someone = person(grant(5, "deny", "telephony.ivr", item="ivr:office-b"), default="use")
    verdict = ask(someone, "call.route", "number:office-a", destination=to("ivr:office-b"))
    assert (verdict.allowed, verdict.reason, verdict.rule) == (False, "destination", UUID(int=5))
    assert verdict.target == Target(section="telephony.ivr", item="ivr:office-b")


def test_routing_to_what_one_may_view_needs_no_flag() -> None:
    someone = person(grant(1, "use", "telephony.numbers"), grant(2, "read", "telephony.ivr"))
    assert ask(someone, "call.route", "number:office-a", destination=to("ivr:office-b")).allowed


def test_a_denied_feature_does_not_hide_the_item() -> None:
    verdict = ask(person(grant(1, "deny", "sms", feature="sms.read"), default="read"), "sms.read", "inbox:sales")
    assert (verdict.allowed, verdict.visible) == (False, True)


def test_the_channels_are_items_of_their_section() -> None:
    someone = person(grant(1, "use", "channels", item="channel:phone"))
    operated = [item.id for item in CHANNEL_ITEMS if ask(someone, "channel.operate", f"channel:{item.id}").allowed]
    assert operated == ["phone"]
    assert [item.id for item in CHANNEL_ITEMS] == ["webchat", "phone", "email", "facebook", "whatsapp", "sms"]


def test_a_question_is_read_from_an_evaluation() -> None:
    evaluation = Evaluation(
        subject=Subject(type="staff", id="jane"),
        action=Action(name="call.route"),
        resource=Resource(type="number", id="office-a", properties={"destination": to("ivr:a"), "owner": "jane"}),
    )
    assert Question.of(evaluation) == Question("call.route", "number", "office-a", evaluation.resource.properties)
    evaluation.action.properties = {"destination": to("ivr:b")}
    assert Question.of(evaluation).properties == {"destination": to("ivr:b"), "owner": "jane"}
