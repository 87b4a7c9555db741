"""Groups: who joins gets their roles, who leaves loses them (permission model, sections 1 and 2)."""

from __future__ import annotations

from tests.service.authz.conftest import NOBODY
from tests.service.authz.office import Office, change


async def test_a_group_s_roles_are_its_members(office: Office) -> None:
    jane = await office.acme.add()
    group = (await office.one("add_group", name="Support"))["id"]
    await office.one("assign_role", group=group, role="admin")
    assert not await office.may(jane, "sms.view", "section:sms")
    await office.one("add_group_members", group=group, staff=[jane])
    assert await office.may(jane, "sms.view", "section:sms")
    await office.one("remove_group_members", group=group, staff=[jane])
    assert not await office.may(jane, "sms.view", "section:sms")
    await office.one("add_group_members", group=group, staff=[jane])
    await office.one("delete_group", group=group)
    assert not await office.may(jane, "sms.view", "section:sms")


async def test_a_group_of_a_tenant_has_members_of_the_tenant_and_counts_there(office: Office) -> None:
    """Worked example 11: role via the group Support in tenant Acme."""
    jane, laya = await office.acme.add(), await office.acme.add("administrator")
    await office.made(change("add_tenant", key="acme", label="Acme"), change("add_tenant", key="beta", label="Beta"))
    group = (await office.one("add_group", name="Support", tenant="acme"))["id"]
    assert (await office.one("assign_role", group=group, role="admin"))["tenant"] == "acme"
    assert await office.refused("assign_role", group=group, role="agent", tenant="beta") == (422, "other_tenant")
    members = {"group": group, "staff": [jane]}
    assert await office.refused("add_group_members", **members) == (409, "not_a_member")
    await office.one("add_group_members", group=group, staff=[laya])
    await office.one("add_tenant_members", tenant="acme", staff=[jane])
    await office.one("add_group_members", **members)
    assert await office.may(jane, "sms.view", "section:sms", tenant="acme")
    assert not await office.may(jane, "sms.view", "section:sms", tenant="beta")
    assert not await office.may(jane, "sms.view", "section:sms"), "nor where no tenant is named"


async def test_each_operation_is_one_change(office: Office) -> None:
    jane = await office.acme.add()
    made = await office.ask("POST", "/v1/groups", json={"name": "Support"})
    group = made.json["group"]["id"]
    assert made.status == 201
    assert (await office.ask("PUT", f"/v1/groups/{group}", json={"name": "Service"})).status == 200
    assert (await office.ask("PUT", f"/v1/groups/{group}/members", json={"staff": [str(jane.id)]})).status == 200
    assert (await office.ask("POST", f"/v1/groups/{group}/roles", json={"role": "agent"})).status == 200
    shown = await office.get(f"/v1/groups/{group}")
    assert (shown["group"]["name"], shown["members"]) == ("Service", [str(jane.id)])
    assert [one["role"] for one in shown["roles"]] == ["agent"]
    [held] = (await office.get(f"/v1/staff/{jane.id}/roles"))["assignments"]
    assert (held["group"], held.get("staff")) == (group, None)
    assert (await office.ask("DELETE", f"/v1/groups/{group}/members/{jane.id}")).status == 200
    gone = await office.ask("DELETE", f"/v1/groups/{group}")
    assert gone.json["revision"] == made.json["revision"] + 5


async def test_what_is_not_there_is_not_changed(office: Office) -> None:
    jane = await office.acme.add()
    group = (await office.one("add_group", name="Support"))["id"]
    assert await office.refused("add_group", name="Support") == (409, "name_taken")
    assert await office.refused("add_group", name="Support", tenant="acme") == (422, "unknown_tenant")
    assert await office.refused("rename_group", group=str(NOBODY), name="X") == (404, "not_found")
    assert await office.refused("delete_group", group=str(NOBODY)) == (404, "not_found")
    assert await office.refused("assign_role", group=str(NOBODY), role="agent") == (404, "not_found")
    assert await office.refused("remove_group_members", group=group, staff=[jane]) == (404, "not_found")
    assert await office.refused("add_group_members", group=group, staff=[str(NOBODY)]) == (404, "not_found")
    assert await office.refused("delete_group", by=jane, group=group) == (403, "not_permitted")
