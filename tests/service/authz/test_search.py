"""Searches as products and people use them: page after page while others change things, who can, and why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from services.authz import facts, holders, searches
from tests.service.authz.conftest import NOBODY, Answer, Authz, Organisation, Someone, registered, until
from tests.service.authz.office import Office, entry

SUBJECTS, RESOURCES, ACTIONS = "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"
SALES: dict[str, Any] = {"item": "inbox:sales"}


def staff(who: Someone) -> dict[str, str]:
    return {"type": "staff", "id": str(who.id)}


async def page(authz: Authz, path: str, body: dict[str, Any], token: str = "", **page: Any) -> tuple[list[str], str]:
    """The names on a page, and the next token."""
    page |= {"token": token} if token else {}
    answer = await authz.ask("POST", path, token=authz.product, json=body | {"page": page})
    assert answer.status == 200, answer.text
    assert answer.json["page"]["count"] == len(answer.json["results"])
    return [one.get("id") or one["name"] for one in answer.json["results"]], answer.json["page"]["next_token"]


async def pages(authz: Authz, path: str, body: dict[str, Any], limit: int | None = None) -> list[list[str]]:
    found, token = [], ""
    while True:
        names, token = await page(authz, path, body, token, **({} if limit is None else {"limit": limit}))
        found.append(names)
        if not token:
            return found


@dataclass
class Sales:
    """Jane leads the team Sales with Mr. Vada in it, and may view its permissions. Han is in Operations."""

    jane: Someone
    vada: Someone
    han: Someone
    role: str


@pytest.fixture
async def sales(acme: Organisation, office: Office) -> Sales:
    jane, vada, han = [await acme.add() for _ in range(3)]
    await office.team("Sales", None, jane, vada)
    await office.team("Operations", None, han)
    role = await office.role(
        "Lead", "team", *(entry("view edit", name) for name in ("sms", "core.permissions", "portal", "telephony"))
    )
    await office.assigned(role, jane)
    portal = await office.role("Portal", "full", entry("view", "portal"))
    for who in (vada, han):
        await office.assigned(portal, who)
    return Sales(jane, vada, han, role)


def together(pages: list[list[str]]) -> list[str]:
    return [name for page in pages for name in page]


def who_may(org: Any, action: str = "sms.send", inbox: str = "sales") -> dict[str, Any]:
    return {
        "subject": {"type": "staff"},
        "action": {"name": action},
        "resource": {"type": "inbox", "id": inbox},
        "context": {"organisation": str(org)},
    }


def which(who: Someone, action: str = "sms.read") -> dict[str, Any]:
    return {"subject": staff(who), "action": {"name": action}, "resource": {"type": "inbox"}}


# --- resources ------------------------------------------------------------------------------------------------


async def test_pages_of_resources_have_everything_once_while_items_are_added(acme: Organisation) -> None:
    await acme.register(*[f"inbox:i{number:02}" for number in range(0, 20, 2)])
    body = which(acme.ray)
    first, token = await page(acme.authz, RESOURCES, body, limit=4)
    await acme.register("inbox:i01", "inbox:i03", "inbox:i09", "inbox:i99")
    second, token = await page(acme.authz, RESOURCES, body, token, limit=4)
    third, token = await page(acme.authz, RESOURCES, body, token, limit=4)
    assert (first, second) == (["i00", "i02", "i04", "i06"], ["i08", "i09", "i10", "i12"])
    assert (third, token) == (["i14", "i16", "i18", "i99"], "")


async def test_many_items_are_looked_at_in_parts(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may be shorter than its limit and yet not be the last: the token says so, and only the token."""
    names = [f"i{number:02}" for number in range(12)]
    await acme.register(*[f"inbox:{name}" for name in names])
    jane = await acme.add()
    await acme.granted(jane, ("read", {"item": "inbox:i01"}), ("read", {"item": "inbox:i11"}))
    monkeypatch.setattr(searches, "_FEW", 0)
    monkeypatch.setattr(searches, "_MOST", 5)
    assert await pages(acme.authz, RESOURCES, which(jane), 3) == [["i01"], [], ["i11"]]
    assert together(await pages(acme.authz, RESOURCES, which(acme.ray), 3)) == names


async def test_the_total_is_told_where_all_was_looked_at(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    await acme.register("inbox:a", "inbox:b", "inbox:c")
    body = which(acme.ray) | {"page": {"limit": 2}}

    async def told() -> Any:
        answer = await acme.authz.ask("POST", RESOURCES, token=acme.authz.product, json=body)
        return answer.json["page"].get("total")

    assert await told() == 3
    monkeypatch.setattr(searches, "_FEW", 2)
    assert await told() is None


async def test_a_token_of_one_replica_is_good_at_another(acme: Organisation) -> None:
    await acme.register("inbox:a", "inbox:b")
    other = await acme.authz.replica()
    body = which(acme.ray)
    _, token = await page(acme.authz, RESOURCES, body, limit=1)
    body |= {"page": {"token": token}}
    answer = await other.ask("POST", RESOURCES, token=acme.authz.product, json=body)
    assert [one["id"] for one in answer.json["results"]] == ["b"]
    stranger = await acme.authz.replica(client_secret="another")
    answer = await stranger.ask("POST", RESOURCES, token=acme.authz.product, json=body)
    assert answer.problem == (400, "unknown_page_token")


# --- actions --------------------------------------------------------------------------------------------------


async def test_actions_are_those_of_the_resource_and_no_others(acme: Organisation) -> None:
    await acme.register("inbox:sales", "inbox:support")
    jane = await acme.add()
    await acme.granted(jane, ("use", SALES))

    async def actions(who: Someone, type: str, id: str) -> list[str]:
        body = {"subject": staff(who), "resource": {"type": type, "id": id}}
        return together(await pages(acme.authz, ACTIONS, body))

    mine = await actions(jane, "inbox", "sales")
    assert mine == sorted(mine)
    assert {"sms.view", "sms.create", "sms.edit", "sms.read", "sms.send"} <= set(mine)
    assert not {"sms.delete", "sms.approve", "contacts.view", "core.view"} & set(mine)
    assert await actions(jane, "inbox", "support") == []
    assert {"sms.delete", "sms.approve"} <= set(await actions(acme.ray, "inbox", "support"))
    assert {one.partition(".")[0] for one in await actions(acme.ray, "section", "sms")} == {"sms"}
    assert await actions(acme.ray, "crate", "sales") == []


# --- subjects: who can ----------------------------------------------------------------------------------------


async def test_who_can_are_the_active_people_for_whom_it_is_true(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    jane, vada, laya, han = [await acme.add() for _ in range(4)]
    luke = await acme.add(status="suspended", default="full")
    invited = await acme.add(status="invited", default="full")
    await acme.granted(jane, ("use", SALES))
    await acme.granted(vada, ("read", SALES))
    await acme.granted(laya, ("full", {}), ("deny", SALES))
    others = await registered(acme.authz, "Other Crates")
    assert await pages(acme.authz, SUBJECTS, who_may(acme.org)) == [sorted([str(acme.ray.id), str(jane.id)])]
    able = sorted(str(who.id) for who in (acme.ray, jane, vada))
    assert await pages(acme.authz, SUBJECTS, who_may(acme.org, "sms.read")) == [able]
    for who in (jane, vada, laya, han, luke, invited, acme.ray):
        assert await acme.may(who, "sms.read", "inbox:sales") is (str(who.id) in able)
    assert await pages(acme.authz, SUBJECTS, who_may(others.org)) == [[str(others.ray.id)]]


async def test_pages_of_people_have_everybody_once_while_people_are_added(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    people = sorted([str(acme.ray.id), *[str((await acme.add(default="full")).id) for _ in range(6)]])
    body = who_may(acme.org)
    first, token = await page(acme.authz, SUBJECTS, body, limit=3)
    late = await acme.add(default="full")
    rest = []
    while token:
        names, token = await page(acme.authz, SUBJECTS, body, token, limit=3)
        rest += names
    assert first == people[:3]
    assert [name for name in rest if name != str(late.id)] == people[3:]
    assert len(rest) == len(set(rest))


async def test_people_are_read_in_bulk(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reading of facts for many people, and no more people for a page than is reasonable."""
    await acme.register("inbox:sales")
    for _ in range(6):
        await acme.add()
    await acme.add(status="suspended")
    readings: list[int] = []
    read = facts.facts_of_many

    async def counted(tx: Any, org: Any, people: Any, *rest: Any) -> Any:
        readings.append(len(people))
        return await read(tx, org, people, *rest)

    monkeypatch.setattr(holders, "facts_of_many", counted)
    found = await pages(acme.authz, SUBJECTS, who_may(acme.org))
    assert (found, readings) == ([[str(acme.ray.id)]], [7])
    readings.clear()
    monkeypatch.setattr(holders, "_AT_ONCE", 2)
    monkeypatch.setattr(holders, "_MOST", 4)
    found = await pages(acme.authz, SUBJECTS, who_may(acme.org))
    assert (together(found), len(found)) == ([str(acme.ray.id)], 2)
    assert readings == [2, 2, 2, 1]


async def test_a_product_says_in_which_organisation(acme: Organisation) -> None:
    await acme.register("inbox:sales")

    async def asked(**changes: Any) -> Answer:
        body = who_may(acme.org) | changes
        answer: Answer = await acme.authz.ask("POST", SUBJECTS, token=acme.authz.product, json=body)
        return answer

    for context in ({}, {"organisation": "acme"}, {"organisation": 7}, {"organisation": None}):
        assert (await asked(context=context)).problem == (400, "organisation_missing")
    resource = {"type": "inbox", "id": "sales", "properties": {"organisation": str(acme.org)}}
    assert [one["id"] for one in (await asked(context={}, resource=resource)).json["results"]] == [str(acme.ray.id)]
    assert (await asked(context={"organisation": str(NOBODY)})).json == {"results": []}


async def test_people_search_in_their_own_organisation_if_they_may_view_permissions(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    jane, han = await acme.add(), await acme.add()
    other = await registered(acme.authz, "Other Crates")

    async def asked(who: Someone, **changes: Any) -> Answer:
        answer: Answer = await acme.authz.ask("POST", SUBJECTS, token=who.token, json=who_may(acme.org) | changes)
        return answer

    assert (await asked(jane)).problem == (403, "not_permitted")
    assert (await acme.grant(jane, "read", "core.permissions")).status == 200
    await until(lambda: jane.changes >= 2)
    for context in ({}, {"organisation": str(acme.org)}):
        found = (await asked(jane, context=context)).json["results"]
        assert [one["id"] for one in found] == [str(acme.ray.id)]
    assert (await asked(jane, context={"organisation": str(other.org)})).json == {"results": []}
    assert (await asked(han)).problem == (403, "not_permitted")


async def test_rows_count_in_searches_too(acme: Organisation, sales: Sales) -> None:
    """What the registry says of an item, and in which team its owner is, as in any decision."""
    jane, vada, han = sales.jane, sales.vada, sales.han
    for id, owner in (("of-vada", vada), ("of-han", han)):
        body = {"section": "sms", "label": id, "owner": str(owner.id)}
        path = f"/v1/organisations/{acme.org}/items/inbox/{id}"
        assert (await acme.authz.ask("PUT", path, token=acme.authz.product, json=body)).status == 200
    assert await acme.found(jane, "sms.read") == ["inbox:of-vada"]
    assert await acme.found(vada, "sms.read") == []
    for id, able in (("of-vada", [acme.ray, jane]), ("of-han", [acme.ray])):
        found = together(await pages(acme.authz, SUBJECTS, who_may(acme.org, "sms.read", id)))
        assert found == sorted(str(who.id) for who in able)
    described = who_may(acme.org, "sms.read", "no-such-inbox")
    described["resource"]["properties"] = {"owner": str(vada.id)}
    found = together(await pages(acme.authz, SUBJECTS, described))
    assert found == sorted(str(who.id) for who in (acme.ray, jane))


async def test_who_can_route_needs_to_see_the_destination(acme: Organisation, sales: Sales) -> None:
    body = {"section": "telephony.ivr", "label": "Office B", "owner": str(sales.han.id)}
    path = f"/v1/organisations/{acme.org}/items/ivr/office-b"
    token = acme.authz.identity.token("telephony")
    assert (await acme.authz.ask("PUT", path, token=token, json=body)).status == 200
    question = who_may(acme.org, "call.route", "a")
    question["resource"] = {
        "type": "number", "id": "a", "properties": {"owner": str(sales.vada.id), "destination": {"type": "ivr", "id": "b"}},
    }  # fmt: skip
    question["resource"]["properties"]["destination"] |= {"properties": {"owner": str(sales.vada.id)}}
    assert str(sales.jane.id) in together(await pages(acme.authz, SUBJECTS, question))
    question["resource"]["properties"]["destination"]["id"] = "office-b"  # which is Han's, whatever the request says
    assert together(await pages(acme.authz, SUBJECTS, question)) == [str(acme.ray.id)]


async def test_a_search_is_never_older_than_was_demanded(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    jane = await acme.add()
    changed = (await acme.grant(jane, "use", **SALES)).json
    for path, body in ((SUBJECTS, who_may(acme.org)), (RESOURCES, which(jane, "sms.send"))):
        context = {**body.get("context", {}), "min_revision": changed["revision"], "explain": True}
        answer = await acme.authz.ask("POST", path, token=acme.authz.product, json=body | {"context": context})
        assert answer.json["context"]["revision"] >= changed["revision"]
        assert answer.json["results"]
        context["min_revision"] = changed["revision"] + 1000
        answer = await acme.authz.ask("POST", path, token=acme.authz.product, json=body | {"context": context})
        assert answer.problem == (503, "revision_not_reached")


# --- for people -----------------------------------------------------------------------------------------------


async def why(asker: Someone, who: Someone, action: str, resource: str, **more: str) -> Answer:
    type, _, id = resource.partition(":")
    query = {"action": action, "type": type, "id": id} | more
    path = f"/v1/staff/{who.id}/explanation"
    answer: Answer = await asker.authz.ask("GET", path, token=asker.token, params=query)
    return answer


async def test_why_jane_may_or_may_not(acme: Organisation) -> None:
    await acme.register("inbox:sales", "inbox:management")
    jane = await acme.add(default="read")
    changed = (await acme.grant(jane, "deny", item="inbox:management")).json
    denied = (await why(acme.ray, jane, "sms.read", "inbox:management")).json
    assert (denied["decision"], denied["reason"], denied["visible"]) == (False, "grant", False)
    assert (denied["rule"], denied["revision"]) == (changed["grant"]["id"], changed["revision"])
    assert denied["because"] == "An exception made for this person on the item inbox:management does not allow it."
    allowed = (await why(acme.ray, jane, "sms.read", "inbox:sales")).json
    assert (allowed["decision"], allowed["reason"]) == (True, "default")
    assert allowed["because"] == (
        "No exception and no role says anything about it, and the account's default allows it."
    )
    owner = (await why(acme.ray, acme.ray, "sms.read", "inbox:sales")).json
    assert owner["because"] == "The owner of the organisation may do everything in it."
    routed = (await why(acme.ray, acme.ray, "call.route", "number:a", destination="ivr:b")).json
    assert routed["decision"] is True
    lost = (await why(acme.ray, acme.ray, "call.route", "number:a")).json
    assert (lost["decision"], lost["reason"]) == (False, "unknown_destination")
    stranger = (await why(acme.ray, jane, "sms.read", "inbox:sales", tenant="beta")).json
    assert (stranger["decision"], stranger["reason"]) == (False, "not_a_member")


async def test_a_question_about_a_section_says_which_rows(acme: Organisation) -> None:
    shown = (await why(acme.ray, acme.ray, "sms.view", "section:sms")).json
    assert (shown["decision"], shown["rows"]) == (True, "full")
    jane = await acme.add()
    assert "rows" not in (await why(acme.ray, jane, "sms.view", "section:sms")).json
    assert (await acme.explained(acme.ray, "sms.view", "section:sms")).json["context"]["rows"] == "full"
    await acme.register("inbox:sales")
    assert "rows" not in (await acme.explained(acme.ray, "sms.view", "inbox:sales")).json["context"]


async def test_why_is_told_to_oneself_and_to_those_who_may_view_permissions(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    jane, han = await acme.add(), await acme.add()
    assert (await why(jane, jane, "sms.read", "inbox:sales")).status == 200
    assert (await why(jane, han, "sms.read", "inbox:sales")).problem == (403, "not_permitted")
    assert (await acme.grant(jane, "read", "core.permissions")).status == 200
    assert (await why(jane, han, "sms.read", "inbox:sales")).status == 200
    other = await registered(acme.authz, "Other Crates")
    assert (await why(other.ray, han, "sms.read", "inbox:sales")).problem == (404, "not_found")
    incomplete = await acme.authz.ask("GET", f"/v1/staff/{jane.id}/explanation", token=jane.token)
    assert incomplete.problem == (422, "invalid")


async def test_people_are_told_of_those_whose_permissions_they_may_view(acme: Organisation, sales: Sales) -> None:
    """A leader sees the team, and nobody else."""
    jane, vada, han = sales.jane, sales.vada, sales.han
    query = {"action": "portal.login", "type": "section", "id": "portal"}
    everybody = (await acme.authz.ask("GET", "/v1/who-can", token=acme.ray.token, params=query)).json["people"]
    assert everybody == sorted(str(who.id) for who in (acme.ray, jane, vada, han))
    team = (await acme.authz.ask("GET", "/v1/who-can", token=jane.token, params=query)).json["people"]
    assert team == sorted(str(who.id) for who in (jane, vada))
    assert (await why(jane, vada, "portal.login", "section:portal")).status == 200
    assert (await why(jane, han, "portal.login", "section:portal")).problem == (403, "not_permitted")
    assert (await why(jane, acme.ray, "portal.login", "section:portal")).problem == (403, "not_permitted")


async def test_a_role_is_named_and_so_are_its_rows(acme: Organisation, sales: Sales) -> None:
    mine = (await why(acme.ray, sales.jane, "sms.view", "inbox:x", owner=str(sales.vada.id))).json
    assert (mine["decision"], mine["reason"], mine["role"]) == (True, "role", sales.role)
    assert mine["because"] == f"The role {sales.role} allows it on the section sms."
    out = (await why(acme.ray, sales.jane, "sms.view", "inbox:x", owner=str(sales.han.id))).json
    assert (out["decision"], out["reason"]) == (False, "scope")
    assert out["because"] == (
        f"The role {sales.role} allows it for some rows only (those of their team), and this is not one of them."
    )
    page = (await why(acme.ray, sales.jane, "sms.view", "section:sms")).json
    assert (page["decision"], page["rows"]) == (True, "team")


async def test_who_can_for_people(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    people = sorted([str(acme.ray.id), *[str((await acme.add(default="full")).id) for _ in range(2)]])
    query = {"action": "sms.read", "type": "inbox", "id": "sales"}

    async def who(asker: Someone, **more: str) -> Answer:
        answer: Answer = await acme.authz.ask("GET", "/v1/who-can", token=asker.token, params=query | more)
        return answer

    assert (await who(acme.ray)).json == {"people": people, "next_token": ""}
    first = (await who(acme.ray, limit="2")).json
    second = (await who(acme.ray, limit="2", token=first["next_token"])).json
    assert (first["people"] + second["people"], second["next_token"]) == (people, "")
    assert (await who(acme.ray, token="nonsense")).problem == (422, "unknown_page_token")
    jane = await acme.add()
    assert (await who(jane)).problem == (403, "not_permitted")


async def test_a_batch_is_of_one_revision(acme: Organisation) -> None:
    """A change in the middle of a batch shows in all of it or in none."""
    await acme.register("inbox:sales")
    jane = await acme.add()
    await acme.granted(jane, ("use", SALES))
    resource = {"type": "inbox", "id": "sales"}
    body = {
        "subject": staff(jane), "action": {"name": "sms.send"}, "context": {"explain": True},
        "evaluations": [{"resource": resource}] * 200,
    }  # fmt: skip

    async def asked() -> set[Any]:
        answer = await acme.authz.ask("POST", "/access/v1/evaluations", token=acme.authz.product, json=body)
        return {(one["decision"], one["context"]["revision"]) for one in answer.json["evaluations"]}

    async def changed() -> None:
        for level in ("deny", "use", "read", "full"):
            await acme.grant(jane, level, **SALES)

    found = await asyncio.gather(asked(), changed(), *[asked() for _ in range(8)])
    assert all(one is None or len(one) == 1 for one in found)
