"""Nobody hands out more than they have, and nobody raises themselves, whichever way (permission model, section 6)."""

from __future__ import annotations

from typing import Any

import pytest

from services.authz import changes, delegation
from tests.service.authz.conftest import Organisation, Someone
from tests.service.authz.office import Office, change, clerk, entry, on

MORE = (403, "more_than_own")
OWN = (403, "own_permissions")


@pytest.fixture
async def luke(office: Office) -> Someone:
    """A clerk: all of System [CORE], and SMS Use."""
    return await clerk(office, ("use", on("sms")))


@pytest.fixture
async def jane(office: Office) -> Someone:
    return await office.acme.add()


# --- every path -----------------------------------------------------------------------------------------------


async def test_by_a_grant(office: Office, luke: Someone, jane: Someone) -> None:
    for level, target in (
        ("full", on("sms")),
        ("read", on("contacts")),
        ("read", {}),
        ("read", {"product": "contacts"}),
        ("full", on("sms", feature="sms.delete")),
        ("use", {"product": "sms"}),  # more than the one section that it has today
    ):
        assert await office.refused("set_grant", by=luke, staff=jane, target=target, level=level) == MORE, target
    await office.one("set_grant", by=luke, staff=jane, target=on("sms"), level="use")
    await office.one("set_grant", by=luke, staff=jane, target=on("contacts"), level="deny")


async def test_not_even_what_the_person_has_already(office: Office, luke: Someone, jane: Someone) -> None:
    """Jane has it by her role; as a grant it would outlast the role."""
    await office.assigned(await office.role("Sender", "full", entry("view create edit delete", "sms")), jane)
    assert await office.refused("set_grant", by=luke, staff=jane, target=on("sms"), level="full") == MORE


async def test_by_taking_a_denial_away(office: Office, luke: Someone) -> None:
    jane = await office.acme.add(default="full")
    denial = await office.one("set_grant", staff=jane, target=on("contacts"), level="deny")
    small = await office.one("set_grant", staff=jane, target=on("sms"), level="deny")
    assert await office.refused("remove_grant", by=luke, staff=jane, grant=denial["id"]) == MORE
    assert await office.refused("remove_grant", by=luke, staff=jane, grant=small["id"]) == MORE, "Full, and not Use"
    assert await office.refused("reset_grants", by=luke, staff=jane) == MORE
    page = {"staff": jane, "section": "contacts"}
    assert await office.refused("set_section", by=luke, **page) == MORE


async def test_by_the_account_default_and_the_routing_flag(office: Office, luke: Someone, jane: Someone) -> None:
    assert await office.refused("set_default_level", by=luke, staff=jane, level="read") == MORE
    assert await office.refused("set_routing", by=luke, staff=jane, anywhere=True) == MORE
    await office.one("set_routing", staff=luke, anywhere=True)
    await office.one("set_routing", by=luke, staff=jane, anywhere=True)


async def test_by_a_role(office: Office, luke: Someone, jane: Someone) -> None:
    """In its making, in its assigning, and in a change to what somebody holds."""
    more, less = entry("view delete", "sms"), entry("view edit", "sms")
    role: dict[str, Any] = {"name": "Sender", "data_access": "full"}
    assert await office.refused("create_role", by=luke, **role, entries=[more]) == MORE
    mine = (await office.one("create_role", by=luke, **role, entries=[less]))["id"]
    await office.one("assign_role", by=luke, staff=jane, role=mine)
    assert await office.refused("edit_role", by=luke, role=mine, **role, entries=[more]) == MORE
    assert await office.refused("assign_role", by=luke, staff=jane, role="admin") == MORE
    assert await office.refused("assign_role", by=luke, staff=jane, role="manager") == MORE
    await office.one("edit_role", role=mine, **role, entries=[entry("", "sms")])
    await office.one("set_grant", staff=luke, target=on("sms"), level="deny")
    assert await office.refused("reset_role", by=luke, role=mine) == MORE


async def test_by_taking_a_role_that_holds_back(office: Office, luke: Someone) -> None:
    """A role says nothing is allowed in Contacts; without it the account default answers."""
    jane = await office.acme.add(default="read")
    held = await office.assigned(await office.role("Silent", "full", entry("")), jane)
    assert await office.refused("unassign_role", by=luke, assignment=held) == MORE


async def test_by_a_group(office: Office, luke: Someone, jane: Someone) -> None:
    group = (await office.one("add_group", name="Support"))["id"]
    assert await office.refused("assign_role", by=luke, group=group, role="agent") == MORE, "who joins gets it"
    await office.one("assign_role", group=group, role="agent")
    assert await office.refused("add_group_members", by=luke, group=group, staff=[jane]) == MORE
    han = await office.acme.add(default="full")
    await office.one("add_group_members", group=group, staff=[han])
    assert await office.refused("remove_group_members", by=luke, group=group, staff=[han]) == MORE, "Full by default"
    assert await office.refused("delete_group", by=luke, group=group) == MORE


async def test_by_membership_of_a_tenant(office: Office, luke: Someone) -> None:
    await office.one("add_tenant", key="acme", label="Acme")
    await office.one("add_tenant_members", tenant="acme", staff=[luke])
    jane = await office.acme.add(default="read")
    refused = await office.refused("add_tenant_members", by=luke, tenant="acme", staff=[jane])
    assert refused == MORE, "she could read all there is in Acme, and Luke can't"
    await office.one("set_default_level", staff=jane, level="deny")
    await office.one("add_tenant_members", by=luke, tenant="acme", staff=[jane])


async def test_by_a_subscriber_link(office: Office, luke: Someone, jane: Someone) -> None:
    link = {"staff": jane, "subscriber": "101"}
    assert await office.refused("link_subscriber", by=luke, **link) == MORE
    await office.one("link_subscriber", staff=luke, subscriber="101")
    await office.one("link_subscriber", by=luke, **link)


async def test_by_an_access_level(office: Office, jane: Someone) -> None:
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    han = await office.acme.add()
    await office.one("set_access", staff=han, contract="7", product="core", level="administrator")
    level = {"staff": jane, "contract": "7", "product": "telephony"}
    assert await office.refused("set_access", by=han, **level, level="user") == MORE
    await office.one("set_access", staff=han, contract="7", product="telephony", level="user")
    await office.one("set_access", by=han, **level, level="user")
    assert await office.refused("set_access", by=han, **level, level="administrator") == MORE
    leia = await office.acme.add()
    await office.assigned("admin", leia)
    refused = await office.refused("set_access", by=han, **level | {"staff": leia}, level="administrator")
    assert refused == MORE, "not even what she has already: it would outlast her role"


async def test_through_somebody_who_is_not_active_yet(office: Office, luke: Someone) -> None:
    han = await office.acme.add(status="invited")
    assert await office.refused("set_grant", by=luke, staff=han, target=on("contacts"), level="use") == MORE


# --- rows -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def leader(office: Office) -> Someone:
    """Laya leads Sales: Contacts and System [CORE], over her team's rows."""
    laya = await office.acme.add()
    role = await office.role("Head", "team", entry("view edit", "contacts"), entry("view create edit delete", "core"))
    await office.team("Sales", None, laya)
    await office.assigned(role, laya)
    return laya


async def test_a_giver_reaches_their_own_people_only(office: Office, leader: Someone, jane: Someone) -> None:
    grant: dict[str, Any] = {"target": on("contacts"), "level": "read"}
    assert await office.refused("set_grant", by=leader, staff=jane, **grant) == (403, "not_permitted")
    assert (await office.ask("GET", f"/v1/staff/{jane.id}/grants", leader)).problem == (403, "not_permitted")
    await office.one("place_members", team=office.teams["Sales"], staff=[jane])
    assert (await office.ask("GET", f"/v1/staff/{jane.id}/grants", leader)).status == 200
    assert await office.refused("set_grant", by=leader, staff=jane, **grant) == MORE, "with no role: everybody's rows"
    await office.assigned("leader", jane)
    await office.one("set_grant", by=leader, staff=jane, **grant)


async def test_a_wider_data_access_level_is_more(office: Office, leader: Someone, jane: Someone) -> None:
    await office.one("place_members", team=office.teams["Sales"], staff=[jane])
    rows = [entry("view", "contacts")]
    assert await office.refused("create_role", by=leader, name="Wide", data_access="full", entries=rows) == (
        403,
        "not_permitted",
    ), "roles are nobody's rows"
    for data_access, expected in (("full", MORE), ("department", None), ("team", None), ("restricted", None)):
        role = await office.role(f"Reader {data_access}", data_access, *rows)
        if expected:
            assert await office.refused("assign_role", by=leader, staff=jane, role=role) == expected
        else:
            await office.one("assign_role", by=leader, staff=jane, role=role)


async def test_a_team_that_moves_brings_its_rows_along(office: Office) -> None:
    """Mr. Vada has Contacts of his whole department; Han may move teams, and read no contact."""
    vada = await office.acme.add()
    await office.team("Management", None, vada)
    await office.team("Sales")
    await office.assigned("manager", vada)
    han = await clerk(office)
    move: dict[str, Any] = {"team": office.teams["Sales"], "parent": office.teams["Management"]}
    assert await office.refused("move_team", by=han, **move) == MORE
    await office.one("move_team", **move)


async def test_a_person_who_moves_takes_their_role_to_other_rows(office: Office, jane: Someone) -> None:
    await office.team("Sales", None, jane)
    await office.team("Operations")
    await office.assigned("leader", jane)
    han = await clerk(office)
    place: dict[str, Any] = {"team": office.teams["Operations"], "staff": [jane]}
    assert await office.refused("place_members", by=han, **place) == MORE
    await office.one("place_members", **place)


async def test_an_item_is_given_by_whoever_reaches_it(office: Office, leader: Someone, jane: Someone) -> None:
    """A grant on an item counts whatever the rows; so the giver has to reach that very item."""
    await office.one("place_members", team=office.teams["Sales"], staff=[jane])
    for id, team in (("sales", office.teams["Sales"]), ("other", await office.root())):
        path = f"/v1/organisations/{office.acme.org}/items/contact/{id}"
        token = office.acme.authz.identity.token("contacts")
        body = {"section": "contacts", "label": id, "team": team}
        answer = await office.acme.authz.ask("PUT", path, token=token, json=body)
        assert answer.status == 200, answer.text
    grant: dict[str, Any] = {"staff": jane, "level": "read"}
    await office.one("set_grant", by=leader, **grant, target=on("contacts", item="contact:sales"))
    assert await office.refused("set_grant", by=leader, **grant, target=on("contacts", item="contact:other")) == MORE


# --- oneself --------------------------------------------------------------------------------------------------


async def test_nobody_changes_their_own(office: Office, luke: Someone) -> None:
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    for who in (luke, office.ray):
        for kind, fields in (
            ("set_grant", {"target": on("sms"), "level": "deny"}),
            ("reset_grants", {}),
            ("set_default_level", {"level": "deny"}),
            ("set_routing", {"anywhere": False}),
            ("link_subscriber", {"subscriber": "101"}),
            ("assign_role", {"role": "agent"}),
            ("set_section", {"section": "sms"}),
        ):
            assert await office.refused(kind, by=who, staff=who, **fields) == OWN, kind
    level = {"contract": "7", "product": "telephony", "level": "user"}
    assert await office.refused("set_access", by=office.ray, staff=office.ray, **level) == OWN


async def test_nor_by_a_role_or_group_that_they_hold(office: Office) -> None:
    han = await office.acme.add()
    role: dict[str, Any] = {"name": "Clerk", "data_access": "full"}
    core = entry("view create edit delete", "core")
    clerks = await office.role("Clerk", "full", core, entry("view edit", "contacts"))
    await office.assigned(clerks, han)
    assert await office.refused("edit_role", by=han, role=clerks, **role, entries=[core, entry("view", "sms")]) == OWN
    await office.one("edit_role", by=han, role=clerks, **role, entries=[core, entry("view", "contacts")])
    assert await office.refused("reset_role", by=han, role=clerks) == OWN, "back to what it was is up again"
    group = (await office.one("add_group", name="Support"))["id"]
    await office.one("assign_role", group=group, role="agent")
    assert await office.refused("add_group_members", by=han, group=group, staff=[han]) == OWN


async def test_a_standard_person_changes_nothing_of_an_administrators(office: Office, luke: Someone) -> None:
    laya = await office.acme.add("administrator")
    for who in (laya, office.ray):
        refused = await office.refused("assign_role", by=luke, staff=who, role="pbx.no-portal")
        assert refused == (403, "above_you"), "it would shut them out of the portal"


async def test_an_administrator_with_a_lowered_level_is_judged_there(office: Office, jane: Someone) -> None:
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    laya = await office.acme.add("administrator")
    telephony = on("telephony", contract="7")
    grant: dict[str, Any] = {"staff": jane, "target": telephony, "level": "full"}
    await office.one("set_grant", by=laya, **grant)
    await office.one("remove_grant", staff=jane, grant=(await grants_of(office.acme, jane))[0])
    await office.one("set_access", staff=laya, contract="7", product="telephony", level="user")
    assert await office.refused("set_grant", by=laya, **grant) == MORE
    await office.one("set_grant", by=laya, staff=jane, target=telephony, level="read")
    await office.one("set_grant", staff=laya, target=telephony, level="full")  # bound by the tiers, so a grant counts
    await office.one("set_grant", by=laya, **grant)


async def grants_of(acme: Organisation, who: Someone) -> list[str]:
    answer = await acme.authz.ask("GET", f"/v1/staff/{who.id}/grants", token=acme.ray.token)
    return [grant["id"] for grant in answer.json["grants"]]


async def test_in_a_list_as_well_as_by_itself(office: Office, luke: Someone, jane: Someone) -> None:
    """Neither the order nor the company of other changes makes more of what a giver has."""
    answer = await office.make(
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("set_grant", staff=jane, target=on("sms"), level="full"),
        by=luke,
    )
    assert answer.problem == MORE
    both = [change("set_grant", staff=jane, target=on("contacts"), level=level) for level in ("use", "deny")]
    assert (await office.make(*both, by=luke)).problem == MORE, "handed out is handed out, whatever comes after"


# --- how many -------------------------------------------------------------------------------------------------


async def test_who_is_like_another_is_compared_once_and_too_many_are_not(
    office: Office, luke: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison takes milliseconds while the organisation is held: for many who differ, an owner is asked."""
    monkeypatch.setattr(delegation, "_MOST", 2)
    role: dict[str, Any] = {"name": "Sender", "data_access": "full"}
    id = await office.role("Sender", "full", entry("view", "sms"))
    agents = [await office.acme.add() for _ in range(4)]
    for agent in agents:
        await office.made(
            change("assign_role", staff=agent, role=id),
            change("set_grant", staff=agent, target=on("contacts"), level="read"),
            change("link_subscriber", staff=agent, subscriber=str(agent.id)),
        )
    edit: dict[str, Any] = {"role": id, **role}
    await office.one("edit_role", by=luke, **edit, entries=[entry("view edit", "sms")])
    assert await office.refused("edit_role", by=luke, **edit, entries=[entry("delete", "sms")]) == MORE
    await office.one("set_grant", staff=agents[0], target=on("contacts"), level="use")
    refused = await office.refused("edit_role", by=luke, **edit, entries=[entry("view", "sms")])
    assert refused == (403, "too_many_people")
    await office.one("edit_role", **edit, entries=[entry("view", "sms")])


async def test_of_many_people_everybody_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_TOLD", 1)
    jane, han = await office.acme.add(), await office.acme.add()
    await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    await office.one("place_members", team=await office.team("Sales"), staff=[jane, han])
    told = (await office.acme.authz.told(office.acme.org, before + 2))[-1]
    assert told.people is None
