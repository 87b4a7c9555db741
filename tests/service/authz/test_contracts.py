"""Contracts, and the page of an agreement: who may appoint whom (permission model, sections 2 and 6, rule 3)."""

from __future__ import annotations

from typing import Any

import pytest

from services.authz.store import access as access_store
from staffgate.contracts.identity import StaffStatus, StaffSuspended
from tests.service.authz.conftest import Someone
from tests.service.authz.office import Held, Office, change, clerk, entry, on


@pytest.fixture
async def seven(office: Office) -> Office:
    products = ["telephony", "virtual-pbx", "telephony"]
    shown = await office.one("add_contract", key="7", label="Agreement 7", products=products)
    assert shown == {"key": "7", "label": "Agreement 7", "products": ["telephony", "virtual-pbx"]}
    return office


@pytest.fixture
async def jane(office: Office) -> Someone:
    return await office.acme.add()


def level(who: Someone, to: str, product: str = "telephony") -> dict[str, Any]:
    return {"staff": who, "contract": "7", "product": product, "level": to}


async def test_a_level_counts_in_its_contract_and_product(seven: Office, jane: Someone) -> None:
    await seven.one("add_contract", key="8", label="Agreement 8", products=["telephony"])
    await seven.one("set_access", **level(jane, "user"))
    settings = "section:telephony.settings"
    assert await seven.may(jane, "telephony.settings.view", settings, contract="7")
    assert not await seven.may(jane, "telephony.settings.edit", settings, contract="7")
    assert not await seven.may(jane, "telephony.settings.view", settings, contract="8")
    await seven.one("set_access", **level(jane, "administrator"))
    assert await seven.may(jane, "telephony.settings.approve", settings, contract="7")
    await seven.one("set_access", **level(jane, "without"))
    assert not await seven.may(jane, "telephony.settings.view", settings, contract="7")
    assert await seven.may(jane, "product.use", "product:telephony", contract="7"), "may use it all the same"


async def test_the_page_shows_people_by_products(seven: Office, jane: Someone) -> None:
    await seven.one("set_access", **level(jane, "user"))
    await seven.one("set_access", **level(jane, "administrator", "virtual-pbx"))
    table = await seven.get("/v1/contracts/7/access")
    assert table["contract"]["products"] == ["telephony", "virtual-pbx"]
    levels = {line["staff"]: line["levels"] for line in table["people"]}
    assert levels == {
        str(jane.id): {"telephony": "user", "virtual-pbx": "administrator"}, str(seven.ray.id): {}
    }  # fmt: skip
    assert (await seven.ask("GET", "/v1/contracts/7/access", jane)).problem == (403, "not_permitted")
    assert (await seven.ask("GET", "/v1/contracts/8/access")).problem == (404, "not_found")


async def test_who_may_appoint_whom(seven: Office, jane: Someone) -> None:
    """The table of the page, row by row: owner, administrator, CORE administrator of the contract, anybody else."""
    laya, han, luke = await seven.acme.add("administrator"), await seven.acme.add(), await clerk(seven, ("full", {}))
    for product in ("core", "telephony"):
        await seven.one("set_access", **level(han, "administrator", product))
    await seven.one("add_contract", key="8", label="Agreement 8", products=["telephony"])
    for by, without, user in (
        (seven.ray, 200, 200), (laya, "owners_only", 200), (han, "owners_only", 200),
        (luke, "core_administrators_only", "core_administrators_only"),
    ):  # fmt: skip
        if by is luke:  # in CORE itself he may edit, by a level of his own
            await seven.made(change("set_grant", staff=luke, target=on("core", contract="7"), level="full"))
        for to, expected in (("user", user), ("administrator", user), ("without", without), ("owner", "owner_level")):
            answer = await seven.make(change("set_access", **level(jane, to)), by=by)
            got = answer.status if answer.status == 200 else answer.problem[1]
            assert got == expected, (by.state.type, to)
    other: dict[str, Any] = {**level(jane, "user"), "contract": "8"}
    assert await seven.refused("set_access", by=han, **other) == (403, "not_permitted"), "of the contract 7 only"
    assert await seven.refused("remove_access", by=laya, staff=jane, contract="7", product="telephony") == (
        403,
        "owners_only",
    )


async def test_a_lowered_administrator_appoints_nobody(seven: Office, jane: Someone) -> None:
    laya = await seven.acme.add("administrator")
    await seven.one("set_access", **level(laya, "user", "core"))
    refused = await seven.refused("set_access", by=laya, **level(jane, "user"))
    assert refused == (403, "not_permitted")
    settings = "section:telephony.settings"
    assert await seven.may(laya, "telephony.settings.edit", settings, contract="7")
    await seven.one("set_access", **level(laya, "user"))
    assert not await seven.may(laya, "telephony.settings.edit", settings, contract="7")
    assert await seven.may(laya, "telephony.settings.edit", settings)


async def test_the_owner_stays_owner_of_core(seven: Office) -> None:
    laya = await seven.acme.add("administrator")
    assert await seven.refused("set_access", by=laya, **level(seven.ray, "user", "core")) == (409, "owner_level")


async def test_two_administrators_can_not_demote_each_other(
    seven: Office, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last active one is not demoted (section 6, rule 4): whoever comes second is none any more."""
    laya, leia = await seven.acme.add("administrator"), await seven.acme.add("administrator")
    await seven.acme.revision()
    await seven.ray.becomes(StaffSuspended, status=StaffStatus.SUSPENDED)
    held = Held(monkeypatch, access_store, "put_access")
    first, second = await held.race(
        owner,
        seven.make(change("set_access", **level(leia, "user", "core")), by=laya),
        seven.make(change("set_access", **level(laya, "user", "core")), by=leia),
    )
    assert (first.status, second.problem) == (200, (403, "not_permitted"))


async def test_what_a_contract_does_not_carry_has_no_level(seven: Office, jane: Someone) -> None:
    assert await seven.refused("set_access", **level(jane, "user", "sms")) == (422, "not_subscribed")
    assert await seven.refused("set_access", **level(jane, "user", "smoke")) == (422, "unknown_product")
    assert await seven.refused("set_access", **{**level(jane, "user"), "contract": "9"}) == (404, "not_found")
    await seven.one("set_access", **level(jane, "user", "core"))
    gone: dict[str, Any] = {"staff": jane, "contract": "7", "product": "telephony"}
    assert await seven.refused("remove_access", **gone) == (404, "not_found")


async def test_a_contract_that_goes_takes_along_what_was_set_in_it(seven: Office, jane: Someone) -> None:
    role = await seven.role("Sender", "full", entry("view", "sms", contract="7"))
    await seven.made(
        change("set_access", **level(jane, "user")),
        change("set_grant", staff=jane, target=on("sms", contract="7"), level="use"),
        change("assign_role", staff=jane, role="agent", contract="7"),
    )
    assert await seven.refused("remove_contract", contract="7") == (409, "contract_in_use")
    await seven.one("delete_role", role=role)
    assert (await seven.ask("DELETE", "/v1/contracts/7")).status == 200
    assert not await seven.may(jane, "sms.view", "section:sms", contract="7")
    await seven.one("add_contract", key="7", label="Another one", products=["telephony", "sms"])
    assert not await seven.may(jane, "sms.view", "section:sms", contract="7"), "nothing of it comes back"
    assert (await seven.get(f"/v1/staff/{jane.id}/roles"))["assignments"] == []


async def test_each_operation_is_one_change(seven: Office, jane: Someone) -> None:
    made = await seven.ask("POST", "/v1/contracts", json={"key": "8", "label": "Eight", "products": ["sms"]})
    assert (made.status, made.json["contract"]["key"]) == (201, "8")
    again = await seven.ask("POST", "/v1/contracts", json={"key": "8", "label": "Eight"})
    assert again.problem == (409, "key_taken")
    body = {"label": "Agreement 8", "products": ["sms", "contacts"]}
    assert (await seven.ask("PUT", "/v1/contracts/8", json=body)).json["contract"]["products"] == ["contacts", "sms"]
    assert await seven.may(jane, "product.use", "product:contacts", contract="8")
    path = f"/v1/contracts/8/access/{jane.id}/sms"
    assert (await seven.ask("PUT", path, json={"level": "user"})).status == 200
    assert (await seven.ask("DELETE", path)).status == 200
    gone = await seven.ask("DELETE", "/v1/contracts/8")
    assert gone.json["revision"] == made.json["revision"] + 4
    assert [one["key"] for one in (await seven.get("/v1/contracts", jane))["contracts"]] == ["7"]


async def test_contracts_take_rights_over_the_whole_organisation(seven: Office, jane: Someone) -> None:
    new = {"key": "8", "label": "Eight"}
    assert await seven.refused("add_contract", by=jane, **new) == (403, "not_permitted")
    await seven.assigned(await seven.role("Clerk", "team", entry("view create edit delete", "core")), jane)
    assert await seven.refused("add_contract", by=jane, **new) == (403, "not_permitted"), "not a team's affair"
    han = await clerk(seven)
    await seven.one("add_contract", by=han, **new)
