"""The worked examples of the permission model, section 8, all fifteen, by the engine and by the reference evaluator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts.authz import BaseAction, Entry, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level
from staffgate.decision import Facts, Holding, Organisation, ProductAccess, Question, Verdict, decide, resolve, shipped
from tests.unit.decision.people import CATALOGUE, grant, to
from tests.unit.decision.reference import Reference

JANE, RAY, HAN, LUKE = (UUID(int=number) for number in range(11, 15))
MANAGEMENT, SALES, OPERATIONS = (str(UUID(int=number)) for number in range(21, 24))
TEAMS = {str(JANE): SALES, str(RAY): SALES, str(HAN): OPERATIONS}
ORGANISATION = Organisation({"7": ("telephony", "sms"), "8": ("telephony",)}, ("acme", "beta"))


def person(**known: Any) -> Facts:
    plain: dict[str, Any] = {"staff": JANE, "revision": 7, "org_active": True, "organisation": ORGANISATION}
    return Facts(**(plain | {"type": StaffType.STANDARD, "status": StaffStatus.ACTIVE} | known))


def holds(name: str, reach: str, *entries: tuple[str, str], tenant: str | None = None) -> Holding:
    """A role with entries like `("contacts", "view edit")`, by an assignment that has the role's name in its id."""
    allowed: list[Entry] = []
    for section, words in entries:
        actions: tuple[BaseAction, ...] = tuple(word for word in words.split())  # type: ignore[misc]
        allowed.append(Entry(target=Target(section=section), actions=actions))
    role = Role(id=name, name=name, data_access=DataAccess(reach), entries=tuple(allowed))
    return Holding(id=UUID(bytes=name.encode().ljust(16)[:16]), role=role, tenant=tenant)


def ask(facts: Facts, action: str, resource: str, **properties: Any) -> Verdict:
    """What both of them answer; `resource` as `inbox:sales`, or `section:sms`."""
    kind, _, name = resource.partition(":")
    question = Question(action, kind, name, properties)
    verdict = decide(resolve(facts, CATALOGUE), CATALOGUE, question.completed(TEAMS))
    answer = Reference(shipped(), facts, teams=TEAMS).decide(question)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (answer.allowed, answer.reason, answer.visible)
    assert verdict.rule in (answer.rules or {None})
    assert verdict.revision == 7
    return verdict


INBOXES = person(
    grants=(
        grant(1, "read", "sms"),
        grant(2, "use", "sms", item="inbox:sales"),
        grant(3, "deny", "sms", item="inbox:management"),
    )
)
FEATURE_AND_ITEM = (grant(1, "deny", "sms", feature="sms.send"), grant(2, "full", "sms", item="inbox:sales"))


def test_example_1_jane_sends_from_sales_by_the_grant_on_the_item() -> None:
    verdict = ask(INBOXES, "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert (verdict.rule, verdict.target) == (UUID(int=2), Target(section="sms", item="inbox:sales"))


def test_example_2_jane_does_not_read_management_by_the_grant_on_the_item() -> None:
    verdict = ask(INBOXES, "sms.read", "inbox:management")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "grant", False)
    assert (verdict.rule, verdict.target) == (UUID(int=3), Target(section="sms", item="inbox:management"))


def test_example_3_jane_reads_support_by_the_grant_on_the_section() -> None:
    verdict = ask(INBOXES, "sms.read", "inbox:support")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert (verdict.rule, verdict.target) == (UUID(int=1), Target(section="sms"))


def test_example_4_item_and_feature_are_equally_specific_and_both_have_to_allow() -> None:
    verdict = ask(person(grants=FEATURE_AND_ITEM, default_level=Level.FULL), "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "grant", True)
    assert (verdict.rule, verdict.target) == (UUID(int=1), Target(section="sms", feature="sms.send"))


def test_example_5_the_feature_of_the_item_overrides_both() -> None:
    both = grant(3, "use", "sms", feature="sms.send", item="inbox:sales")
    verdict = ask(person(grants=(*FEATURE_AND_ITEM, both), default_level=Level.FULL), "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert verdict.rule == UUID(int=3)
    assert verdict.target == Target(section="sms", feature="sms.send", item="inbox:sales")


LEADER = person(team=SALES, teams=(SALES,), roles=(holds("leader", "team", ("contacts", "view edit")),))


@pytest.mark.parametrize("owner", [JANE, RAY])
def test_example_6_a_leader_edits_the_contacts_of_their_own_team(owner: UUID) -> None:
    verdict = ask(LEADER, "contacts.edit", "contact:42", owner=str(owner))
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "role", True)
    assert (verdict.rule, verdict.target) == (LEADER.roles[0].id, Target(section="contacts"))


def test_example_7_and_not_those_of_another_team() -> None:
    verdict = ask(LEADER, "contacts.edit", "contact:42", owner=str(HAN))
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "scope", False)


@pytest.mark.parametrize(("owner", "allowed"), [(RAY, True), (HAN, False)])
def test_example_8_a_manager_edits_those_of_every_team_below(owner: UUID, allowed: bool) -> None:
    roles = (holds("manager", "department", ("contacts", "view edit")),)
    manager = person(staff=LUKE, team=MANAGEMENT, teams=(MANAGEMENT, SALES), roles=roles)
    assert ask(manager, "contacts.edit", "contact:42", owner=str(owner)).allowed is allowed


def test_example_9_the_actions_of_one_role_do_not_reach_the_rows_of_another() -> None:
    both = (holds("r1", "full", ("contacts", "view")), holds("r2", "restricted", ("contacts", "edit")))
    someone = person(team=SALES, teams=(SALES,), roles=both)
    verdict = ask(someone, "contacts.edit", "contact:42", owner=str(RAY))
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "scope", True)
    assert verdict.rule == both[1].id
    assert ask(someone, "contacts.edit", "contact:42", owner=str(JANE)).allowed
    assert ask(someone, "contacts.view", "contact:42", owner=str(RAY)).allowed


@pytest.mark.parametrize(
    ("action", "contract", "allowed", "reason"),
    [
        ("telephony.settings.edit", "7", False, "product_access"),
        ("telephony.settings.view", "7", True, "product_access"),
        ("telephony.settings.edit", "8", False, "product_access"),
        ("telephony.settings.view", "8", False, "product_access"),
        ("telephony.settings.edit", "9", False, "product_access"),
        ("telephony.settings.edit", None, True, "default"),
    ],
)
def test_example_10_a_level_counts_in_its_contract_and_none_in_another_is_without_access(
    action: str, contract: str | None, allowed: bool, reason: str
) -> None:
    user = ProductAccess(id=UUID(int=5), contract="7", product="telephony", level=AccessLevel.USER)
    someone = person(access=(user,), default_level=Level.FULL)
    verdict = ask(someone, action, "section:telephony.settings", contract=contract)
    assert (verdict.allowed, verdict.reason) == (allowed, reason)
    assert verdict.rule == (user.id if contract == "7" else None)


@pytest.mark.parametrize(
    ("tenant", "allowed", "reason"), [("beta", False, "not_a_member"), ("acme", True, "role"), (None, False, "default")]
)
def test_example_11_a_role_in_acme_is_nothing_in_beta(tenant: str | None, allowed: bool, reason: str) -> None:
    agent = holds("agent", "restricted", ("contacts", "view"), tenant="acme")
    someone = person(roles=(agent,), tenants=("acme",))
    verdict = ask(someone, "contacts.view", "contact:42", owner=str(JANE), tenant=tenant)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (allowed, reason, allowed)


@pytest.mark.parametrize(
    ("channel", "allowed", "reason"),
    [("whatsapp", False, "channel"), ("phone", True, "grant"), ("email", True, "grant"), ("fax", False, "channel")],
)
def test_example_12_a_conversation_takes_the_permission_to_operate_its_channel(
    channel: str, allowed: bool, reason: str
) -> None:
    operated = [
        grant(number, "use", "channels", item=f"channel:{name}") for number, name in ((1, "phone"), (2, "email"))
    ]
    someone = person(grants=(*operated, grant(3, "use", "sms")))
    verdict = ask(someone, "sms.send", "inbox:sales", channel=channel)
    assert (verdict.allowed, verdict.reason, verdict.visible) == (allowed, reason, allowed)


@pytest.mark.parametrize(("flag", "allowed", "reason"), [(False, False, "destination"), (True, True, "grant")])
def test_example_13_routing_to_an_element_without_access_takes_the_flag(flag: bool, allowed: bool, reason: str) -> None:
    use = grant(1, "use", "telephony.numbers", item="number:office-a")
    office_a = person(grants=(use,), route_anywhere=flag)
    verdict = ask(office_a, "call.route", "number:office-a", destination=to("ivr:office-b"))
    assert (verdict.allowed, verdict.reason, verdict.visible) == (allowed, reason, True)
    assert not ask(office_a, "telephony.ivr.view", "ivr:office-b").visible


@pytest.mark.parametrize("action", [*sorted(CATALOGUE.actions), "no.such.action"])
def test_example_14_a_suspended_owner_may_do_nothing(action: str) -> None:
    suspended = {"type": StaffType.OWNER, "status": StaffStatus.SUSPENDED, "default_level": Level.FULL}
    verdict = ask(person(**suspended, route_anywhere=True), action, "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "account_suspended", False)


@pytest.mark.parametrize("staff_type", list(StaffType))
def test_example_15_no_portal_means_no_portal(staff_type: StaffType) -> None:
    system_user = person(type=staff_type, roles=(holds("pbx.no-portal", "restricted"),), default_level=Level.FULL)
    verdict = ask(system_user, "portal.login", "section:portal")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "no_portal", False)
    basic = holds("pbx.basic", "restricted", ("portal", "view"))
    assert ask(person(type=staff_type, roles=(*system_user.roles, basic)), "portal.login", "section:portal").allowed
    assert ask(person(type=staff_type, roles=(basic,)), "portal.login", "section:portal").allowed
