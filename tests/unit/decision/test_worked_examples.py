"""The worked examples of the permission model, section 8, that grants and the account default can express."""

from __future__ import annotations

from uuid import UUID

import pytest

from staffgate.contracts.authz import Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from tests.unit.decision.people import CATALOGUE, ask, grant, person, to

JANE = person(
    grant(1, "read", "sms"),
    grant(2, "use", "sms", item="inbox:sales"),
    grant(3, "deny", "sms", item="inbox:management"),
)
FEATURE_AND_ITEM = (grant(1, "deny", "sms", feature="sms.send"), grant(2, "full", "sms", item="inbox:sales"))


def test_example_1_jane_sends_from_sales_by_the_grant_on_the_item() -> None:
    verdict = ask(JANE, "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert verdict.target == Target(section="sms", item="inbox:sales")
    assert verdict.rule == UUID(int=2)
    assert verdict.revision == 7


def test_example_2_jane_does_not_read_management_by_the_grant_on_the_item() -> None:
    verdict = ask(JANE, "sms.read", "inbox:management")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "grant", False)
    assert verdict.target == Target(section="sms", item="inbox:management")
    assert verdict.rule == UUID(int=3)


def test_example_3_jane_reads_support_by_the_grant_on_the_section() -> None:
    verdict = ask(JANE, "sms.read", "inbox:support")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert verdict.target == Target(section="sms")
    assert verdict.rule == UUID(int=1)


def test_example_4_item_and_feature_are_equally_specific_and_both_have_to_allow() -> None:
    verdict = ask(person(*FEATURE_AND_ITEM, default="full"), "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "grant", True)
    assert verdict.target == Target(section="sms", feature="sms.send")
    assert verdict.rule == UUID(int=1)


def test_example_5_the_feature_of_the_item_overrides_both() -> None:
    both = grant(3, "use", "sms", feature="sms.send", item="inbox:sales")
    verdict = ask(person(*FEATURE_AND_ITEM, both, default="full"), "sms.send", "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (True, "grant", True)
    assert verdict.target == Target(section="sms", feature="sms.send", item="inbox:sales")
    assert verdict.rule == UUID(int=3)


@pytest.mark.parametrize(("flag", "allowed", "reason"), [(False, False, "destination"), (True, True, "grant")])
def test_example_13_routing_to_an_element_without_access_takes_the_flag(flag: bool, allowed: bool, reason: str) -> None:
    office_a = person(grant(1, "use", "telephony.numbers", item="number:office-a"), route_anywhere=flag)
    verdict = ask(office_a, "call.route", "number:office-a", destination=to("ivr:office-b"))
    assert (verdict.allowed, verdict.reason, verdict.visible) == (allowed, reason, True)
    assert not ask(office_a, "telephony.ivr.view", "ivr:office-b").visible


@pytest.mark.parametrize("action", [*sorted(CATALOGUE.actions), "no.such.action"])
def test_example_14_a_suspended_owner_may_do_nothing(action: str) -> None:
    owner = person(type=StaffType.OWNER, status=StaffStatus.SUSPENDED, default="full", route_anywhere=True)
    verdict = ask(owner, action, "inbox:sales")
    assert (verdict.allowed, verdict.reason, verdict.visible) == (False, "account_suspended", False)
