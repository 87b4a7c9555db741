"""The text on operators: tenants, groups inside a tenant, and permission to operate a communication channel."""

from __future__ import annotations

import pytest

from tests.service.authz.conftest import Authz
from tests.service.authz.scenarios.stage import USE, Company, change, entry, founded, step

# As the check boxes are called, and what a channel is called here.
CHANNELS = {"Mluvii": "webchat", "Phone": "phone", "Email": "email", "Facebook": "facebook", "WhatsApp": "whatsapp"}
OPERATORS = ("Luke", "Laya", "Han")


@pytest.fixture
async def company(authz: Authz) -> Company:
    """Two tenants; Ray is an administrator; Luke and Laya are operators in Acme, Laya and Han in Beta."""
    company = await founded(authz, "Mluvii")
    await company.hire("Ray", type="administrator")
    await company.hire(*OPERATORS)
    company.admin = "Ray"
    entries = [*entry(USE, "contacts", "sms"), *entry("view", "portal")]
    await company.change_all(
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant", key="beta", label="Beta"),
        change("add_tenant_members", tenant="acme", staff=["Luke", "Laya"]),
        change("add_tenant_members", tenant="beta", staff=["Laya", "Han"]),
        change("create_role", name="Operator", data_access="full", entries=entries),
    )
    await company.change("add_group", name="Support", tenant="acme")
    await company.change("assign_role", group="Support", role="Operator")
    return company


async def tick(company: Company, name: str, *boxes: str, tenant: str = "acme") -> None:
    """The operator's check boxes in a tenant are these, and no others."""
    level = {box: "use" if box in boxes else "deny" for box in CHANNELS}
    target = {"section": "channels", "tenant": tenant}
    await company.change_all(
        *(
            change("set_grant", staff=name, target=target | {"item": f"channel:{CHANNELS[box]}"}, level=level[box])
            for box in CHANNELS
        )
    )


async def operated(company: Company, name: str, tenant: str = "acme") -> set[str]:
    """The boxes of those channels that the person may operate there."""
    found = set()
    for box, channel in CHANNELS.items():
        if await company.may(name, "channel.operate", f"channel:{channel}", tenant=tenant):
            found.add(box)
    return found


# --- users ----------------------------------------------------------------------------------------------------


async def test_set_their_permissions_to_individual_tenants(company: Company) -> None:
    await company.grant("Laya", "read", section="contacts", tenant="acme")
    await company.grant("Laya", "use", section="contacts", tenant="beta")
    assert await company.level("Laya", "contacts", tenant="acme") == "view"
    assert await company.level("Laya", "contacts", tenant="beta") == USE
    with step("somebody who is not of the tenant has nothing there"):
        await company.grant("Luke", "full", section="contacts")
        assert await company.level("Luke", "contacts", tenant="acme") == f"{USE} delete"
        assert await company.why("Luke", "contacts.view", tenant="beta") == "not_a_member"
        assert await company.why("Luke", "contacts.view", tenant="no-such-tenant") == "not_a_member"


async def test_grant_administrator_rights(company: Company) -> None:
    """Administrators are at home in every tenant, those to come included."""
    await company.hire("Jane", type="administrator")
    await company.change("add_tenant", key="gamma", label="Gamma")
    for tenant in ("acme", "beta", "gamma"):
        assert await company.may("Jane", "contacts.delete", tenant=tenant)
        assert await company.may("Jane", "contacts.edit", tenant=tenant, channel="whatsapp")


async def test_operators_and_administrators_of_a_tenant(company: Company) -> None:
    shown = await company.page("Ray", "/v1/tenants/acme")
    assert set(shown["members"]) == {company["Luke"], company["Laya"]}
    with step("an operator sees no list of users"):
        assert (await company.ask("Luke", "GET", "/v1/tenants/acme")).status == 403


async def test_deactivate_and_reactivate_the_account(company: Company) -> None:
    await company.change("add_group_members", group="Support", staff=["Luke", "Laya"])
    active = {"Luke", "Laya", "Ray", "Owner"}
    assert await company.who_can("contacts.edit", tenant="acme") == active
    with step("If the user is deactivated he/she disappears from the list"):
        await company.suspend("Luke")
        assert await company.who_can("contacts.edit", tenant="acme") == active - {"Luke"}
        assert await company.why("Luke", "contacts.edit", tenant="acme") == "account_suspended"
    with step("activated and deactivated users in your tenant"):
        assert company["Luke"] in (await company.page("Ray", "/v1/tenants/acme"))["members"]
        assert (await company.page("Ray", "/v1/staff/{Luke}/subject"))["status"] == "suspended"
    with step("reactivate: with all that was there before"):
        await company.reactivate("Luke")
        assert await company.who_can("contacts.edit", tenant="acme") == active


async def test_once_the_access_data_is_set_the_operator_can_log_on(company: Company) -> None:
    await company.hire("Jane", status="invited")
    await company.change_all(
        change("add_tenant_members", tenant="acme", staff=["Jane"]),
        change("add_group_members", group="Support", staff=["Jane"]),
    )
    assert await company.why("Jane", "portal.login", tenant="acme") == "account_inactive"
    await company.activate("Jane")
    assert await company.may("Jane", "portal.login", tenant="acme")


# --- groups ---------------------------------------------------------------------------------------------------


async def test_as_the_administrator_you_assign_operators_to_their_groups(company: Company) -> None:
    assert await company.level("Luke", "contacts", tenant="acme") == ""
    with step("assign the operator by simply selecting the checkbox"):
        await company.change("add_group_members", group="Support", staff=["Luke", "Laya"])
        found = await company.answer("Luke", "contacts.edit", tenant="acme")
        assert (found["decision"], found["reason"], found["role"]) == (True, "role", company["Operator"])
        shown = await company.page("Ray", "/v1/groups/{Support}")
        assert set(shown["members"]) == {company["Luke"], company["Laya"]}
        assert [one["role"] for one in shown["roles"]] == [company["Operator"]]
    with step("the group is one of the tenant's: in another it says nothing"):
        assert await company.level("Laya", "contacts", tenant="beta") == ""
        assert await company.level("Laya", "contacts") == ""
    with step("and unselecting it"):
        await company.change("remove_group_members", group="Support", staff=["Luke"])
        assert await company.level("Luke", "contacts", tenant="acme") == ""
        assert await company.level("Laya", "contacts", tenant="acme") == USE


async def test_groups_are_of_operators_of_the_tenant(company: Company) -> None:
    refusal = await company.refused("add_group_members", group="Support", staff=["Han"])
    assert refusal == (409, "not_a_member")
    assert await company.level("Han", "contacts", tenant="acme") == ""
    with step("who leaves the tenant leaves its groups"):
        await company.change("add_group_members", group="Support", staff=["Luke"])
        await company.change("remove_tenant_members", tenant="acme", staff=["Luke"])
        assert await company.why("Luke", "contacts.edit", tenant="acme") == "not_a_member"
        await company.change("add_tenant_members", tenant="acme", staff=["Luke"])
        assert await company.level("Luke", "contacts", tenant="acme") == ""


async def test_adjust_the_settings_for_individual_group(company: Company) -> None:
    await company.change("add_group_members", group="Support", staff=["Luke", "Laya"])
    await company.change("create_role", name="Analyst", data_access="full", entries=entry("view", "reporting"))
    await company.change("assign_role", group="Support", role="Analyst")
    for name in ("Luke", "Laya"):
        assert await company.may(name, "reporting.view", tenant="acme")
        assert await company.level(name, "contacts", tenant="acme") == USE
    with step("and for the operator alone, an exception"):
        await company.grant("Luke", "deny", section="reporting", tenant="acme")
        assert not await company.may("Luke", "reporting.view", tenant="acme")
        assert await company.may("Laya", "reporting.view", tenant="acme")


async def test_if_none_of_the_groups_are_satisfactory_establish_a_new_one(company: Company) -> None:
    await company.change("add_group", name="Sales", tenant="acme")
    await company.change("assign_role", group="Sales", role="Operator")
    await company.change("add_group_members", group="Sales", staff=["Luke"])
    assert await company.level("Luke", "contacts", tenant="acme") == USE
    listed = {(one["name"], one["tenant"]) for one in (await company.page("Ray", "/v1/groups"))["groups"]}
    assert listed == {("Support", "acme"), ("Sales", "acme")}
    await company.change("delete_group", group="Sales")
    assert await company.level("Luke", "contacts", tenant="acme") == ""


async def test_only_an_administrator_assigns(company: Company) -> None:
    await company.change("add_group_members", group="Support", staff=["Laya"])
    refusal = await company.refused("add_group_members", by="Laya", group="Support", staff=["Luke"])
    assert refusal == (403, "not_permitted")
    assert (await company.refused("add_group", by="Laya", name="Mine", tenant="acme"))[0] == 403
    assert (await company.refused("add_tenant_members", by="Laya", tenant="acme", staff=["Han"]))[0] == 403


async def test_administrator_rights_in_a_single_tenant(company: Company) -> None:
    """Laya is made an administrator of Acme: she does there all that an administrator does, and nothing elsewhere."""
    await company.role("Laya", "admin", tenant="acme")
    with step("you assign operators to their groups and set permissions for them"):
        await company.change("add_group_members", by="Laya", group="Support", staff=["Luke"])
        await company.grant("Luke", "use", by="Laya", section="channels", item="channel:phone", tenant="acme")
        assert await operated(company, "Luke") == {"Phone"}
        await company.change("add_group", by="Laya", name="Sales", tenant="acme")
        assert (await company.ask("Laya", "GET", "/v1/tenants/acme")).status == 200
    with step("for the tenant that was selected"):
        elsewhere = {"section": "channels", "item": "channel:phone"}
        for target in (elsewhere, elsewhere | {"tenant": "beta"}):
            refusal = await company.refused("set_grant", by="Laya", staff="Han", target=target, level="use")
            assert refusal == (403, "not_permitted")
        assert (await company.refused("add_group", by="Laya", name="Sales", tenant="beta"))[0] == 403
        assert (await company.refused("add_group", by="Laya", name="Sales"))[0] == 403
        assert (await company.ask("Laya", "GET", "/v1/tenants/beta")).status == 403


# --- channels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", CHANNELS)
async def test_checking_the_box_gives_the_operator_permission_to_operate_the_channel(
    company: Company, box: str
) -> None:
    await company.change("add_group_members", group="Support", staff=["Luke", "Laya"])
    assert await operated(company, "Luke") == set()
    await tick(company, "Luke", box)
    assert await operated(company, "Luke") == {box}
    with step("and use its associated functions"):
        for other, channel in CHANNELS.items():
            about = {"tenant": "acme", "channel": channel}
            assert await company.may("Luke", "contacts.edit", owner="Luke", **about) is (other == box)
            if other != box:
                assert await company.why("Luke", "contacts.edit", owner="Luke", **about) == "channel"
    with step("a channel opens no more than what the operator may do"):
        about = {"tenant": "acme", "channel": CHANNELS[box]}
        assert not await company.may("Luke", "contacts.delete", owner="Luke", **about)
    with step("nobody else's boxes are ticked by it"):
        assert await operated(company, "Laya") == set()


async def test_set_operator_permissions_at_the_tenant_level(company: Company) -> None:
    await tick(company, "Laya", "Phone", "Email", tenant="acme")
    await tick(company, "Laya", "Email", "WhatsApp", tenant="beta")
    assert await operated(company, "Laya", "acme") == {"Phone", "Email"}
    assert await operated(company, "Laya", "beta") == {"Email", "WhatsApp"}
    with step("an unticked box takes it away again, in that tenant"):
        await tick(company, "Laya", "Phone", tenant="acme")
        assert await operated(company, "Laya", "acme") == {"Phone"}
        assert await operated(company, "Laya", "beta") == {"Email", "WhatsApp"}
    with step("whatever is set for all of them"):
        await company.grant("Laya", "deny", section="channels")
        await company.grant("Laya", "deny", section="channels", item="channel:email")
        assert await operated(company, "Laya", "beta") == {"Email", "WhatsApp"}
        assert not await company.may("Laya", "channel.operate", "channel:email")


async def test_a_box_at_the_tenant_overrides_what_the_groups_give(company: Company) -> None:
    await company.change("create_role", name="Omnichannel", data_access="full", entries=entry(USE, "channels"))
    await company.change("assign_role", group="Support", role="Omnichannel")
    await company.change("add_group_members", group="Support", staff=["Luke", "Laya"])
    assert await operated(company, "Luke") == set(CHANNELS)
    await tick(company, "Luke", "Email")
    assert await operated(company, "Luke") == {"Email"}
    assert await operated(company, "Laya") == set(CHANNELS)


async def test_a_registered_conversation_has_its_own_channel_and_tenant(company: Company) -> None:
    """What the product registered counts, whatever a request says of the channel."""
    await company.change("add_group_members", group="Support", staff=["Luke"])
    await tick(company, "Luke", "Email")
    await company.register("contact:by-mail", tenant="acme", channel="email")
    await company.register("contact:by-whatsapp", tenant="acme", channel="whatsapp")
    await company.register("contact:of-beta", tenant="beta", channel="email")
    assert await company.finds("Luke", "contacts.edit", "contact") == ["by-mail"]
    assert await company.why("Luke", "contacts.edit", "contact:by-whatsapp", channel="email") == "channel"
    assert await company.why("Luke", "contacts.edit", "contact:of-beta", tenant="acme") == "not_a_member"


@pytest.mark.parametrize("availability", ["online", "away", "off", None])
async def test_availability_is_not_permission(company: Company, availability: str | None) -> None:
    """For which channels the operator is active, in Online and in Away, is the operator's own switch: it neither gives
    a permission nor takes one."""
    await company.change("add_group_members", group="Support", staff=["Luke"])
    await tick(company, "Luke", "WhatsApp")
    about = {"tenant": "acme", "owner": "Luke"} | ({"availability": availability} if availability else {})
    assert await company.may("Luke", "contacts.edit", channel="whatsapp", **about)
    assert await company.why("Luke", "contacts.edit", channel="phone", **about) == "channel"
