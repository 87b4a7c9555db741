"""The text on organisation logins: ACME Crates, its Jane, and what she may do with two SMS inboxes and a phone number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.authz.conftest import Authz
from tests.service.authz.scenarios.stage import ACTIONS, CATALOGUE, FULL, USE, VIEW, Company, founded, step

LEVELS = {"full": FULL, "use": USE, "read": VIEW, "deny": ""}
EVERYTHING = [f"{section}.{action}" for section in CATALOGUE.sections for action in ACTIONS]


@pytest.fixture
async def acme(authz: Authz) -> Company:
    return await founded(authz, "ACME Crates")


# --- the account ----------------------------------------------------------------------------------------------


async def test_administrator_full_access_to_all_sections(acme: Company) -> None:
    await acme.hire("Laya", type="administrator")
    assert await acme.allowed("Laya", *EVERYTHING) == set(EVERYTHING)


async def test_standard_user_restricted_configurable_permissions(acme: Company) -> None:
    await acme.hire("Jane")
    assert await acme.allowed("Jane", *EVERYTHING) == set()
    await acme.grant("Jane", "full", section="sms")
    sms = {f"sms.{action}" for action in FULL.split()}
    assert await acme.allowed("Jane", *EVERYTHING) == sms


@pytest.mark.parametrize(("level", "actions"), LEVELS.items())
async def test_the_default_permissions_that_should_apply_to_this_user(acme: Company, level: str, actions: str) -> None:
    await acme.hire("Jane", default=level)
    await acme.register("inbox:sales")
    every = {f"{section}.{action}" for section in CATALOGUE.sections for action in actions.split()}
    assert await acme.allowed("Jane", *EVERYTHING) == every
    assert await acme.level("Jane", "sms", on="inbox:sales") == actions
    with step("Deny: can't see item"):
        assert await acme.sees("Jane", "sms.view", "inbox:sales") is (level != "deny")
        assert await acme.finds("Jane", "sms.view", "inbox") == (["sales"] if level != "deny" else [])


@pytest.mark.parametrize("default", LEVELS)
@pytest.mark.parametrize(("level", "actions"), LEVELS.items())
async def test_global_permissions_are_overridden_by_more_specific_rules(
    acme: Company, default: str, level: str, actions: str
) -> None:
    await acme.hire("Jane", default=default)
    await acme.grant("Jane", level, section="sms")
    assert await acme.level("Jane", "sms") == actions
    assert await acme.level("Jane", "contacts") == LEVELS[default]


async def test_full_or_use_then_revoke_or_deny_everything_then_grant(acme: Company) -> None:
    await acme.hire("Jane", default="use")
    await acme.hire("Luke", default="deny")
    with step("enable Full or Use access, then revoke individual sections"):
        await acme.grant("Jane", "deny", section="subscription")
        assert (await acme.level("Jane", "subscription"), await acme.level("Jane", "sms")) == ("", USE)
    with step("Deny everything by default and grant access to only some sections"):
        await acme.grant("Luke", "use", section="contacts")
        assert (await acme.level("Luke", "contacts"), await acme.level("Luke", "sms")) == (USE, "")


async def test_finalise_their_permissions_before_sending_the_activation_email(acme: Company) -> None:
    await acme.hire("Jane", status="invited", default="use")
    await acme.grant("Jane", "deny", section="contacts")
    with step("they'll need to be sent a verification email before they can login"):
        assert await acme.why("Jane", "portal.login") == "account_inactive"
        assert await acme.allowed("Jane", *EVERYTHING) == set()
    with step("once activated, what was set beforehand is theirs"):
        await acme.activate("Jane")
        assert await acme.may("Jane", "portal.login")
        assert (await acme.level("Jane", "sms"), await acme.level("Jane", "contacts")) == (USE, "")


# --- office A and office B ------------------------------------------------------------------------------------


@pytest.fixture
async def offices(acme: Company) -> Company:
    await acme.hire("Jane")
    await acme.register("number:office-a", "ivr:office-a", "ivr:office-b")
    await acme.grant("Jane", "use", section="telephony.ivr", item="ivr:office-a")
    return acme


async def routes(acme: Company, to: str = "ivr:office-b") -> bool:
    return await acme.may("Jane", "call.route", "number:office-a", destination=to)


@pytest.mark.parametrize(("level", "control"), [("full", True), ("use", True), ("read", False), ("deny", False)])
async def test_route_an_element_they_have_control_over_to_one_they_do_not(
    offices: Company, level: str, control: bool
) -> None:
    await offices.grant("Jane", level, section="telephony.numbers", item="number:office-a")
    with step("without the flag: to what they have access to, and not to Office B"):
        assert not await routes(offices)
        assert await routes(offices, "ivr:office-a") is control
    with step("a phone number they have Full or Use permission on, to the main IVR menu in Office B"):
        await offices.change("set_routing", staff="Jane", anywhere=True)
        assert await routes(offices) is control
    with step("regardless of the staff member not having access to the IVR menu in Office B"):
        assert await offices.level("Jane", "telephony.ivr", on="ivr:office-b") == ""
        assert not await offices.sees("Jane", "telephony.ivr.view", "ivr:office-b")
    with step("and off again"):
        await offices.change("set_routing", staff="Jane", anywhere=False)
        assert not await routes(offices)


async def test_the_flag_may_be_set_when_the_account_is_made(acme: Company) -> None:
    await acme.hire("Jane", route_anywhere=True, default="use")
    await acme.register("number:office-a", "ivr:office-b")
    await acme.grant("Jane", "deny", section="telephony.ivr")
    assert await routes(acme)
    with step("an administrator routes to everything"):
        await acme.hire("Laya", type="administrator")
        assert await acme.may("Laya", "call.route", "number:office-a", destination="ivr:office-b")


# --- the permissions window -----------------------------------------------------------------------------------


async def test_the_permissions_list_shows_all_available_sections(acme: Company) -> None:
    await acme.hire("Jane", default="read")
    await acme.grant("Jane", "use", section="sms")

    def flat(sections: list[Any]) -> dict[str, str]:
        return {one["section"]: one["level"] for top in sections for one in [top, *below(top)]}

    def below(section: Any) -> list[Any]:
        return [one for sub in section["sections"] for one in [sub, *below(sub)]]

    for shown in (
        await acme.page(acme.admin, "/v1/staff/{Jane}/permissions"),
        await acme.page("Jane", "/v1/me/permissions"),
    ):
        listed = flat(shown["sections"])
        assert listed.keys() == CATALOGUE.sections.keys()
        assert listed == dict.fromkeys(listed, "read") | {"sms": "use"}


@pytest.mark.parametrize(("level", "actions"), LEVELS.items())
async def test_levels_for_each_item(acme: Company, level: str, actions: str) -> None:
    await acme.hire("Jane")
    await acme.register("number:1300-crates", "number:1800-crates")
    await acme.change("set_section", staff="Jane", section="telephony.numbers", quick={"number:1300-crates": level})
    assert await acme.level("Jane", "telephony.numbers", on="number:1300-crates") == actions
    assert await acme.level("Jane", "telephony.numbers", on="number:1800-crates") == ""


async def test_the_section_as_a_whole_individual_actions_or_individual_items(acme: Company) -> None:
    await acme.hire("Jane")
    await acme.register("inbox:sales", "inbox:support")
    with step("the section as a whole"):
        await acme.change("set_section", staff="Jane", section="sms", default="read")
        assert await acme.allowed("Jane", "sms.read", "sms.send", "sms.delete") == {"sms.read"}
    with step("individual actions within that section"):
        await acme.change("set_section", staff="Jane", section="sms", default="read", specific={"sms.send": "use"})
        assert await acme.allowed("Jane", "sms.read", "sms.send", "sms.delete") == {"sms.read", "sms.send"}
        assert await acme.level("Jane", "sms") == VIEW
    with step("individual items within that section"):
        await acme.change("set_section", staff="Jane", section="sms", quick={"inbox:sales": "full"})
        assert await acme.level("Jane", "sms", on="inbox:sales") == FULL
        assert await acme.level("Jane", "sms", on="inbox:support") == ""
        assert not await acme.may("Jane", "sms.send"), "what the page no longer names has no level of its own"


async def test_default_permissions_the_page_and_its_sub_sections_as_a_whole(acme: Company) -> None:
    await acme.hire("Jane")
    await acme.change("set_section", staff="Jane", section="telephony", default="use")
    for section in ("telephony", "telephony.numbers", "telephony.ivr", "telephony.settings"):
        assert await acme.level("Jane", section) == USE
    with step("a sub-section with permissions of its own"):
        await acme.change("set_section", staff="Jane", section="telephony.settings", default="deny")
        assert await acme.level("Jane", "telephony.settings") == ""
        assert await acme.level("Jane", "telephony.ivr") == USE


async def test_quick_permissions_take_precedence_over_global_or_default(acme: Company) -> None:
    await acme.hire("Jane", default="full")
    await acme.register("number:1300-crates", "number:1800-crates")
    with step("over the global"):
        await acme.change(
            "set_section", staff="Jane", section="telephony.numbers", quick={"number:1300-crates": "read"}
        )
        assert await acme.level("Jane", "telephony.numbers", on="number:1300-crates") == VIEW
        assert await acme.level("Jane", "telephony.numbers", on="number:1800-crates") == FULL
    with step("over the default of the section"):
        quick = {"number:1300-crates": "use"}
        await acme.change("set_section", staff="Jane", section="telephony.numbers", default="deny", quick=quick)
        assert await acme.level("Jane", "telephony.numbers", on="number:1300-crates") == USE
        assert await acme.level("Jane", "telephony.numbers", on="number:1800-crates") == ""
        assert await acme.finds("Jane", "telephony.numbers.view", "number") == ["1300-crates"]


@pytest.mark.parametrize(("level", "allowed"), [("full", True), ("use", True), ("read", False), ("deny", False)])
async def test_specific_permissions_the_level_for_each_feature(acme: Company, level: str, allowed: bool) -> None:
    await acme.hire("Jane")
    await acme.change("set_section", staff="Jane", section="sms", default="read", specific={"sms.send": level})
    assert await acme.may("Jane", "sms.send") is allowed
    assert await acme.may("Jane", "sms.read")


# --- the SMS example ------------------------------------------------------------------------------------------


@pytest.fixture
async def inboxes(acme: Company) -> Company:
    """The permissions on the SMS section of the text's picture."""
    await acme.hire("Jane")
    await acme.register("inbox:sales", "inbox:management")
    quick = {"inbox:sales": "use", "inbox:management": "deny"}
    await acme.change("set_section", staff="Jane", section="sms", default="read", quick=quick)
    return acme


async def test_read_and_send_from_the_sales_team_inbox_but_not_the_management_inbox(inboxes: Company) -> None:
    with step("allow the target user to read and send SMS messages from the Sales Team SMS inbox"):
        on_sales = await inboxes.allowed("Jane", "sms.read", "sms.send", "sms.delete", on="inbox:sales")
        assert on_sales == {"sms.read", "sms.send"}
        assert await inboxes.who_can("sms.send", "inbox:sales") == {"Jane", inboxes.admin}
    with step("but will deny them access to the Management SMS inbox"):
        found = await inboxes.answer("Jane", "sms.read", "inbox:management")
        assert (found["decision"], found["reason"], found["visible"]) == (False, "grant", False)
        assert found["target"] == {"section": "sms", "item": "inbox:management"}
        assert await inboxes.finds("Jane", "sms.read", "inbox") == ["sales"]


async def test_permissions_for_additional_items(inboxes: Company) -> None:
    """Another SMS inbox is added by the button; the page that was filled in before stays as it is."""
    await inboxes.register("inbox:support")
    await inboxes.grant("Jane", "full", section="sms", item="inbox:support")
    assert await inboxes.level("Jane", "sms", on="inbox:support") == FULL
    assert await inboxes.level("Jane", "sms", on="inbox:sales") == USE
    shown = await inboxes.page("Jane", "/v1/staff/{Jane}/sections/sms/permissions")
    assert (shown["default"], shown["specific"]) == ("read", {})
    assert shown["quick"] == {"inbox:sales": "use", "inbox:management": "deny", "inbox:support": "full"}


async def test_revoking_a_permission(inboxes: Company) -> None:
    with step("Granting or revoking a user's permission"):
        grants = (await inboxes.page(inboxes.admin, "/v1/staff/{Jane}/grants"))["grants"]
        on_sales = next(one["id"] for one in grants if one["target"].get("item") == "inbox:sales")
        await inboxes.change("remove_grant", staff="Jane", grant=on_sales)
        assert await inboxes.level("Jane", "sms", on="inbox:sales") == VIEW, "the section's default again"


async def test_reset_permissions_to_default(inboxes: Company) -> None:
    await inboxes.grant("Jane", "full", section="contacts")
    await inboxes.change("set_default_level", staff="Jane", level="read")
    await inboxes.change("reset_grants", staff="Jane")
    assert (await inboxes.page(inboxes.admin, "/v1/staff/{Jane}/grants"))["grants"] == []
    read = {f"{section}.view" for section in CATALOGUE.sections}
    assert await inboxes.allowed("Jane", *EVERYTHING) == read
    assert await inboxes.level("Jane", "sms", on="inbox:management") == VIEW
    assert await inboxes.level("Jane", "sms", on="inbox:sales") == VIEW


async def test_jane_changes_nobodys_permissions(inboxes: Company) -> None:
    """Only whoever can open the Permissions window of somebody can change anything there; not even one's own."""
    await inboxes.hire("Luke")
    for whose in ("Jane", "Luke"):
        refusal = await inboxes.refused("set_grant", by="Jane", staff=whose, target={"section": "sms"}, level="full")
        assert refusal == (403, "not_permitted")
    assert await inboxes.level("Jane", "sms", on="inbox:management") == ""
