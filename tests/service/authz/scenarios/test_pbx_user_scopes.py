"""The text on PBX user scopes, sentence by sentence. Everybody has an extension: they are linked to its subscriber."""

from __future__ import annotations

import pytest

from tests.service.authz.conftest import Authz
from tests.service.authz.scenarios.stage import ACTIONS, CATALOGUE, FULL, Company, change, founded, step

SCOPES = {
    "Basic User": "pbx.basic-user",
    "Office Manager": "pbx.office-manager",
    "Call Center Agent": "pbx.call-center-agent",
    "Call Center Supervisor": "pbx.call-center-supervisor",
    "No Portal": "pbx.no-portal",
}
# Who has which in these scenarios, and which extension.
USERS = {"Luke": "Basic User", "Laya": "Office Manager", "Jane": "Call Center Agent", "Han": "Call Center Supervisor"}
EXTENSIONS = {"Luke": "101", "Laya": "102", "Jane": "103", "Han": "104", "Chewie": "105"}
EVERYTHING = [f"{section}.{action}" for section in CATALOGUE.sections for action in ACTIONS] + [*CATALOGUE.features]


@pytest.fixture
async def pbx(authz: Authz) -> Company:
    """The hosted PBX of a company: Ray administers it, and each scope but No Portal is somebody's."""
    company = await founded(authz, "Millennium")
    await company.hire("Ray", type="administrator")
    company.admin = "Ray"
    await company.hire(*EXTENSIONS)
    links = [change("link_subscriber", staff=name, subscriber=number) for name, number in EXTENSIONS.items()]
    scopes = [change("assign_role", staff=name, role=SCOPES[scope]) for name, scope in USERS.items()]
    await company.change_all(*links, *scopes)
    for number in EXTENSIONS.values():
        await company.register(f"extension:{number}", f"call:from-{number}", subscriber=number)
    return company


async def is_a_basic_user(pbx: Company, name: str) -> None:
    """All the privileges of a Basic User, and over nobody else's extension."""
    mine, others = EXTENSIONS[name], "105"
    with step("access to most features, including the mobile apps, web phones and attendant console"):
        for action in ("pbx.apps.view", "pbx.web-phone.view", "pbx.web-phone.create", "pbx.attendant-console.view"):
            assert await pbx.may(name, action), action
    with step("when a Basic User logs into the PBX portal"):
        assert await pbx.may(name, "portal.login")
    with step("they will be able to manage their extension and settings"):
        for action in ("pbx.extensions.edit", "pbx.own-settings.edit"):
            assert await pbx.may(name, action, subscriber=mine)
            assert await pbx.why(name, action, subscriber=others) == "scope"
        assert await pbx.finds(name, "pbx.extensions.edit", "extension") == [mine]
    with step("they can also view their call history"):
        assert await pbx.may(name, "pbx.call-history.view", subscriber=mine)
        assert not await pbx.may(name, "pbx.call-history.edit", subscriber=mine)
        assert await pbx.finds(name, "pbx.call-history.view", "call") == [f"from-{mine}"]


# --- the scopes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_following_scopes_can_be_assigned_to_any_user(pbx: Company, scope: str) -> None:
    for name in ("Chewie", "Luke"):
        await pbx.role(name, SCOPES[scope])
        [held] = (await pbx.page("Ray", f"/v1/staff/{pbx[name]}/roles"))["assignments"]
        assert held["role"] == SCOPES[scope]
        shown = await pbx.page("Ray", f"/v1/roles/{SCOPES[scope]}")
        assert (shown["role"]["name"], shown["role"]["built_in"]) == (scope, True)


async def test_a_user_has_one_scope(pbx: Company) -> None:
    for scope in set(SCOPES) - {"Basic User"}:
        refusal = await pbx.refused("assign_role", staff="Luke", role=SCOPES[scope])
        assert refusal == (409, "one_scope")
    await is_a_basic_user(pbx, "Luke")


async def test_basic_user(pbx: Company) -> None:
    await is_a_basic_user(pbx, "Luke")
    with step("and nothing of the other scopes"):
        sections = ("settings", "attendants", "queues", "time-frames", "users", "agent", "supervisor", "reports")
        for section in sections:
            assert await pbx.level("Luke", f"pbx.{section}") == ""
            assert not await pbx.sees("Luke", f"pbx.{section}.view")


async def test_office_manager(pbx: Company) -> None:
    with step("the same privileges as a Basic User"):
        await is_a_basic_user(pbx, "Laya")
    with step("plus access to the Organizations main PBX settings"):
        assert await pbx.level("Laya", "pbx.settings") == FULL
    with step("add and edit core features like Auto Attendants, Call Queues, global Time Frames"):
        await pbx.register("attendant:main", "queue:sales")
        for section in ("pbx.attendants", "pbx.queues", "pbx.time-frames"):
            assert await pbx.allowed("Laya", f"{section}.create", f"{section}.edit") == {
                f"{section}.create",
                f"{section}.edit",
            }
        assert await pbx.may("Laya", "pbx.attendants.edit", "attendant:main")
        assert await pbx.may("Laya", "pbx.queues.edit", "queue:sales")
    with step("Office Managers can also view and edit all Users in their PBX System"):
        for name, number in EXTENSIONS.items():
            found = await pbx.level("Laya", "pbx.users", owner=name, subscriber=number)
            assert found == "view edit", name
    with step("the pages of a call center are not theirs"):
        assert await pbx.allowed("Laya", "pbx.agent.view", "pbx.supervisor.view", "report.run") == set()


async def test_call_center_agent(pbx: Company) -> None:
    """Whose members a queue has the product says, by their subscriber; or a queue is granted by name."""
    await pbx.register("queue:sales", "queue:support")
    with step("an upgrade from a Basic User: the same privileges"):
        await is_a_basic_user(pbx, "Jane")
    with step("plus access to an additional Call Center Agent page"):
        assert await pbx.may("Jane", "pbx.agent.view")
        assert not await pbx.may("Luke", "pbx.agent.view")
    with step("on this page they can view queues they are members of"):
        assert await pbx.may("Jane", "pbx.queues.view", "queue:sales", subscriber=EXTENSIONS["Jane"])
        assert await pbx.why("Jane", "pbx.queues.view", "queue:support", subscriber=EXTENSIONS["Luke"]) == "scope"
        assert await pbx.why("Jane", "pbx.queues.view", "queue:sales") == "scope_unknown"
        await pbx.grant("Jane", "read", section="pbx.queues", item="queue:support")
        assert await pbx.finds("Jane", "pbx.queues.view", "queue") == ["support"]
        await pbx.change("reset_grants", staff="Jane")
    with step("log in and out of queues"):
        assert await pbx.may("Jane", "queue.join", "queue:sales", subscriber=EXTENSIONS["Jane"])
        assert not await pbx.may("Jane", "queue.join", "queue:support", subscriber=EXTENSIONS["Luke"])
        assert not await pbx.may("Jane", "pbx.queues.edit", "queue:sales", subscriber=EXTENSIONS["Jane"])
    with step("and change their status"):
        assert await pbx.may("Jane", "agent.status")
        assert (await pbx.answer("Jane", "agent.status"))["rows"] == "restricted"
    with step("the Supervisor page is not theirs"):
        assert await pbx.allowed("Jane", "pbx.supervisor.view", "report.run", "pbx.settings.view") == set()


async def test_call_center_supervisor(pbx: Company) -> None:
    await pbx.register("queue:sales", "queue:support", "queue:board")
    with step("an upgrade from a Basic User: the same privileges"):
        await is_a_basic_user(pbx, "Han")
    with step("plus access to an additional Call Center Supervisor page"):
        assert await pbx.may("Han", "pbx.supervisor.view")
    with step("and some of the global PBX settings"):
        assert await pbx.may("Han", "pbx.time-frames.edit")
        assert await pbx.allowed("Han", "pbx.settings.view", "pbx.attendants.view", "pbx.users.view") == set()
    with step("they can view all queues they have access to"):
        assert await pbx.finds("Han", "pbx.queues.view", "queue") == ["board", "sales", "support"]
        await pbx.grant("Han", "deny", section="pbx.queues", item="queue:board")
        assert await pbx.finds("Han", "pbx.queues.view", "queue") == ["sales", "support"]
    with step("see the systems call activity, view a real time stats grid, view all Agents with their status"):
        for action in ("supervisor.activity", "supervisor.grid", "supervisor.agents"):
            assert (await pbx.answer("Han", action))["rows"] == "full"
    with step("Supervisors are also able to run advanced Call Center Reports"):
        assert await pbx.may("Han", "report.run")
    with step("and view real-time stats on any Agent"):
        assert await pbx.may("Han", "supervisor.grid", "section:pbx.supervisor", owner="Jane")


async def test_a_supervisors_settings_can_be_managed_by_an_admin_or_another_office_manager(pbx: Company) -> None:
    supervisor = {"owner": "Han", "subscriber": EXTENSIONS["Han"]}
    assert await pbx.may("Ray", "pbx.users.edit", **supervisor)
    assert await pbx.may("Laya", "pbx.users.edit", **supervisor)
    for name in ("Luke", "Jane", "Han"):
        assert not await pbx.may(name, "pbx.users.edit", **supervisor)
    assert await pbx.who_can("pbx.users.edit", **supervisor) == {"Owner", "Ray", "Laya"}


async def test_no_portal(pbx: Company) -> None:
    with step("special hidden or System Users: no portal access"):
        await pbx.role("Chewie", SCOPES["No Portal"])
        assert await pbx.why("Chewie", "portal.login") == "no_portal"
        assert await pbx.allowed("Chewie", *EVERYTHING) == set()
    with step("whatever the account's default and its other roles say"):
        await pbx.change("set_default_level", staff="Chewie", level="full")
        assert await pbx.allowed("Chewie", *EVERYTHING) == set()
        await pbx.change("assign_role", staff="Chewie", role="agent")
        await pbx.grant("Chewie", "full", section="portal")
        assert await pbx.why("Chewie", "portal.login") == "no_portal"


async def test_change_their_scope_to_no_portal_and_back(pbx: Company) -> None:
    await pbx.role("Luke", SCOPES["No Portal"])
    assert await pbx.why("Luke", "portal.login") == "no_portal"
    assert not await pbx.may("Luke", "pbx.extensions.edit", subscriber=EXTENSIONS["Luke"])
    await pbx.role("Luke", SCOPES["Basic User"])
    await is_a_basic_user(pbx, "Luke")


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_scopes_themselves_cannot_be_changed(pbx: Company, scope: str) -> None:
    refusal = await pbx.refused("edit_role", role=SCOPES[scope], name=scope, data_access="full", entries=[])
    assert refusal == (409, "built_in")
    assert await pbx.refused("delete_role", role=SCOPES[scope]) == (409, "built_in")
