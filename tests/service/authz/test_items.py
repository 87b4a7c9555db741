"""The item registry."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from staffgate.contracts.identity import StaffAdded
from tests.service.authz.conftest import IDS, Answer, Organisation, Someone, registered, state


def place(acme: Organisation, item: str) -> str:
    type, _, id = item.partition(":")
    return f"/v1/organisations/{acme.org}/items/{quote(type)}/{quote(id, safe='')}"


async def put(
    acme: Organisation, item: str, label: Any = "Sales Team", section: str = "sms", token: str = "", **about: Any
) -> Answer:
    body = {"section": section, "label": label} | about
    answer: Answer = await acme.authz.ask("PUT", place(acme, item), token=token or acme.authz.product, json=body)
    return answer


async def delete(acme: Organisation, item: str, token: str = "") -> Answer:
    answer: Answer = await acme.authz.ask("DELETE", place(acme, item), token=token or acme.authz.product)
    return answer


async def many(acme: Organisation, *items: str, **about: Any) -> Answer:
    pairs = [item.split(":", 1) for item in items]
    body = {"items": [{"type": type, "id": id, "section": "sms", "label": id} | about for type, id in pairs]}
    path = f"/v1/organisations/{acme.org}/items"
    answer: Answer = await acme.authz.ask("POST", path, token=acme.authz.product, json=body)
    return answer


async def listed(acme: Organisation, token: str = "", **query: str) -> Any:
    path = f"/v1/organisations/{acme.org}/items"
    answer = await acme.authz.ask("GET", path, token=token or acme.ray.token, params=query)
    assert answer.status == 200, answer.text
    return answer.json


async def test_every_change_of_an_item_raises_the_revision_and_names_its_type(acme: Organisation) -> None:
    start = await acme.revision()
    before = len(acme.authz.heard.of(acme.org))
    for label in ("Sales", "Sales", "Sales Team"):
        answer = await put(acme, "inbox:sales", label)
        assert answer.json == {"type": "inbox", "id": "sales", "section": "sms", "label": label}
    await put(acme, "inbox:management")
    await delete(acme, "inbox:management")
    told = (await acme.authz.told(acme.org, before + 4))[before:]
    assert [(event.previous + 1 == event.revision, event.people, event.types) for event in told] == [
        (True, [], ("inbox",))
    ] * 4
    assert await acme.revision() == start + 4
    body = {
        "subject": {"type": "staff", "id": str(acme.ray.id)},
        "action": {"name": "sms.read"},
        "resource": {"type": "inbox"},
    }
    found = await acme.authz.ask("POST", "/access/v1/search/resource", token=acme.authz.product, json=body)
    assert [one["id"] for one in found.json["results"]] == ["sales"]
    assert found.json["results"][0]["properties"].items() >= {"label": "Sales Team", "section": "sms"}.items()


@pytest.mark.parametrize(
    ("item", "section", "problem"),
    [
        ("inbox:sales", "smoke", (422, "unknown_section")),
        ("crate:sales", "sms", (422, "unknown_item_type")),
        ("inbox:sales", "contacts", (422, "wrong_section")),
        ("inbox:" + "x" * 199, "sms", (422, "item_name_too_long")),
        ("channel:pigeon", "channels", (409, "fixed_items")),
        ("inbox:a\tb", "sms", (404, "not_found")),
        ("INBOX:sales", "sms", (404, "not_found")),
        ("inbox:sales", "S M S", (422, "invalid")),
    ],
)
async def test_an_item_has_to_fit_the_catalogue(
    acme: Organisation, item: str, section: str, problem: tuple[int, str]
) -> None:
    assert (await put(acme, item, section=section)).problem == problem


async def test_an_item_may_be_called_what_it_is_called(acme: Organisation) -> None:
    jane = await acme.add()
    for item in ("inbox:+61 400 000 000", "inbox:Büro:Süd/1", "inbox:100%", "inbox:\U0001f69a"):
        assert (await put(acme, item)).status == 200
        assert (await acme.grant(jane, "use", item=item)).status == 200
        assert await acme.may(jane, "sms.send", item)
        assert item in await acme.found(jane, "sms.send")


async def test_a_product_has_the_items_of_its_own_manifest(acme: Organisation) -> None:
    number = ("number:office", "telephony.numbers")
    assert (await put(acme, number[0], section=number[1])).problem == (403, "others_items")
    telephony = acme.authz.identity.token("telephony")
    assert (await put(acme, number[0], section=number[1], token=telephony)).status == 200
    assert (await delete(acme, number[0])).problem == (403, "others_items")
    assert (await delete(acme, number[0], token=telephony)).status == 200


# --- attributes -----------------------------------------------------------------------------------------------


async def furnished(acme: Organisation, owner: Any) -> dict[str, str]:
    """A contract, a tenant and a team to be named by items."""
    team = await owner.fetchval("SELECT id FROM team WHERE org = $1 AND parent IS NULL", acme.org)
    if team is None:
        team = IDS.uuid()
        await owner.execute("INSERT INTO team (org, id, name) VALUES ($1, $2, 'Company')", acme.org, team)
    await owner.execute("INSERT INTO contract VALUES ($1, '7', 'Contract 7', ARRAY['sms'])", acme.org)
    await owner.execute("INSERT INTO tenant VALUES ($1, 'acme', 'Acme')", acme.org)
    jane = await acme.add()
    return {
        "owner": str(jane.id), "team": str(team), "subscriber": "101", "tenant": "acme", "contract": "7", "channel": "sms",
    }  # fmt: skip


async def test_an_item_says_whose_it_is_and_where_it_applies(acme: Organisation, owner: Any) -> None:
    about = await furnished(acme, owner)
    answer = await put(acme, "inbox:sales", **about)
    whole = {"type": "inbox", "id": "sales", "section": "sms", "label": "Sales Team"} | about
    assert answer.json == whole
    assert (await listed(acme, type="inbox"))["items"] == [whole]
    answer = await put(acme, "inbox:sales", channel="email")
    assert answer.json == {"type": "inbox", "id": "sales", "section": "sms", "label": "Sales Team", "channel": "email"}


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("owner", "00000000-0000-7000-8000-000000000001", "unknown_owner"),
        ("owner", "another organisation's", "unknown_owner"),
        ("owner", "Jane", "invalid"),
        ("team", "00000000-0000-7000-8000-000000000001", "unknown_team"),
        ("team", "another organisation's", "unknown_team"),
        ("tenant", "beta", "unknown_tenant"),
        ("tenant", "another organisation's", "unknown_tenant"),
        ("contract", "9", "unknown_contract"),
        ("contract", "another organisation's", "unknown_contract"),
        ("channel", "pigeon", "unknown_channel"),
        ("subscriber", "", "invalid"),
    ],
)
async def test_what_an_item_names_is_its_own_organisations(
    acme: Organisation, owner: Any, attribute: str, value: str, code: str
) -> None:
    if value.startswith("another"):
        other = await registered(acme.authz, "Other Crates")
        value = (await furnished(other, owner))[attribute]
    start = await acme.revision()
    assert (await put(acme, "inbox:sales", **{attribute: value})).problem == (422, code)
    assert (await many(acme, "inbox:sales", "inbox:support", **{attribute: value})).problem == (422, code)
    assert await acme.revision() == start
    assert (await listed(acme, type="inbox"))["items"] == []


async def test_an_owner_who_is_on_the_way_is_waited_for(acme: Organisation) -> None:
    jane = Someone(acme.authz, acme.org, state(), IDS.uuid())
    asked = asyncio.create_task(put(acme, "inbox:sales", owner=str(jane.id)))
    await acme.revision()
    await acme.authz.publish(StaffAdded(org=acme.org, state=jane.state))
    assert (await asked).json["owner"] == str(jane.id)


# --- many at once ---------------------------------------------------------------------------------------------


async def test_a_thousand_items_are_one_change(acme: Organisation) -> None:
    start = await acme.revision()
    names = [f"inbox:{n:04}" for n in range(1000)]
    answer = await many(acme, *names)
    assert answer.json == {"changed": 1000, "revision": start + 1}
    assert (await many(acme, *names)).json == {"changed": 0, "revision": start + 1}
    assert (await many(acme, *names[:2], "inbox:new")).json == {"changed": 1, "revision": start + 2}
    assert (await many(acme, *names, "inbox:more")).problem == (422, "invalid")
    assert (await many(acme)).problem == (422, "invalid")


async def test_of_many_items_all_are_registered_or_none(acme: Organisation) -> None:
    start = await acme.revision()
    assert (await many(acme, "inbox:sales", "number:office")).problem == (403, "others_items")
    assert (await many(acme, "inbox:sales", "crate:sales")).problem == (422, "unknown_item_type")
    assert (await many(acme, "inbox:sales", "inbox:sales")).problem == (422, "named_twice")
    assert await acme.revision() == start
    assert (await listed(acme, type="inbox"))["items"] == []


# --- removing -------------------------------------------------------------------------------------------------


async def test_a_removed_item_is_gone_and_may_come_again(acme: Organisation) -> None:
    jane = await acme.add()
    await acme.register("inbox:sales", "inbox:support")
    assert (await acme.grant(jane, "use", item="inbox:sales")).status == 200
    start = await acme.revision()
    assert (await delete(acme, "inbox:sales")).json == {"revision": start + 1}
    assert (await delete(acme, "inbox:sales")).json == {"revision": start + 1}, "as often as one likes"
    assert (await delete(acme, "inbox:never")).problem == (404, "not_found")
    assert await acme.found(jane, "sms.send") == []
    assert await acme.found(acme.ray, "sms.send") == ["inbox:support"]
    assert (await acme.grant(jane, "read", item="inbox:sales")).problem == (422, "unknown_item")
    assert [one["target"]["item"] for one in await gone(acme, jane)] == ["inbox:sales"]
    await acme.register("inbox:sales")
    assert await acme.found(jane, "sms.send") == ["inbox:sales"]
    assert await gone(acme, jane) == []


async def gone(acme: Organisation, who: Someone) -> list[Any]:
    answer = await acme.authz.ask("GET", f"/v1/staff/{who.id}/grants", token=acme.ray.token)
    return [grant for grant in answer.json["grants"] if grant["id"] in answer.json["gone"]]


# --- lists ----------------------------------------------------------------------------------------------------


async def test_a_list_is_read_page_by_page(acme: Organisation) -> None:
    names = [f"inbox:{n}" for n in range(5)]
    await acme.register(*names)
    await acme.register("number:office", section="telephony.numbers")
    seen, query = [], {"limit": "2"}
    while True:
        page = await listed(acme, **query)
        seen += [f"{item['type']}:{item['id']}" for item in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            break
        query["after"] = page["next"]
        if "inbox:0" in seen:
            await delete(acme, "inbox:0")  # what changes meanwhile moves nothing
    channels = [f"channel:{name}" for name in sorted(("webchat", "phone", "email", "facebook", "whatsapp", "sms"))]
    assert seen == [*channels, *names, "number:office"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"type": "inbox"}, ["inbox:100%", "inbox:sales", "inbox:support"]),
        ({"section": "telephony"}, ["number:office"]),
        ({"section": "telephony.numbers", "type": "number"}, ["number:office"]),
        ({"section": "sms", "type": "number"}, []),
        ({"label": "SALE"}, ["inbox:sales"]),
        ({"label": "%"}, ["inbox:100%"]),
        ({"label": "phone"}, ["channel:phone"]),
        ({"type": "channel", "label": "web"}, ["channel:webchat"]),
        ({"type": "contact"}, []),
    ],
)
async def test_a_list_is_narrowed_by_type_section_and_label(
    acme: Organisation, query: dict[str, str], found: list[str]
) -> None:
    await acme.register("inbox:sales", "inbox:support", "inbox:100%")
    await acme.register("number:office", section="telephony.numbers")
    for token in (acme.ray.token, acme.authz.product):
        page = await listed(acme, token, **query)
        assert [f"{item['type']}:{item['id']}" for item in page["items"]] == found


async def test_who_may_view_permissions_may_see_the_items_of_their_organisation(acme: Organisation) -> None:
    jane = await acme.add()
    other = await registered(acme.authz, "Other Crates")
    path = f"/v1/organisations/{acme.org}/items"
    assert (await acme.authz.ask("GET", path, token=jane.token)).problem == (403, "not_permitted")
    assert (await acme.authz.ask("GET", path, token=other.ray.token)).problem == (404, "not_found")
    assert (await acme.grant(jane, "read", section="core.permissions")).status == 200
    assert (await acme.authz.ask("GET", path, token=jane.token)).status == 200
    nobody = f"/v1/organisations/{IDS.uuid()}/items"
    assert (await acme.authz.ask("GET", nobody, token=acme.authz.product)).problem == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"type": "crate"}, "unknown_item_type"),
        ({"section": "smoke"}, "unknown_section"),
        ({"limit": "0"}, "invalid"),
        ({"limit": "1001"}, "invalid"),
        ({"after": "sales"}, "invalid"),
        ({"after": "inbox:a\x00"}, "invalid"),
        ({"colour": "red"}, "invalid"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(acme: Organisation, query: dict[str, str], code: str) -> None:
    path = f"/v1/organisations/{acme.org}/items"
    assert (await acme.authz.ask("GET", path, token=acme.ray.token, params=query)).problem == (422, code)


async def test_only_product_services_register(acme: Organisation) -> None:
    assert (await put(acme, "inbox:sales", token=acme.ray.token)).problem == (403, "wrong_caller")
    assert (await put(acme, "inbox:sales", "")).problem == (422, "invalid")
    assert (await put(acme, "inbox:sales", "a\x00b")).problem == (422, "invalid")
    assert (await put(acme, "inbox:sales", None)).problem == (422, "invalid")
    path = "/v1/organisations/not-an-id/items/inbox/sales"
    assert (await acme.authz.ask("PUT", path, token=acme.authz.product, json={})).problem == (404, "not_found")
    for path in ("%ED%A0%80", "%FF", "%00"):
        path = f"/v1/organisations/{acme.org}/items/inbox/{path}"
        answer = await acme.authz.ask("PUT", path, token=acme.authz.product, json={"section": "sms", "label": "x"})
        assert answer.status < 500, answer.text
