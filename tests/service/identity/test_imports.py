"""Staff from a file: what a person who imports sees, over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from staffgate.contracts import identity as contract
from staffgate.contracts.authz import PlacementChecked
from tests.service.identity.conftest import Acme, log_in, register, run_as_owner, sign_in
from tests.service.identity.imports import (
    error_file,
    errors,
    finished,
    imported,
    people,
    read,
    sent,
    state,
    table,
)
from tests.service.identity.test_permits import problem


async def listed(acme: Acme) -> dict[str, Any]:
    rows = await run_as_owner(acme.identity, "SELECT * FROM staff WHERE org = $1", acme.org)
    return {row["username"]: row for row in rows}


async def told(acme: Acme, count: int) -> list[Any]:
    """Of the people of this organisation."""
    await acme.identity.told(contract.StaffImported, count)
    return [one for one in acme.identity.heard.of(contract.StaffImported) if one.org == acme.org]


async def test_the_people_of_a_file_are_added_and_told_of_with_their_places(acme: Acme) -> None:
    sales = uuid4()
    acme.identity.authz.teams["Sales"] = PlacementChecked(id=str(sales))
    content = table(
        {"username": "Laya", "name": "Laya", "role": "Leader", "team": "Sales", "mobile": "+61 491 570 006"},
        {"username": "", "extension": "102", "name": "Han", "portal": "no", "type": "Administrator"},
        {"username": "Luke", "default_level": "Use", "route_anywhere": "YES", "role": "Agent"},
    )
    done = await imported(acme, content)
    assert (done["state"], done["rows"], done["done"], done["good"], done["bad"], done["created"]) == (
        "finished", 3, 3, 3, 0, 3,
    )  # fmt: skip
    there = await listed(acme)
    laya, han, luke = there["Laya"], there["102"], there["Luke"]
    assert (laya["mobile"], laya["status"], laya["type"]) == ("+61491570006", "invited", "standard")
    assert (han["extension"], han["portal"], han["status"], han["type"]) == ("102", False, "active", "administrator")
    assert (luke["default_level"], luke["route_anywhere"]) == ("use", True)
    events = {one.state.staff: one for one in await told(acme, 3)}
    assert (events[laya["id"]].role, events[laya["id"]].team, events[laya["id"]].by) == ("leader", sales, acme.owner_id)
    assert (events[luke["id"]].role, events[luke["id"]].team) == ("agent", None)
    assert events[han["id"]].state.type == "administrator"


async def test_nobody_is_sent_a_link_unless_that_is_asked_for(acme: Acme) -> None:
    before = len(acme.identity.heard.of(contract.LinkIssued))
    await imported(acme, table({"username": "Laya"}))
    await told(acme, 1)
    assert len(acme.identity.heard.of(contract.LinkIssued)) == before
    await imported(acme, table({"username": "Han"}, {"username": "Chewie", "portal": "no"}), key="b", activate="true")
    await told(acme, 3)
    links = acme.identity.heard.of(contract.LinkIssued)[before:]
    there = await listed(acme)
    assert [one.staff for one in links] == [there["Han"]["id"]], "and nobody who can't get in"
    assert there["Han"]["activation_sent_count"] == 1


@pytest.mark.checklist("I01")
async def test_either_the_good_rows_are_taken_or_none(acme: Acme) -> None:
    content = table({"username": "Laya"}, {"username": "Han", "email": "nowhere"}, {"username": "Luke"})
    refused = await imported(acme, content, mode="all")
    assert (refused["state"], refused["reason"], refused["created"], refused["bad"]) == ("refused", "bad_rows", 0, 1)
    assert {*await listed(acme)} == {"Ray"}
    assert [one["row"] for one in await errors(acme, refused["id"])] == ["3"]
    assert [one["row"] for one in await errors(acme, refused["id"], rows="left")] == ["2", "3", "4"]
    taken = await imported(acme, content, mode="good", key="b")
    assert (taken["state"], taken["created"], taken["bad"]) == ("finished", 2, 1)
    assert {*await listed(acme)} == {"Ray", "Laya", "Luke"}
    assert len(await told(acme, 2)) == 2
    whole = await imported(acme, table({"username": "Han"}, {"username": "Chewie"}), mode="all", key="c")
    assert (whole["state"], whole["created"]) == ("finished", 2)
    assert len(await told(acme, 4)) == 4


WRONG: dict[str, tuple[str, dict[str, str]]] = {
    "type_missing": ("type", {"type": ""}),
    "type_invalid": ("type", {"type": "supervisor"}),
    "owner_refused": ("type", {"type": "Owner"}),
    "name_missing": ("name", {"name": ""}),
    "name_invalid": ("name", {"name": "<b>Luke</b>"}),
    "name_too_long": ("name", {"name": "L" * 121}),
    "email_missing": ("email", {"email": ""}),
    "email_invalid": ("email", {"email": "luke at acme"}),
    "email_too_long": ("email", {"email": "l" * 250 + "@acme.example"}),
    "username_missing": ("username", {"username": ""}),
    "username_invalid": ("username", {"username": "Luke Sky"}),
    "username_too_long": ("username", {"username": "L" * 65}),
    "username_twice": ("username", {"username": "GOOD"}),
    "username_taken": ("username", {"username": "Ｒay"}),
    "extension_invalid": ("extension", {"extension": "10a"}),
    "extension_too_long": ("extension", {"extension": "1" * 17}),
    "extension_twice": ("extension", {"extension": "100"}),
    "extension_taken": ("extension", {"extension": "555"}),
    "mobile_invalid": ("mobile", {"mobile": "+61 4"}),
    "locale_invalid": ("locale", {"locale": "German"}),
    "locale_too_long": ("locale", {"locale": "d" * 13}),
    "mobile_too_long": ("mobile", {"mobile": "+" + "6" * 40}),
    "default_level_invalid": ("default_level", {"default_level": "all"}),
    "route_anywhere_invalid": ("route_anywhere", {"route_anywhere": "maybe"}),
    "portal_invalid": ("portal", {"portal": "maybe"}),
    "role_unknown": ("role", {"role": "Wizard"}),
    "role_ambiguous": ("role", {"role": "Twice"}),
    "role_not_yours_to_give": ("role", {"role": "Admin"}),
    "team_unknown": ("team", {"team": "Nowhere"}),
    "team_ambiguous": ("team", {"team": "Sales"}),
    "team_not_yours_to_give": ("team", {"team": "Management"}),
}


def mistaken(acme: Acme) -> bytes:
    """A row for each mistake, below a good one."""
    authz = acme.identity.authz
    ambiguous, above = PlacementChecked(refusal="ambiguous"), PlacementChecked(refusal="not_yours_to_give")
    authz.roles |= {"Twice": ambiguous, "Admin": above}
    authz.teams |= {"Sales": ambiguous, "Management": above}
    rows = [{"username": f"Wrong{n}"} | wrong for n, (_, wrong) in enumerate(WRONG.values())]
    return table({"username": "Good", "extension": "100"}, *rows)


@pytest.mark.checklist("I01")
async def test_every_kind_of_mistake_is_told_with_its_row_its_cell_and_what_to_do(acme: Acme) -> None:
    await acme.add("Han", extension="555")
    done = await imported(acme, mistaken(acme))
    assert (done["created"], done["bad"]) == (1, len(WRONG))
    found = await errors(acme, done["id"])
    expected = [(str(n), column, code) for n, (code, (column, _)) in enumerate(WRONG.items(), 3)]
    assert [(one["row"], one["column"], one["code"]) for one in found] == expected
    assert all(len(one["text"]) > 15 for one in found)
    originals = read(mistaken(acme).decode())[1:]
    cells = [{column: plain(one[column]) for column in originals[0]} for one in found]
    assert cells == originals, "and the cells as they were"


def plain(cell: str) -> str:
    return cell.removeprefix("'")


@pytest.mark.checklist("I01", "I03")
async def test_error_detail_is_corrected_and_sent_again(acme: Acme) -> None:
    content = table(
        {"username": "Laya", "mobile": "+61 491 570 006", "email": "nowhere"},
        {"username": "Han", "type": "Owner", "name": "=HYPERLINK(1)", "mobile": "+61 491 570 156"},
        {"username": "Luke", "email": "", "name": ""},
    )
    first = await imported(acme, content)
    text = await error_file(acme, first["id"])
    assert all(not cell.startswith(("=", "+", "-", "@")) for one in read(text) for cell in one.values())
    assert (await errors(acme, first["id"]))[2]["code"] == "name_missing; email_missing"
    corrected = (
        text.replace("nowhere", "laya@acme.example").replace("Owner", "standard").replace("'=HYPERLINK(1)", "Han")
    )
    corrected = corrected.replace("standard,,,Luke", "standard,Luke,luke@acme.example,Luke")
    second = await imported(acme, corrected.encode(), key="b", mode="all")
    assert (second["state"], second["bad"], second["created"]) == ("finished", 0, 3)
    there = await listed(acme)
    assert [there[name]["mobile"] for name in ("Laya", "Han", "Luke")] == ["+61491570006", "+61491570156", None]
    assert await errors(acme, second["id"]) == []


@pytest.mark.checklist("I02")
async def test_the_same_file_under_the_same_key_adds_nobody_twice(acme: Acme) -> None:
    content = people(5)
    first = await sent(acme, content, activate="true")
    again = await sent(acme, content, activate="true")
    await finished(acme, first.json["id"])
    later = await sent(acme, content, activate="true")
    assert first.json["id"] == again.json["id"] == later.json["id"]
    assert (first.status, again.status, later.status, later.json["created"]) == (202, 202, 202, 5)
    assert len(await told(acme, 5)) == 5
    assert len({one.staff for one in acme.identity.heard.of(contract.LinkIssued)}) == 6, "Ray's, and one for each"
    assert len(acme.identity.heard.of(contract.LinkIssued)) == 6
    for changed in (people(6), content + b"\n"):
        assert problem(await sent(acme, changed, activate="true")) == (422, "key_reused")
    assert problem(await sent(acme, content)) == (422, "key_reused"), "with other wishes it is another"
    assert problem(await sent(acme, content, mode="all", activate="true")) == (422, "key_reused")
    by_parameter = await sent(acme, content, key="", activate="true")
    assert problem(by_parameter) == (400, "idempotency_key_missing")


@pytest.mark.checklist("I02")
async def test_of_many_sent_at_once_under_one_key_one_is_done(acme: Acme) -> None:
    answers = await asyncio.gather(*(sent(acme, people(3)) for _ in range(8)))
    assert {one.status for one in answers} == {202}
    assert len({one.json["id"] for one in answers}) == 1
    await finished(acme, answers[0].json["id"])
    assert len(await told(acme, 3)) == 3


@pytest.mark.checklist("I06")
async def test_the_template_is_imported_without_an_error_and_adds_nobody_of_its_own(acme: Acme) -> None:
    answer = await acme.identity.ask("GET", "/v1/staff/import/template", token=acme.ray)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    template = answer.text
    assert [*read(template)[0]] == [*contract.COLUMNS]
    kept = await imported(acme, template.encode(), mode="all")
    assert (kept["state"], kept["rows"], kept["bad"], kept["created"]) == ("finished", 0, 0, 0)
    with_laya = template + "standard,Laya,laya@acme.example,Laya,,'+61 491 570 006,,,,,Leader,\r\n"
    filled = await imported(acme, with_laya.encode(), mode="all", key="b")
    assert (filled["state"], filled["bad"], filled["created"]) == ("finished", 0, 1)
    header = template.splitlines()[0] + "\r\n"
    emptied = await imported(acme, header.encode(), mode="all", key="c")
    assert (emptied["state"], emptied["bad"]) == ("finished", 0)
    assert {*await listed(acme)} == {"Ray", "Laya"}


@pytest.mark.checklist("I05")
@pytest.mark.parametrize("column", ["password", "status", "org", "id", "email_confirmed_at", "verified"])
async def test_no_column_sets_what_is_not_to_be_set(acme: Acme, column: str) -> None:
    cells = table({"username": "Luke"}).decode().splitlines()
    content = f"{cells[0]},{column}\n{cells[1]},x\n".encode()
    assert problem(await sent(acme, content)) == (422, "column_unknown")
    rows = await run_as_owner(acme.identity, "SELECT count(*) FROM staff_import WHERE org = $1", acme.org)
    assert rows[0][0] == 0


@pytest.mark.checklist("I05")
async def test_whoever_is_no_administrator_gives_no_more_than_they_have(acme: Acme) -> None:
    vada = await sign_in(acme, "Vada")
    acme.identity.authz.permit(vada.staff, "core.staff.create", "core.staff.view")
    content = table(
        {"username": "Laya", "type": "administrator"},
        {"username": "Han", "default_level": "read"},
        {"username": "Luke", "route_anywhere": "yes"},
        {"username": "Chewie"},
    )
    answer = await sent(acme, content, token=vada.token)
    done = await finished(acme, answer.json["id"])
    found = [(one["column"], one["code"]) for one in await errors(acme, done["id"])]
    assert found == [
        ("type", "administrators_only"),
        ("default_level", "more_than_own"),
        ("default_level", "more_than_own"),
    ]
    assert (done["created"], done["by"]) == (1, str(vada.staff))


async def test_who_may_not_add_one_may_not_import_many(acme: Acme) -> None:
    jane = await sign_in(acme, "Jane")
    assert problem(await sent(acme, people(1), token=jane.token)) == (403, "not_permitted")
    acme.identity.authz.permit(jane.staff, "core.staff.create")
    assert problem(await sent(acme, people(1), token=jane.token, activate="true")) == (403, "not_permitted")
    own = await sent(acme, people(1), token=jane.token)
    rays = await sent(acme, people(1, "Other"), key="b")
    for path in ("", "/errors"):
        answer = await acme.identity.ask("GET", f"/v1/staff/imports/{rays.json['id']}{path}", token=jane.token)
        assert problem(answer) == (404, "not_found"), "the cells of a file are not everybody's"
    listed = (await acme.identity.ask("GET", "/v1/staff/imports", token=jane.token)).json["imports"]
    assert [one["id"] for one in listed] == [own.json["id"]]
    listed = (await acme.identity.ask("GET", "/v1/staff/imports", token=acme.ray)).json["imports"]
    assert [one["id"] for one in listed] == [rays.json["id"], own.json["id"]]
    await finished(acme, rays.json["id"])


async def test_an_import_of_another_organisation_is_not_there(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    answer = await sent(other, people(1))
    await finished(other, answer.json["id"])
    for path in ("", "/errors"):
        foreign = await acme.identity.ask("GET", f"/v1/staff/imports/{answer.json['id']}{path}", token=acme.ray)
        missing = await acme.identity.ask("GET", f"/v1/staff/imports/{uuid4()}{path}", token=acme.ray)
        assert (problem(foreign), problem(missing)) == ((404, "not_found"), (404, "not_found"))
    mine = await imported(acme, people(1))
    assert mine["created"] == 1, "names and keys of another organisation are free here"


async def test_the_errors_are_there_when_it_is_over_and_for_a_week(acme: Acme) -> None:
    vada = await acme.add("Vada")
    login = await acme.activate(vada)
    acme.identity.authz.permit(vada, "core.staff.create")
    token = (await log_in(acme.identity, login)).json["access_token"]
    done = await finished(acme, (await sent(acme, table({"email": "nowhere"}), token=token)).json["id"])
    path = f"/v1/staff/imports/{done['id']}"
    assert (await acme.identity.ask("GET", f"{path}/errors", token=token)).status == 200
    acme.identity.clock.advance(days=8)
    token = (await log_in(acme.identity, login)).json["access_token"]
    assert problem(await acme.identity.ask("GET", f"{path}/errors", token=token)) == (404, "errors_gone")
    assert (await acme.identity.ask("GET", path, token=token)).json["bad"] == 1


async def test_it_is_written_down_who_imported_what_and_whom_that_made(acme: Acme) -> None:
    done = await imported(acme, table({"username": "Laya"}, {"email": "nowhere"}))
    rows = await run_as_owner(
        acme.identity,
        "SELECT body::jsonb AS body, event, actor, target FROM audit WHERE org = $1 ORDER BY number",
        acme.org,
    )
    made = [row for row in rows if row["event"] == "user_created"]
    (whole,) = [row for row in rows if row["event"] == "users_imported"]
    laya = (await listed(acme))["Laya"]["id"]
    assert [(row["actor"], row["target"]) for row in made] == [(str(acme.owner_id), str(laya))]
    body = json.loads(whole["body"])
    assert whole["actor"] == str(acme.owner_id)
    assert (body["detail"]["created"], body["detail"]["bad"], body["detail"]["by_import"]) == (1, 1, done["id"])
    assert body["ip"]
    assert body["request"]
    assert "acme.example" not in whole["body"]
    await acme.identity.told(contract.NoticeIssued, 1)
    notices = [one for one in acme.identity.heard.of(contract.NoticeIssued) if one.kind == "import_finished"]
    assert [one.staff for one in notices] == [acme.owner_id]
    verdict = await acme.identity.ask("GET", "/v1/audit/verify", token=acme.ray)
    assert verdict.json["sound"], verdict.text


async def test_progress_is_seen_while_it_goes_on(acme: Acme) -> None:
    answer = await sent(acme, people(1000))
    assert (answer.json["state"], answer.json["rows"], answer.json["phase"]) == ("waiting", 1000, "validate")
    seen: set[tuple[str, int]] = set()
    while (now := await state(acme, answer.json["id"]))["state"] in ("waiting", "running"):
        seen.add((now["phase"], now["done"]))
    assert now["created"] == 1000
    assert len({done for phase, done in seen if phase == "create" and done}) >= 3
    assert (now["started_at"], now["finished_at"]) != (None, None)


@pytest.mark.parametrize(("path", "allowed"), [("export", "GET,HEAD"), ("imports", "GET,HEAD,POST")])
async def test_a_word_that_is_a_path_is_no_persons_id(acme: Acme, path: str, allowed: str) -> None:
    answer = await acme.identity.ask("PATCH", f"/v1/staff/{path}", token=acme.ray)
    assert (answer.status, {*answer.headers["Allow"].split(",")}) == (405, {*allowed.split(",")})
