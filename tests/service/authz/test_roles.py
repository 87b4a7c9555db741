"""Roles: built in and custom, in whose hands, and what a person may hold at most (permission model, sections 3, 5 and 6)."""

from __future__ import annotations

from typing import Any

import pytest

from staffgate.decision.builtin import BUILT_IN
from tests.service.authz.office import Office, change, clerk, entry, on


async def test_every_organisation_has_the_built_in_roles_and_its_own(office: Office) -> None:
    ops = await office.role("OPS Staff", "restricted", entry("view create edit", "sms"), entry("", "reporting"))
    shown = (await office.get("/v1/roles"))["roles"]
    assert [role["id"] for role in shown if role["built_in"]] == list(BUILT_IN)
    [mine] = [role for role in shown if not role["built_in"]]
    assert mine == {
        "id": ops,
        "name": "OPS Staff",
        "data_access": "restricted",
        "entries": [entry("view create edit", "sms"), entry("", "reporting")],
        "built_in": False,
    }
    agent = next(role for role in shown if role["id"] == "pbx.call-center-agent")
    assert agent["builds_on"] == "pbx.basic-user"


@pytest.mark.parametrize("kind", ["edit_role", "reset_role", "delete_role"])
async def test_built_in_roles_can_not_be_changed(office: Office, kind: str) -> None:
    more: dict[str, Any] = {"name": "Boss", "data_access": "full"} if kind == "edit_role" else {}
    for role in ("admin", "pbx.no-portal"):
        assert await office.refused(kind, role=role, **more) == (409, "built_in")


async def test_a_custom_role_is_changed_for_everybody_who_holds_it(office: Office) -> None:
    jane, luke = await office.acme.add(), await office.acme.add()
    role = await office.role("Sender", "full", entry("view create", "sms"))
    group = (await office.one("add_group", name="Support"))["id"]
    await office.made(
        change("assign_role", role=role, staff=jane),
        change("assign_role", role=role, group=group),
        change("add_group_members", group=group, staff=[luke]),
    )
    assert await office.may(luke, "sms.create", "section:sms")
    await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    edited = await office.one("edit_role", role=role, name="Reader", data_access="full", entries=[entry("view", "sms")])
    assert (edited["id"], edited["name"]) == (role, "Reader")
    for who in (jane, luke):
        assert await office.may(who, "sms.view", "section:sms")
        assert not await office.may(who, "sms.create", "section:sms")
    told = (await office.acme.authz.told(office.acme.org, before + 1))[-1]
    assert sorted(told.people or ()) == sorted([jane.id, luke.id])
    assert (await office.one("reset_role", role=role))["name"] == "Sender"
    assert await office.may(luke, "sms.create", "section:sms")
    holders = (await office.get(f"/v1/roles/{role}"))["holders"]
    assert [(one.get("staff"), one.get("group")) for one in holders] == [(str(jane.id), None), (None, group)]


async def test_a_role_in_use_can_not_be_deleted(office: Office) -> None:
    jane = await office.acme.add()
    role = await office.role("Sender", "full", entry("view", "sms"))
    held = await office.assigned(role, jane)
    assert await office.refused("delete_role", role=role) == (409, "role_in_use")
    await office.made(change("unassign_role", assignment=held), change("delete_role", role=role))
    assert await office.refused("assign_role", staff=jane, role=role) == (422, "unknown_role")
    assert (await office.ask("GET", f"/v1/roles/{role}")).status == 404


async def test_a_role_has_to_name_what_is_there(office: Office) -> None:
    for entries, problem in (
        ([entry("view", "smoke")], "unknown_section"),
        ([entry("view", "sms", item="inbox:unheard-of")], "unknown_item"),
        ([entry("view", "sms", contract="7")], "unknown_contract"),
        ([entry("view", "sms"), entry("edit", "sms")], "target_twice"),
        ([entry("view", "telephony", item="ivr:a"), entry("", "telephony.ivr", item="ivr:a")], "unknown_item"),
        ([entry("send", "sms")], "invalid"),
    ):
        refused = await office.refused("create_role", name="Sender", data_access="full", entries=entries)
        assert refused == (422, problem)
    await office.role("Sender", "full")
    assert await office.refused("create_role", name="Sender", data_access="full") == (409, "name_taken")
    assert await office.refused("create_role", name="Admin", data_access="full") == (409, "name_taken")
    assert await office.refused("create_role", name="Owner", data_access="all") == (422, "invalid")


async def test_a_person_has_at_most_one_pbx_scope(office: Office) -> None:
    jane = await office.acme.add()
    basic = await office.assigned("pbx.basic-user", jane)
    manager: dict[str, Any] = {"staff": jane, "role": "pbx.office-manager"}
    assert await office.refused("assign_role", **manager) == (409, "one_scope")
    group = (await office.one("add_group", name="Agents"))["id"]
    await office.one("assign_role", group=group, role="pbx.call-center-agent")
    assert await office.refused("add_group_members", group=group, staff=[jane]) == (409, "one_scope"), "nor by a group"
    await office.made(change("unassign_role", assignment=basic), change("assign_role", **manager))
    assert await office.may(jane, "pbx.queues.edit", "queue:support")
    await office.assigned("agent", jane)


async def test_a_scope_builds_on_another(office: Office) -> None:
    jane = await office.acme.add()
    await office.one("link_subscriber", staff=jane, subscriber="101")
    await office.assigned("pbx.office-manager", jane)
    assert await office.may(jane, "pbx.extensions.edit", "extension:101", subscriber="101")
    assert not await office.may(jane, "pbx.extensions.edit", "extension:102", subscriber="102"), "Basic User: own"
    assert await office.may(jane, "pbx.users.edit", "pbx-user:102", subscriber="102"), "Office Manager: all"
    assert await office.may(jane, "portal.login", "section:portal")


async def test_no_portal_is_nothing(office: Office) -> None:
    jane = await office.acme.add(default="full")
    await office.assigned("pbx.no-portal", jane)
    assert not await office.may(jane, "portal.login", "section:portal")
    assert not await office.may(jane, "pbx.settings.view", "section:pbx.settings")


async def test_an_assignment_counts_in_its_context(office: Office) -> None:
    jane = await office.acme.add()
    await office.made(
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant", key="beta", label="Beta"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("add_tenant_members", tenant="beta", staff=[jane]),
        change("assign_role", staff=jane, role="admin", tenant="acme"),
    )
    assert await office.may(jane, "contacts.edit", "contact:a", tenant="acme", owner="x")
    assert not await office.may(jane, "contacts.edit", "contact:a", tenant="beta", owner="x")
    assert not await office.may(jane, "contacts.edit", "contact:a", owner="x")
    wrong: dict[str, Any] = {"staff": jane, "role": "agent"}
    assert await office.refused("assign_role", **wrong, tenant="gamma") == (422, "unknown_tenant")
    assert await office.refused("assign_role", **wrong, contract="7") == (422, "unknown_contract")
    assert await office.refused("assign_role", role="agent") == (422, "one_holder")
    assert await office.refused("assign_role", **wrong, group=await office.root()) == (422, "one_holder")


async def test_each_operation_is_one_change(office: Office) -> None:
    jane = await office.acme.add()
    body = {"name": "Sender", "data_access": "team", "entries": [entry("view", "sms")]}
    made = await office.ask("POST", "/v1/roles", json=body)
    role = made.json["role"]["id"]
    assert made.status == 201
    changed = await office.ask("PUT", f"/v1/roles/{role}", json=body | {"name": "Reader"})
    assert (changed.status, changed.json["role"]["name"]) == (200, "Reader")
    assert (await office.ask("POST", f"/v1/roles/{role}/reset")).json["role"]["name"] == "Sender"
    held = await office.ask("POST", f"/v1/staff/{jane.id}/roles", json={"role": role})
    assert held.json["assignment"]["staff"] == str(jane.id)
    assert len((await office.get(f"/v1/staff/{jane.id}/roles", jane))["assignments"]) == 1, "one's own may be seen"
    assert (await office.ask("DELETE", f"/v1/assignments/{held.json['assignment']['id']}")).status == 200
    gone = await office.ask("DELETE", f"/v1/roles/{role}")
    assert gone.json["revision"] == held.json["revision"] + 2


async def test_roles_take_rights_over_the_whole_organisation(office: Office) -> None:
    jane, han = await office.acme.add(), await clerk(office)
    assert (await office.ask("GET", "/v1/roles", jane)).problem == (403, "not_permitted")
    assert await office.refused("create_role", by=jane, name="Sender", data_access="full") == (403, "not_permitted")
    await office.one("set_grant", staff=han, target=on("core.roles"), level="read")
    assert (await office.ask("GET", "/v1/roles", han)).status == 200
    assert await office.refused("create_role", by=han, name="Sender", data_access="full") == (403, "not_permitted")
