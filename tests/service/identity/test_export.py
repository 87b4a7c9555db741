"""The staff as a file: who gets it, what is in it, and that it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, register, run_as_owner, sign_in
from tests.service.identity.imports import imported, people, read, table
from tests.service.identity.test_permits import problem


async def exported(acme: Acme, token: str = "") -> Answer:
    return await acme.identity.ask("GET", "/v1/staff/export", token=token or acme.ray)


async def test_everybody_is_in_it_in_the_columns_of_an_import(acme: Acme) -> None:
    await acme.add("Laya", mobile="+61 491 570 006", extension="102", default_level="use")
    await run_as_owner(
        acme.identity, "UPDATE staff SET role_names = '{Agent}', team_name = 'Sales' WHERE username = 'Laya'"
    )
    answer = await exported(acme)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = {row["username"]: row for row in read(answer.text)}
    assert [*rows["Laya"]] == [*contract.COLUMNS]
    assert {*rows} == {"Ray", "Laya"}
    assert (rows["Laya"]["mobile"], rows["Laya"]["extension"], rows["Laya"]["default_level"]) == (
        "'+61491570006", "102", "use",
    )  # fmt: skip
    assert (rows["Laya"]["role"], rows["Laya"]["team"], rows["Laya"]["portal"]) == ("Agent", "Sales", "yes")


@pytest.mark.checklist("I03")
async def test_what_one_organisation_exports_another_imports(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    content = table(
        {"username": "Laya", "name": "=SUM(1)", "mobile": "+61 491 570 006", "role": "Agent"},
        {"username": "Han", "name": "'@Han", "extension": "102", "portal": "no", "route_anywhere": "yes"},
    )
    await imported(acme, content)
    text = (await exported(acme)).text
    assert not [cell for row in read(text) for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("owner")]
    assert (await imported(other, "".join(lines).encode(), mode="all"))["created"] == 2
    columns = "username, name, mobile, extension, portal, route_anywhere, type, default_level"
    sql = f"SELECT {columns} FROM staff WHERE org = $1 AND type <> 'owner' ORDER BY username"
    here, there = [await run_as_owner(acme.identity, sql, one.org) for one in (acme, other)]
    assert [dict(row) for row in here] == [dict(row) for row in there]
    assert here[1]["name"] == "=SUM(1)"


async def test_many_are_sent_in_parts_and_nobody_twice(acme: Acme) -> None:
    await imported(acme, people(450))
    names = [row["username"] for row in read((await exported(acme)).text)]
    assert (len(names), len({*names})) == (451, 451)


@pytest.mark.checklist("G14")
async def test_it_takes_a_factor_that_was_shown_a_moment_ago(acme: Acme) -> None:
    laya = await sign_in(acme, "Laya", type="administrator")
    acme.identity.clock.advance(seconds=301)
    grant = {"grant_type": "refresh_token", "refresh_token": laya.refresh}
    token = (await acme.identity.ask("POST", "/oauth/token", data=grant)).json["access_token"]
    assert problem(await exported(acme, token)) == (401, "step_up_needed")
    assert await events(acme) == []


async def test_who_may_not_download_gets_nothing_and_who_may_gets_those_whom_they_see(acme: Acme) -> None:
    laya = await acme.add("Laya")
    await acme.add("Luke")
    vada = await sign_in(acme, "Vada")
    acme.identity.authz.permit(vada.staff, "core.staff.view", over={laya})
    assert problem(await exported(acme, vada.token)) == (403, "not_permitted")
    acme.identity.authz.permit(vada.staff, "core.staff.download")
    assert {row["username"] for row in read((await exported(acme, vada.token)).text)} == {"Laya", "Vada"}
    acme.identity.authz.away = True
    assert problem(await exported(acme)) == (503, "authz_away")


async def events(acme: Acme) -> list[Any]:
    sql = "SELECT actor FROM audit WHERE org = $1 AND event = 'users_exported'"
    return [row["actor"] for row in await run_as_owner(acme.identity, sql, acme.org)]


@pytest.mark.checklist("O04")
async def test_that_it_was_exported_is_written_down(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    await exported(acme)
    assert await events(acme) == [str(acme.owner_id)]
    assert await events(other) == []
    jane = await sign_in(acme, "Jane")
    await exported(acme, jane.token)
    assert len(await events(acme)) == 1, "and what was refused is no export"
