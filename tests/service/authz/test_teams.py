"""The team tree: one root, everybody in one team, and rows that follow whoever moves (permission model, sections 1 and 3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffgate.contracts.identity import StaffAdded
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, named, state, until
from tests.service.authz.office import Office, entry


@pytest.fixture
async def people(office: Office) -> dict[str, Someone]:
    """The delivery service: Mr. Vada above three departments, Laya leading Sales, Luke in it, Chewie in Operations."""
    names = ("vada", "laya", "luke", "chewie")
    people = {name: await office.acme.add() for name in names}
    await office.team("Management", None, people["vada"])
    await office.team("Sales", "Management", people["laya"], people["luke"])
    await office.team("Operations", "Management", people["chewie"])
    await office.assigned("manager", people["vada"])
    await office.assigned("leader", people["laya"])
    return people


async def sees(office: Office, who: Someone, owner: Someone) -> bool:
    return await office.may(who, "contacts.edit", "contact:a", owner=str(owner.id))


def shape(team: Any) -> Any:
    return {team["name"]: (len(team["staff"]), team["size"], [shape(below) for below in team["teams"]])}


async def test_the_root_is_the_company_and_everybody_is_in_it_by_default(office: Office) -> None:
    jane = await office.acme.add()
    tree = (await office.get("/v1/teams"))["root"]
    assert (tree["name"], tree["parent"]) == ("ACME Crates", None)
    assert sorted(tree["staff"]) == sorted([str(office.ray.id), str(jane.id)])


async def test_the_tree_is_shown_with_who_is_where(office: Office, people: dict[str, Someone]) -> None:
    tree = (await office.get("/v1/teams"))["root"]
    assert shape(tree) == {
        "ACME Crates": (1, 5, [{"Management": (1, 4, [{"Operations": (1, 1, [])}, {"Sales": (2, 2, [])}])}])
    }
    shown = (await office.get("/v1/teams", people["laya"]))["root"]
    assert shape(shown) == {
        "ACME Crates": (0, 5, [{"Management": (0, 4, [{"Operations": (0, 1, [])}, {"Sales": (2, 2, [])}])}])
    }, "every team by its name, members of her own"
    assert (await office.ask("GET", "/v1/teams", people["luke"])).problem == (403, "not_permitted")


async def test_rows_follow_whoever_moves(office: Office, people: dict[str, Someone]) -> None:
    vada, laya, luke, chewie = people.values()
    assert [await sees(office, laya, one) for one in (luke, chewie)] == [True, False]
    assert [await sees(office, vada, one) for one in (luke, chewie)] == [True, True]
    await office.one("place_members", team=office.teams["Operations"], staff=[luke])
    assert not await sees(office, laya, luke)
    assert await sees(office, vada, luke)
    await office.one("place_members", team=await office.root(), staff=[luke])
    assert not await sees(office, vada, luke)


async def test_rows_follow_a_team_that_moves(office: Office, people: dict[str, Someone]) -> None:
    vada, _, luke, _ = people.values()
    await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    await office.one("move_team", team=office.teams["Sales"], parent=await office.root())
    assert not await sees(office, vada, luke)
    told = (await office.acme.authz.told(office.acme.org, before + 1))[-1]
    assert told.people == [vada.id], "those with a department above it, before or after; nobody else"
    await office.one("move_team", team=office.teams["Sales"], parent=office.teams["Operations"])
    assert await sees(office, vada, luke)


async def test_a_new_team_is_in_the_department_at_once(office: Office, people: dict[str, Someone]) -> None:
    vada = people["vada"]
    assert await sees(office, vada, people["luke"])  # remembered from here on
    team = await office.team("East", "Sales")
    assert await office.may(vada, "contacts.edit", "contact:a", team=team)
    await office.one("delete_team", team=team)
    assert not await office.may(vada, "contacts.edit", "contact:a", team=team)


async def test_no_circles_no_second_root_and_nothing_lost(office: Office, people: dict[str, Someone]) -> None:
    root, sales, management = await office.root(), office.teams["Sales"], office.teams["Management"]
    assert await office.refused("move_team", team=management, parent=sales) == (409, "team_cycle")
    assert await office.refused("move_team", team=sales, parent=sales) == (409, "team_cycle")
    assert await office.refused("move_team", team=root, parent=sales) == (409, "root_team")
    assert await office.refused("delete_team", team=root) == (409, "root_team")
    assert await office.refused("delete_team", team=sales) == (409, "team_not_empty")
    assert await office.refused("delete_team", team=management) == (409, "team_not_empty")
    assert await office.refused("add_team", name="Sales", parent=management) == (409, "name_taken")
    assert await office.refused("rename_team", team=sales, name="Operations") == (409, "name_taken")
    assert await office.refused("rename_team", team=str(people["luke"].id), name="X") == (404, "not_found")
    assert await office.refused("add_team", name="X", parent=str(people["luke"].id)) == (404, "not_found")


async def test_the_tree_is_not_endless(office: Office) -> None:
    above = await office.root()
    for depth in range(49):
        above = (await office.one("add_team", name=str(depth), parent=above))["id"]
    assert await office.refused("add_team", name="deeper", parent=above) == (422, "too_deep")
    beside = (await office.one("add_team", name="beside", parent=await office.root()))["id"]
    assert await office.refused("move_team", team=beside, parent=above) == (422, "too_deep")


async def test_a_leader_arranges_their_own_team_only(office: Office, people: dict[str, Someone]) -> None:
    laya, luke, chewie = people["laya"], people["luke"], people["chewie"]
    await office.assigned(await office.role("Organiser", "team", entry("view create edit delete", "core.teams")), laya)
    sales = office.teams["Sales"]
    await office.one("add_team", by=laya, name="East", parent=sales)
    await office.one("rename_team", by=laya, team=sales, name="Sales and Service")
    denied = (403, "not_permitted")
    operations = office.teams["Operations"]
    assert await office.refused("rename_team", by=laya, team=operations, name="X") == denied
    assert await office.refused("place_members", by=laya, team=sales, staff=[chewie]) == denied, "not hers to take"
    assert await office.refused("place_members", by=laya, team=operations, staff=[luke]) == denied, "not hers to fill"
    assert await office.refused("move_team", by=laya, team=sales, parent=operations) == denied


async def test_each_operation_is_one_change(office: Office, people: dict[str, Someone]) -> None:
    root = await office.root()
    made = await office.ask("POST", "/v1/teams", json={"name": "IT", "parent": root})
    team = made.json["team"]["id"]
    assert made.status == 201
    for path, body in (
        (f"/v1/teams/{team}/name", {"name": "IT and Security"}),
        (f"/v1/teams/{team}/parent", {"parent": office.teams["Management"]}),
        (f"/v1/teams/{team}/members", {"staff": [str(people["luke"].id)]}),
        (f"/v1/teams/{office.teams['Sales']}/members", {"staff": [str(people["luke"].id)]}),
    ):
        assert (await office.ask("PUT", path, json=body)).status == 200, path
    gone = await office.ask("DELETE", f"/v1/teams/{team}")
    assert gone.json["revision"] == made.json["revision"] + 5


async def test_the_root_gets_the_company_s_name_once_it_is_known(authz: Authz) -> None:
    """Whichever event comes first makes the root; and whoever renames it has named it for good."""
    org = IDS.uuid()
    ray = Someone(authz, org, state("owner"), IDS.uuid())
    await authz.publish(StaffAdded(org=org, state=ray.state))
    await until(lambda: ray.changes)
    office = Office(Organisation(authz, org, ray))
    root = (await office.get("/v1/teams"))["root"]
    assert (root["name"], root["staff"]) == ("Company", [str(ray.id)])
    await authz.publish(named(org))
    async with asyncio.timeout(30):
        while (await office.get("/v1/teams"))["root"]["name"] != "ACME Crates":
            await asyncio.sleep(0.005)
    await office.one("rename_team", team=root["id"], name="ACME")
    jane = await office.acme.add()
    await authz.publish(named(org, "AcmeTeam"))
    han = await office.acme.add()
    tree = (await office.get("/v1/teams"))["root"]
    assert tree["name"] == "ACME"
    assert sorted(tree["staff"]) == sorted(str(one.id) for one in (ray, jane, han))
