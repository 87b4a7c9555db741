"""The text on roles, teams and security: Millennium Delivery Service Limited, and what became of it when Han retired."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.authz.conftest import Authz
from tests.service.authz.scenarios.stage import (
    CATALOGUE,
    OWNER,
    USE,
    Company,
    audited,
    change,
    entry,
    founded,
    step,
)

EVERYTHING = "view create edit delete download approve"
SECTIONS = tuple(CATALOGUE.sections)
# What the custom role's page lists, by the section of the catalogue that it is here.
CATEGORIES = {
    "Permission Controls": "core.permissions",
    "Administration Permissions": "core.organisation",
    "Reporting and Monitoring": "reporting",
    "Communication": "sms",
    "Campaign Permissions": "campaigns",
    "Contact Permissions": "contacts",
    "Subscription Plan": "subscription",
}
# An Agent's permissions, with the two categories disabled that Operations staff do not need.
OPS_STAFF = [
    *entry(USE, "sms", "contacts", "channels"),
    *entry("view", "portal", "campaigns"),
    *entry("", "core", "reporting"),
]
CREW = ("Vada", "Laya", "Han", "Luke", "Chewie")


@pytest.fixture
async def company(authz: Authz) -> Company:
    """MDSL before anything is set up: Ray is an Admin, everybody else has no role."""
    company = await founded(authz, "MDSL")
    await company.hire("Ray", *CREW)
    company.named["MDSL"] = (await company.page(OWNER, "/v1/teams"))["root"]["id"]
    await company.change("assign_role", staff="Ray", role="admin")
    company.admin = "Ray"
    return company


async def structured(company: Company) -> None:
    """Ray placed Mr. Vada in Management, created three sub-teams under it, and added everyone to theirs."""
    await company.change("add_team", name="Management", parent="MDSL")
    await company.change("place_members", team="Management", staff=["Vada"])
    for name in ("Sales", "Operations", "IT"):
        await company.change("add_team", name=name, parent="Management")
    await company.change("place_members", team="Sales", staff=["Laya", "Luke"])
    await company.change("place_members", team="Operations", staff=["Han", "Chewie"])
    await company.change("place_members", team="IT", staff=["Ray"])


@pytest.fixture
async def mdsl(company: Company) -> Company:
    """MDSL as it was when customer enquiries started coming in."""
    await structured(company)
    await company.change("create_role", name="OPS Staff", data_access="restricted", entries=OPS_STAFF)
    roles = {"Vada": "manager", "Laya": "leader", "Han": "leader", "Luke": "agent", "Chewie": "OPS Staff"}
    await company.change_all(*(change("assign_role", staff=name, role=role) for name, role in roles.items()))
    return company


async def reaches(company: Company, who: str, action: str = "contacts.edit") -> set[str]:
    """Over whose rows they may do it."""
    everybody = [name for name in company.people if name != OWNER]
    return {name for name in everybody if await company.may(who, action, owner=name)}


# --- roles and permissions ------------------------------------------------------------------------------------


async def test_the_admin_views_edits_deletes_downloads_and_approves_all_data(mdsl: Company) -> None:
    every = [f"{section}.{action}" for section in SECTIONS for action in EVERYTHING.split()]
    assert await mdsl.allowed("Ray", *every) == set(every)
    for name in mdsl.people:
        assert await mdsl.level("Ray", "contacts", owner=name) == EVERYTHING
    with step("and manage other staff accounts in their company"):
        assert await mdsl.level("Ray", "core.staff", owner="Luke") == EVERYTHING


async def test_admins_see_audit_logs_for_changes_staff_have_made(mdsl: Company) -> None:
    await mdsl.change("rename_team", team="IT", name="Information Technology")
    newest = (await audited(mdsl, "Ray"))[0]
    assert (newest["actor"], newest["kind"], newest["refusal"]) == (mdsl["Ray"], "rename_team", None)
    assert (newest["before"]["name"], newest["after"]["name"]) == ("IT", "Information Technology")
    assert newest["ip"]
    with step("what was refused is there, too"):
        assert (await mdsl.refused("reset_grants", by="Luke", staff="Chewie"))[0] == 403
        refused = (await audited(mdsl, "Ray", person="Luke"))[0]
        assert (refused["actor"], refused["kind"], refused["refusal"]) == (
            mdsl["Luke"],
            "reset_grants",
            "not_permitted",
        )
    with step("Admins: nobody else"):
        for name in CREW:
            assert (await mdsl.ask(name, "GET", "/v1/audit")).status == 403


async def test_the_manager_their_team_and_all_sub_teams_but_no_other_department(mdsl: Company) -> None:
    await mdsl.hire("Jane", "Leia")
    await mdsl.change("add_team", name="Finance", parent="MDSL")
    await mdsl.change("place_members", team="Finance", staff=["Jane"])
    with step("all data within their team and all sub-teams under their department branch"):
        assert await reaches(mdsl, "Vada") == {"Vada", "Laya", "Luke", "Han", "Chewie", "Ray"}
    with step("they cannot access the data from teams in other departments"):
        assert await mdsl.why("Vada", "contacts.view", owner="Jane") == "scope"
        assert not await mdsl.may("Vada", "contacts.view", team="Finance")
    with step("or up the company hierarchy"):
        assert await mdsl.why("Vada", "contacts.view", owner="Leia") == "scope"
        assert not await mdsl.may("Vada", "contacts.view", team="MDSL")


async def test_the_leader_only_the_data_within_their_own_team(mdsl: Company) -> None:
    assert await reaches(mdsl, "Laya") == {"Laya", "Luke"}
    assert await reaches(mdsl, "Han") == {"Han", "Chewie"}
    assert await mdsl.why("Han", "contacts.view", owner="Luke") == "scope"
    assert await mdsl.why("Han", "contacts.view", owner="Vada") == "scope"


async def test_an_agent_only_the_data_in_their_own_account(mdsl: Company) -> None:
    assert await reaches(mdsl, "Luke") == {"Luke"}
    assert await reaches(mdsl, "Luke", "contacts.view") == {"Luke"}
    assert await mdsl.why("Luke", "contacts.view", owner="Laya") == "scope"


async def test_a_product_is_told_which_rows_to_show(mdsl: Company) -> None:
    """The access to data such as reports and insights is the role's data access level."""
    rows = {"Ray": "full", "Vada": "department", "Laya": "team", "Luke": "restricted"}
    for name, expected in rows.items():
        for action in ("reporting.insights.view", "contacts.view"):
            assert (await mdsl.answer(name, action))["rows"] == expected


# --- configurable permissions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "manager", "leader", "agent"])
async def test_data_access_for_the_default_roles_cannot_be_changed(mdsl: Company, role: str) -> None:
    before = await mdsl.page("Ray", f"/v1/roles/{role}")
    for by in ("Ray", OWNER):
        refusal = await mdsl.refused("edit_role", by=by, role=role, name="Agent", data_access="full", entries=[])
        assert refusal == (409, "built_in")
        assert await mdsl.refused("reset_role", by=by, role=role) == (409, "built_in")
        assert await mdsl.refused("delete_role", by=by, role=role) == (409, "built_in")
    assert await mdsl.page("Ray", f"/v1/roles/{role}") == before
    assert await reaches(mdsl, "Luke") == {"Luke"}


@pytest.mark.parametrize("action", ["view", "edit", "delete", "download", "approve"])
async def test_permissions_to_view_edit_delete_download_and_approve_in_each_category(
    company: Company, action: str
) -> None:
    """One category after the other is opened in the role, and nothing but that action there."""
    questions = [f"{section}.{one}" for section in CATEGORIES.values() for one in EVERYTHING.split()]
    await company.change("create_role", name="Custom", data_access="full")
    await company.change("assign_role", staff="Luke", role="Custom")
    assert await company.allowed("Luke", *questions) == set()
    for category, section in CATEGORIES.items():
        with step(f"Permissions to {action} in {category}"):
            entries = entry(action, section)
            await company.change("edit_role", role="Custom", name="Custom", data_access="full", entries=entries)
            assert await company.allowed("Luke", *questions) == {f"{section}.{action}"}


async def test_create_role_enter_a_name_and_choose_the_data_access_level(company: Company) -> None:
    await structured(company)
    expected = {"restricted": {"Luke"}, "team": {"Luke", "Laya"}, "department": {"Luke", "Laya"}, "full": None}
    for level, people in expected.items():
        await company.change(
            "create_role", name=f"Custom {level}", data_access=level, entries=entry("view edit", "contacts")
        )
        await company.role("Luke", f"Custom {level}")
        assert await reaches(company, "Luke") == (people or {"Ray", *CREW})


async def test_come_back_later_to_change_or_reset_the_settings(mdsl: Company) -> None:
    assert not await mdsl.may("Chewie", "reporting.view")
    with step("change"):
        entries = [*OPS_STAFF[:-1], *entry("view", "reporting")]
        await mdsl.change("edit_role", role="OPS Staff", name="OPS Staff", data_access="team", entries=entries)
        assert await mdsl.may("Chewie", "reporting.view")
        assert await reaches(mdsl, "Chewie") == {"Chewie", "Han"}
    with step("or reset"):
        await mdsl.change("reset_role", role="OPS Staff")
        assert not await mdsl.may("Chewie", "reporting.view")
        assert await reaches(mdsl, "Chewie") == {"Chewie"}
    with step("a role that somebody has can't be deleted"):
        assert await mdsl.refused("delete_role", role="OPS Staff") == (409, "role_in_use")
        await mdsl.role("Chewie", "agent")
        await mdsl.change("delete_role", role="OPS Staff")
        assert (await mdsl.ask("Ray", "GET", f"/v1/roles/{mdsl['OPS Staff']}")).status == 404


async def test_only_admins_make_roles(mdsl: Company) -> None:
    for name in CREW:
        refusal = await mdsl.refused(
            "create_role", by=name, name="Mine", data_access="full", entries=entry("view", "sms")
        )
        assert refusal == (403, "not_permitted")


# --- teams ----------------------------------------------------------------------------------------------------


def shown(team: Any) -> dict[str, Any]:
    """The structure as the tab displays it: names of teams, and of the staff in each."""
    return {"staff": set(team["staff"]), "teams": {sub["name"]: shown(sub) for sub in team["teams"]}}


async def test_all_staff_are_in_the_company_team_by_default(company: Company) -> None:
    root = (await company.page("Ray", "/v1/teams"))["root"]
    assert root["name"] == "MDSL"
    assert shown(root) == {"staff": {company[name] for name in company.people}, "teams": {}}
    with step("whoever comes later, too"):
        await company.change("add_team", name="Management", parent="MDSL")
        await company.hire("Jane")
        root = (await company.page("Ray", "/v1/teams"))["root"]
        assert company["Jane"] in root["staff"]


async def test_all_teams_are_displayed_with_their_sub_teams_and_staff_members(mdsl: Company) -> None:
    def team(*staff: str, **teams: Any) -> dict[str, Any]:
        return {"staff": {mdsl[name] for name in staff}, "teams": teams}

    root = (await mdsl.page("Ray", "/v1/teams"))["root"]
    below = {"Sales": team("Laya", "Luke"), "Operations": team("Han", "Chewie"), "IT": team("Ray")}
    assert shown(root) == team(OWNER, Management=team("Vada", **below))
    assert (root["size"], root["teams"][0]["size"]) == (7, 6)


async def test_move_to(mdsl: Company) -> None:
    """What reaches Operations moves with it."""
    await mdsl.change("move_team", team="Operations", parent="MDSL")
    assert await reaches(mdsl, "Vada") == {"Vada", "Laya", "Luke", "Ray"}
    assert await reaches(mdsl, "Han") == {"Han", "Chewie"}
    await mdsl.change("move_team", team="Operations", parent="Sales")
    assert await reaches(mdsl, "Vada") == {"Vada", "Laya", "Luke", "Han", "Chewie", "Ray"}
    assert await reaches(mdsl, "Laya") == {"Laya", "Luke"}, "a Leader's is the own team, and none below it"
    with step("make sure your department branches are configured in the right order"):
        assert await mdsl.refused("move_team", team="Management", parent="Operations") == (409, "team_cycle")
        assert await mdsl.refused("move_team", team="MDSL", parent="Management") == (409, "root_team")


async def test_add_sub_team_and_add_staff_members(mdsl: Company) -> None:
    await mdsl.change("add_team", name="Key Accounts", parent="Sales")
    await mdsl.change("place_members", team="Key Accounts", staff=["Luke"])
    assert await reaches(mdsl, "Laya") == {"Laya"}, "Luke is in another team now"
    assert "Luke" in await reaches(mdsl, "Vada")
    await mdsl.role("Laya", "manager")
    assert await reaches(mdsl, "Laya") == {"Laya", "Luke"}


async def test_rename(mdsl: Company) -> None:
    before = {name: await reaches(mdsl, name) for name in CREW}
    await mdsl.change("rename_team", team="Sales", name="Rebel Sales")
    root = (await mdsl.page("Ray", "/v1/teams"))["root"]
    assert "Rebel Sales" in {team["name"] for team in root["teams"][0]["teams"]}
    assert {name: await reaches(mdsl, name) for name in CREW} == before


async def test_delete(mdsl: Company) -> None:
    assert await mdsl.refused("delete_team", team="Sales") == (409, "team_not_empty")
    assert await mdsl.refused("delete_team", team="Management") == (409, "team_not_empty")
    assert await mdsl.refused("delete_team", team="MDSL") == (409, "root_team")
    await mdsl.change("place_members", team="Operations", staff=["Laya", "Luke"])
    await mdsl.change("delete_team", team="Sales")
    root = (await mdsl.page("Ray", "/v1/teams"))["root"]
    assert {team["name"] for team in root["teams"][0]["teams"]} == {"Operations", "IT"}
    assert await reaches(mdsl, "Han") == {"Han", "Chewie", "Laya", "Luke"}


async def test_the_structure_is_the_admins(mdsl: Company) -> None:
    """Others see of it what they may see; it is changed by those who administer it."""
    for name in ("Laya", "Han", "Luke", "Chewie"):
        assert await mdsl.refused("add_team", by=name, name="Mine", parent="Management") == (403, "not_permitted")
        assert (await mdsl.refused("move_team", by=name, team="IT", parent="MDSL"))[0] == 403


# --- the use case ---------------------------------------------------------------------------------------------


async def test_ops_staff_a_custom_role_with_those_features_disabled(mdsl: Company) -> None:
    with step("he asked Ray to create a Custom Role called OPS Staff"):
        assert {"OPS Staff", "Agent"} <= {role["name"] for role in (await mdsl.page("Ray", "/v1/roles"))["roles"]}
        [holder] = (await mdsl.page("Ray", f"/v1/roles/{mdsl['OPS Staff']}"))["holders"]
        assert holder["staff"] == mdsl["Chewie"]
    with step("with Administration Permissions disabled"):
        core = [section for section in SECTIONS if section.startswith("core")]
        views = [f"{section}.view" for section in core]
        assert await mdsl.allowed("Chewie", *views) == set()
        assert await mdsl.why("Chewie", "core.staff.view") == "role"
    with step("with Reporting and Monitoring disabled"):
        views = [f"{section}.view" for section in SECTIONS if section.startswith("reporting")]
        assert await mdsl.allowed("Chewie", *views) == set()
        assert await mdsl.allowed("Luke", *views) == set(views), "the rest of the crew have them"
    with step("and nothing else"):
        for section in ("sms", "contacts"):
            assert await mdsl.level("Chewie", section) == await mdsl.level("Luke", section) == USE
        assert await reaches(mdsl, "Chewie") == {"Chewie"}


async def test_luke_answers_enquiries_from_different_communication_channels(mdsl: Company) -> None:
    for channel in ("webchat", "phone", "email", "facebook", "whatsapp", "sms"):
        assert await mdsl.may("Luke", "contacts.edit", owner="Luke", channel=channel)
    with step("he could now track visitor activity"):
        assert await mdsl.may("Luke", "reporting.monitor.view")


async def test_han_sees_all_departments_and_teams(mdsl: Company) -> None:
    """By their names; who is in one only of his own: a Leader's is the own team."""
    with step("seeing all the departments and teams from across their entire operations"):
        assert await mdsl.may("Han", "core.teams.view")
        assert await mdsl.may("Han", "core.staff.view", owner="Chewie")
        tree = shown((await mdsl.page("Han", "/v1/teams"))["root"])
        operations = {"staff": {mdsl["Han"], mdsl["Chewie"]}, "teams": {}}
        nobody: dict[str, object] = {"staff": set(), "teams": {}}
        teams = {"Sales": nobody, "Operations": operations, "IT": nobody}
        assert tree == {"staff": set(), "teams": {"Management": {"staff": set(), "teams": teams}}}


# --- personnel changes ----------------------------------------------------------------------------------------


async def test_han_retires_and_chewie_takes_his_place(mdsl: Company) -> None:
    await mdsl.register("contact:galactic-freight", owner="Han")
    others = ("Ray", "Vada", "Laya", "Luke")
    before = {name: await reaches(mdsl, name) for name in others}
    with step("before: Han leads Operations, Chewie has his own account"):
        assert await reaches(mdsl, "Han") == {"Han", "Chewie"}
        assert await reaches(mdsl, "Chewie") == {"Chewie"}
        assert await mdsl.may("Han", "contacts.edit", "contact:galactic-freight")
        assert not await mdsl.sees("Chewie", "contacts.view", "contact:galactic-freight")
    with step("she could easily suspend Han's account"):
        await mdsl.suspend("Han")
        assert await reaches(mdsl, "Han") == set()
        assert await mdsl.why("Han", "contacts.view", owner="Han") == "account_suspended"
        assert await mdsl.why("Han", "portal.login") == "account_suspended"
        assert "Han" not in await mdsl.who_can("contacts.edit", owner="Han")
        assert (await mdsl.refused("rename_team", by="Han", team="Operations", name="Mine"))[0] in (401, 403)
    with step("transfer all his ongoing enquiries to other staff"):
        await mdsl.register("contact:galactic-freight", owner="Chewie")
        assert await mdsl.may("Chewie", "contacts.edit", "contact:galactic-freight")
    with step("change Chewie's Role to Leader"):
        await mdsl.role("Chewie", "leader")
        assert await reaches(mdsl, "Chewie") == {"Han", "Chewie"}, "what Han left behind is still in Operations"
        assert await mdsl.may("Chewie", "reporting.view")
        assert await mdsl.may("Chewie", "core.staff.view", owner="Han")
        assert await mdsl.why("Chewie", "contacts.edit", owner="Luke") == "scope"
    with step("there was virtually no impact to the company's daily operation"):
        assert {name: await reaches(mdsl, name) for name in others} == before
    with step("toggle the Status button to suspend or reactivate an account"):
        await mdsl.reactivate("Han")
        assert await reaches(mdsl, "Han") == {"Han", "Chewie"}


async def test_ray_sees_beforehand_what_the_change_of_role_comes_to(mdsl: Company) -> None:
    held = (await mdsl.page("Ray", "/v1/staff/{Chewie}/roles"))["assignments"]
    person = await mdsl.preview(
        change("unassign_role", assignment=held[0]["id"]), change("assign_role", staff="Chewie", role="leader")
    )
    assert person.keys() == {"Chewie"}
    gained = {one["target"].get("section"): one["gained"] for one in person["Chewie"]}
    assert gained["reporting"].items() >= {"view": "team", "download": "team"}.items()
    with step("and nothing has changed"):
        assert await reaches(mdsl, "Chewie") == {"Chewie"}
