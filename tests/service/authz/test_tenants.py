"""Tenants: workspaces with members of their own (permission model, sections 1 and 4)."""

from __future__ import annotations

from tests.service.authz.office import Office, change, clerk, on


async def test_only_members_get_in(office: Office) -> None:
    jane, laya = await office.acme.add(default="full"), await office.acme.add("administrator")
    await office.made(change("add_tenant", key="acme", label="Acme"), change("add_tenant", key="beta", label="Beta"))
    await office.one("add_tenant_members", tenant="acme", staff=[jane])
    assert await office.may(jane, "sms.view", "section:sms", tenant="acme")
    assert not await office.may(jane, "sms.view", "section:sms", tenant="beta")
    assert await office.may(laya, "sms.view", "section:sms", tenant="beta"), "administrators are members of each"
    await office.one("remove_tenant_members", tenant="acme", staff=[jane])
    assert not await office.may(jane, "sms.view", "section:sms", tenant="acme")
    assert await office.refused("remove_tenant_members", tenant="acme", staff=[jane]) == (404, "not_found")


async def test_who_leaves_a_tenant_leaves_its_groups(office: Office) -> None:
    jane = await office.acme.add()
    await office.made(
        change("add_tenant", key="acme", label="Acme"), change("add_tenant_members", tenant="acme", staff=[jane])
    )
    group = (await office.one("add_group", name="Support", tenant="acme"))["id"]
    await office.made(
        change("assign_role", group=group, role="admin"), change("add_group_members", group=group, staff=[jane])
    )
    assert await office.may(jane, "sms.view", "section:sms", tenant="acme")
    await office.one("remove_tenant_members", tenant="acme", staff=[jane])
    await office.one("add_tenant_members", tenant="acme", staff=[jane])
    assert not await office.may(jane, "sms.view", "section:sms", tenant="acme")
    assert (await office.get(f"/v1/groups/{group}"))["members"] == []


async def test_a_tenant_that_goes_takes_along_what_was_set_in_it(office: Office) -> None:
    jane = await office.acme.add()
    await office.made(
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("set_grant", staff=jane, target=on("sms", tenant="acme"), level="use"),
        change("add_group", name="Support", tenant="acme"),
    )
    await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    assert (await office.ask("DELETE", "/v1/tenants/acme")).status == 200
    assert (await office.acme.authz.told(office.acme.org, before + 1))[-1].people is None, "it may be anybody's"
    assert (await office.get("/v1/groups"))["groups"] == []
    await office.made(
        change("add_tenant", key="acme", label="Acme"), change("add_tenant_members", tenant="acme", staff=[jane])
    )
    assert not await office.may(jane, "sms.view", "section:sms", tenant="acme"), "nothing of it comes back"


async def test_an_administration_inside_a_tenant(office: Office) -> None:
    """Han may administer permissions in Acme, as its member, and in no other workspace."""
    han, jane = await office.acme.add(), await office.acme.add()
    await office.made(change("add_tenant", key="acme", label="Acme"), change("add_tenant", key="beta", label="Beta"))
    await office.made(
        change("add_tenant_members", tenant="acme", staff=[han, jane]),
        change("set_grant", staff=han, target=on("core", tenant="acme"), level="full"),
        change("set_grant", staff=han, target=on("sms", tenant="acme"), level="use"),
    )
    grant = {"staff": jane, "level": "use"}
    await office.one("set_grant", by=han, **grant, target=on("sms", tenant="acme"))
    for target in (on("sms"), on("sms", tenant="beta")):
        assert await office.refused("set_grant", by=han, **grant, target=target) == (403, "not_permitted")
    unknown = {**grant, "target": on("sms", tenant="gamma")}
    assert await office.refused("set_grant", by=han, **unknown) == (403, "not_permitted"), "not his to know"
    await office.one("add_group", by=han, name="Support", tenant="acme")
    assert await office.refused("add_group", by=han, name="Support") == (403, "not_permitted")
    assert len((await office.get("/v1/groups", han))["groups"]) == 1
    assert (await office.ask("GET", "/v1/tenants/beta", han)).problem == (403, "not_permitted")


async def test_each_operation_is_one_change(office: Office) -> None:
    jane = await office.acme.add()
    made = await office.ask("POST", "/v1/tenants", json={"key": "acme", "label": "Acme"})
    assert (made.status, made.json["tenant"]) == (201, {"key": "acme", "label": "Acme"})
    assert (await office.ask("POST", "/v1/tenants", json={"key": "acme", "label": "A"})).problem == (409, "key_taken")
    assert (await office.ask("PUT", "/v1/tenants/acme", json={"label": "Acme Crates"})).status == 200
    assert (await office.ask("PUT", "/v1/tenants/acme/members", json={"staff": [str(jane.id)]})).status == 200
    shown = await office.get("/v1/tenants/acme")
    assert (shown["tenant"]["label"], shown["members"]) == ("Acme Crates", [str(jane.id)])
    assert [one["key"] for one in (await office.get("/v1/tenants", jane))["tenants"]] == ["acme"], "her own"
    assert (await office.ask("DELETE", f"/v1/tenants/acme/members/{jane.id}")).status == 200
    assert (await office.get("/v1/tenants", jane))["tenants"] == []
    gone = await office.ask("DELETE", "/v1/tenants/acme")
    assert gone.json["revision"] == made.json["revision"] + 4


async def test_tenants_take_rights_over_the_whole_organisation(office: Office) -> None:
    han = await clerk(office)
    await office.one("add_tenant", by=han, key="acme", label="Acme")
    jane = await office.acme.add()
    for kind, fields in (
        ("add_tenant", {"key": "beta", "label": "Beta"}),
        ("rename_tenant", {"tenant": "acme", "label": "A"}),
        ("remove_tenant", {"tenant": "acme"}),
    ):
        assert await office.refused(kind, by=jane, **fields) == (403, "not_permitted")
