"""What a list of changes would come to: the exact difference, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from services.authz import changes
from tests.service.authz.conftest import Someone
from tests.service.authz.office import Office, change, clerk, entry, on


def of(answer: Any, who: Someone) -> Any:
    """What this person would gain and lose, by target."""
    found = [person["differences"] for person in answer.json["people"] if person["staff"] == str(who.id)]
    return [(one["target"], one["gained"], one["lost"]) for one in (found[0] if found else [])]


async def test_it_says_who_gains_and_loses_what(office: Office) -> None:
    jane, luke = await office.acme.add(), await office.acme.add(default="full")
    answer = await office.preview(
        change("set_grant", staff=jane, target=on("sms"), level="read"),
        change("set_grant", staff=luke, target=on("sms"), level="read"),
    )
    assert of(answer, jane) == [({"section": "sms"}, {"view": "full"}, {})]
    assert of(answer, luke) == [({"section": "sms"}, {}, {"create": "full", "edit": "full", "delete": "full"})]
    assert [one["kind"] for one in answer.json["outcomes"]] == ["set_grant", "set_grant"]


async def test_it_changes_nothing_and_records_nothing(office: Office) -> None:
    jane = await office.acme.add()
    start = await office.acme.revision()
    heard = len(office.acme.authz.heard.of(office.acme.org))
    assert not await office.may(jane, "sms.view", "section:sms")
    changes = [
        change("set_grant", staff=jane, target=on("sms"), level="read"),
        change("add_tenant", key="acme", label="Acme"),
        change("add_team", name="Sales", parent=await office.root()),
    ]
    answer = await office.preview(*changes)
    assert (answer.status, answer.json["revision"]) == (200, start)
    assert not await office.may(jane, "sms.view", "section:sms")
    assert await office.audit() == []
    assert (await office.get("/v1/tenants"))["tenants"] == []
    assert (await office.make(*changes)).json["revision"] == start + 1
    assert len(await office.acme.authz.told(office.acme.org, heard + 1)) == heard + 1


async def test_a_role_s_whole_reach_is_shown(office: Office) -> None:
    """Whoever holds the role, however many, and those above a team that moves."""
    agents = [await office.acme.add() for _ in range(3)]
    role = await office.role("Reader", "restricted", entry("view", "sms"))
    for agent in agents:
        await office.assigned(role, agent)
    wider = {"role": role, "name": "Reader", "data_access": "full", "entries": [entry("view", "sms")]}
    answer = await office.preview(change("edit_role", **wider))
    for agent in agents:
        assert of(answer, agent) == [({"section": "sms"}, {"view": "full"}, {})]
    vada = await office.acme.add()
    await office.team("Management", None, vada)
    await office.team("Sales")
    await office.assigned("manager", vada)
    answer = await office.preview(change("move_team", team=office.teams["Sales"], parent=office.teams["Management"]))
    assert ({"section": "sms"}, *_gained("department", "view create edit delete download approve")) in of(answer, vada)


def _gained(rows: str, actions: str) -> tuple[dict[str, str], dict[str, str]]:
    return dict.fromkeys(actions.split(), rows), {}


async def test_a_contract_that_goes_concerns_everybody(office: Office) -> None:
    jane = await office.acme.add()
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    await office.one("set_access", staff=jane, contract="7", product="telephony", level="user")
    answer = await office.preview(change("remove_contract", contract="7"))
    assert ({"product": "telephony", "contract": "7"}, {}, {"view": "full"}) in of(answer, jane)


async def test_somebody_not_active_is_shown_as_they_will_be(office: Office) -> None:
    han = await office.acme.add(status="invited")
    answer = await office.preview(change("set_grant", staff=han, target=on("sms"), level="read"))
    assert of(answer, han) == [({"section": "sms"}, {"view": "full"}, {})]


async def test_it_is_refused_like_the_changes_themselves(office: Office) -> None:
    jane, luke = await office.acme.add(), await clerk(office, ("use", on("sms")))
    more = change("set_grant", staff=jane, target=on("sms"), level="full")
    assert (await office.preview(more, by=luke)).problem == (403, "more_than_own")
    assert (await office.preview(more, by=jane)).problem == (403, "not_permitted")
    assert (await office.preview(change("remove_tenant", tenant="x"))).problem == (404, "not_found")
    assert await office.audit(kind="remove_tenant") == [], "nobody tried to change anything"


async def test_the_permissions_list_shows_the_same(office: Office) -> None:
    jane = await office.acme.add()
    held = await office.assigned("leader", jane)
    path = f"/v1/staff/{jane.id}/permissions"
    sections = {one["section"]: one for one in (await office.get(path))["sections"]}
    assert sections["sms"] | {"sections": []} == {
        "section": "sms", "label": "SMS", "actions": ["view", "create", "edit", "delete"], "level": "full",
        "reason": "role", "data_access": "team", "rule": held, "role": "leader", "target": {"section": "sms"},
        "sections": [],
    }  # fmt: skip
    assert await office.get(f"/v1/staff/{jane.id}/permissions", jane) == await office.get(path)
    luke = await office.acme.add()
    assert (await office.ask("GET", path, luke)).problem == (403, "not_permitted")
    await office.one("add_contract", key="7", label="Agreement 7", products=["sms"])
    await office.one("set_access", staff=jane, contract="7", product="sms", level="user")
    answer = await office.ask("GET", path, params={"contract": "7"})
    [sms] = [one for one in answer.json["sections"] if one["section"] == "sms"]
    assert (sms["actions"], sms["reason"]) == (["view"], "product_access")
    await office.one("add_tenant", key="acme", label="Acme")
    answer = await office.ask("GET", path, params={"tenant": "acme"})
    [sms] = [one for one in answer.json["sections"] if one["section"] == "sms"]
    assert (sms["actions"], sms["reason"]) == ([], "not_a_member")
    assert (await office.ask("GET", path, params={"contract": "9"})).problem == (422, "unknown_contract")


async def test_too_many_are_not_compared(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While they are, nobody else changes anything in the organisation."""
    monkeypatch.setattr(changes, "_MOST_COMPARED", 2)
    jane, han, luke = await office.acme.add(), await office.acme.add(), await clerk(office)
    sales = await office.team("Sales")
    move = change("place_members", team=sales, staff=[jane, han, luke])
    assert (await office.preview(move)).problem == (403, "too_many_people")
    assert (await office.make(move, by=luke)).problem == (403, "too_many_people")
    assert (await office.make(move)).status == 200
    removal = change("add_tenant", key="acme", label="Acme")
    assert (await office.preview(removal)).problem == (403, "too_many_people")
