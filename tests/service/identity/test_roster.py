"""The list of staff: what it shows, whom a filter lets through, every order, and pages that neither repeat nor skip."""

from __future__ import annotations

import base64
import json
import os
import random
import statistics
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity.store import roster as store
from services.identity.store.roster import Filter, Order
from shared.bus.outbox import write_events
from shared.db import Database, Tx
from shared.ids import RandomIds
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess
from staffgate.decision import RowFilter
from tests.service.identity.conftest import Acme, Answer, register, run_as_owner, sign_in

SORTS = ("name", "email", "role", "team", "availability", "status", "username")
_KEYS = {
    "name": "folded(name)", "email": "lower(email)", "role": "lower(array_to_string(role_names, ', '))",
    "team": "lower(coalesce(team_name, ''))", "availability": "availability", "status": "status",
    "username": "username_key",
}  # fmt: skip


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def listed(acme: Acme, *, token: str = "", **query: Any) -> Any:
    params = {name: str(value) for name, value in query.items()}
    answer = await acme.identity.ask("GET", "/v1/staff", token=token or acme.ray, params=params)
    assert answer.status == 200, answer.text
    return answer.json


async def usernames(acme: Acme, **query: Any) -> list[str]:
    return [one["username"] for one in (await listed(acme, **query))["staff"]]


async def walked(acme: Acme, limit: int, **query: Any) -> list[str]:
    """Everybody, page by page."""
    found, after = [], ""
    while True:
        page = await listed(acme, limit=limit, after=after, **query)
        assert len(page["staff"]) <= limit
        found += [one["id"] for one in page["staff"]]
        if page["next"] is None:
            return found
        assert len(page["staff"]) == limit, "only the last page is short"
        after = page["next"]


async def crowd(acme: Acme, count: int, seed: int = 7) -> None:
    """People with names, teams and roles that many share: as rows, since a thousand requests would only take longer."""
    chance = random.Random(seed)  # noqa: S311 - the same crowd every time
    rows = [
        (
            acme.org, uuid4(), chance.choice(["active", "invited", "suspended"]), f"Crew{n}", f"crew{n}",
            chance.choice(["Jane", "jane", "Luke", "Éowyn", "Zoë", "Han"]), f"crew{chance.randrange(count)}@acme.example",
            chance.choice([[], ["Agent"], ["Agent", "Leader"]]), chance.choice([None, "Sales", "operations"]),
            chance.choice(["online", "away", "offline"]),
        )
        for n in range(count)
    ]  # fmt: skip
    columns = list(zip(*rows, strict=True))
    # Whoever is online is active and signed in, from the same moment on: others are set offline, whenever that is done.
    await run_as_owner(
        acme.identity,
        "WITH added AS (INSERT INTO staff (org, id, type, status, username, username_key, name, email, role_names,"
        " team_name, availability, default_level, route_anywhere, created_at)"
        " SELECT o, i, 'standard', s, u, k, n, e, string_to_array(r, '|'), t,"
        " CASE s WHEN 'active' THEN a ELSE 'offline' END, 'deny', false, $11"
        " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
        " $8::text[], $9::text[], $10::text[]) AS given (o, i, s, u, k, n, e, r, t, a) RETURNING id)"
        " INSERT INTO session (org, id, staff, amr, acr, ip, agent, created_at, used_at, authenticated_at, expires_at)"
        " SELECT $12, gen_random_uuid(), id, '{}', 'aal1', '', '', $11, $11, $11, $11::timestamptz + interval '1 day'"
        " FROM added",
        *columns[:7], ["|".join(roles) for roles in columns[7]], *columns[8:], acme.identity.clock.now(), acme.org,
    )  # fmt: skip


# --- what is shown --------------------------------------------------------------------------------------------


@pytest.mark.checklist("H08")
async def test_a_row_shows_what_the_screen_shows(acme: Acme) -> None:
    identity = acme.identity
    jane = await acme.add("Jane", extension="42", mobile="+61 491 570 006")
    update = "UPDATE staff SET role_names = '{Agent,OPS Staff}', team_name = 'Sales', locked_at = $2 WHERE id = $1"
    await run_as_owner(identity, update, jane, identity.clock.now())
    await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    (shown,) = (await listed(acme, q="jane@"))["staff"]
    assert {name: shown[name] for name in ("name", "email", "roles", "team", "availability", "status", "locked")} == {
        "name": "Jane", "email": "Jane@acme.example", "roles": ["Agent", "OPS Staff"], "team": "Sales",
        "availability": "offline", "status": "invited", "locked": True,
    }  # fmt: skip
    assert (shown["activation"], shown["activation_sent_count"]) == ("sent", 1)
    assert shown["activation_sent_at"] == identity.clock.now().isoformat().replace("+00:00", "Z")
    assert shown["weblink"] == (await identity.ask("GET", f"/v1/staff/{jane}/weblink", token=acme.ray)).json["url"]


async def test_the_mark_of_whoever_has_not_activated_the_account(acme: Acme) -> None:
    han, _ = await acme.add("Han"), await acme.add("Chewie", portal=False)
    marks = {one["username"]: one["activation"] for one in (await listed(acme))["staff"]}
    assert marks == {"Ray": "done", "Han": "not_sent", "Chewie": "not_needed"}
    await acme.activate(han)
    assert (await listed(acme, q="Han"))["staff"][0]["activation"] == "done"


# --- filters --------------------------------------------------------------------------------------------------


@pytest.mark.checklist("H08")
async def test_the_list_shows_who_is_activated_unless_asked_otherwise(acme: Acme) -> None:
    han, luke = await acme.add("Han"), await acme.add("Luke")
    await acme.activate(luke)
    await acme.add("Jane")
    await acme.activate(han)
    await acme.identity.post(f"/v1/staff/{han}/suspend", token=acme.ray)
    everybody = {
        "activated": ["Jane", "Luke", "Ray"], "deactivated": ["Han"], "all": ["Han", "Jane", "Luke", "Ray"],
        "active": ["Luke", "Ray"], "invited": ["Jane"], "suspended": ["Han"], "deleted": [],
    }  # fmt: skip
    for status, people in everybody.items():
        assert await usernames(acme, status=status) == people, status
    assert await usernames(acme) == everybody["activated"]


async def test_filters_narrow_the_list_each_by_itself_and_together(acme: Acme) -> None:
    identity = acme.identity
    jane, luke, _ = await acme.add("Jane"), await acme.add("Luke"), await acme.add("Leia", type="administrator")
    update = "UPDATE staff SET role_names = $2, team_name = $3, availability = $4 WHERE id = $1"
    await run_as_owner(identity, update, jane, ["Agent", "Leader"], "Sales", "online")
    await run_as_owner(identity, update, luke, ["Agent"], "Operations", "away")
    await run_as_owner(identity, "UPDATE staff SET locked_at = $2 WHERE id = $1", luke, identity.clock.now())
    for query, people in (
        ({"type": "administrator"}, ["Leia"]),
        ({"type": "owner"}, ["Ray"]),
        ({"role": "Agent"}, ["Jane", "Luke"]),
        ({"role": "Leader"}, ["Jane"]),
        ({"role": "Agen"}, []),
        ({"team": "Sales"}, ["Jane"]),
        ({"availability": "away"}, ["Luke"]),
        ({"availability": "offline"}, ["Leia", "Ray"]),
        ({"locked": "true"}, ["Luke"]),
        ({"locked": "false"}, ["Jane", "Leia", "Ray"]),
        ({"role": "Agent", "team": "Operations", "locked": "true"}, ["Luke"]),
        ({"role": "Agent", "team": "Operations", "locked": "false"}, []),
    ):
        assert await usernames(acme, **query) == people, query
    until = "UPDATE staff SET locked_until = $2 WHERE id = $1"
    await run_as_owner(identity, until, luke, identity.clock.now())
    assert await usernames(acme, locked="true") == [], "a lock that has run out is none"


async def test_a_search_finds_parts_of_names_addresses_and_extensions_whatever_the_case(acme: Acme) -> None:
    await acme.add("vada", name="Mr. Väda 100%", email="DIRECTOR@acme.example", extension="4711*")
    await acme.add("Luke", name="Luke_S", email="luke@crates.example")
    for text, people in (
        ("mr. VÄD", ["vada"]), ("director", ["vada"]), ("711*", ["vada"]), ("LUK", ["Luke"]), ("crates.EX", ["Luke"]),
        ("100%", ["vada"]), ("%", ["vada"]), ("_", ["Luke"]), ("\\", []), ("e_s", ["Luke"]), ("nobody", []),
        ("' OR '1'='1", []), (" luke ", ["Luke"]), ("", ["Luke", "Ray", "vada"]),
    ):  # fmt: skip
        assert sorted(await usernames(acme, q=text), key=str.casefold) == sorted(people, key=str.casefold), text


async def test_what_is_no_filter_is_refused(acme: Acme) -> None:
    for query in (
        {"status": "gone"},
        {"sort": "password_hash"},
        {"limit": "0"},
        {"limit": "201"},
        {"org": str(acme.org)},
    ):
        answer = await acme.identity.ask("GET", "/v1/staff", token=acme.ray, params=query)
        assert problem(answer) == (422, "invalid"), query


# --- orders and pages -----------------------------------------------------------------------------------------


@pytest.mark.checklist("H08")
@pytest.mark.parametrize("way", ["", "-"])
@pytest.mark.parametrize("column", SORTS)
async def test_pages_in_every_order_hold_everybody_once(acme: Acme, column: str, way: str) -> None:
    """Many are the same in a column: what decides between them is always the same."""
    await crowd(acme, 60)
    turn = "DESC" if way else "ASC"
    query = f'SELECT id FROM staff WHERE org = $1 ORDER BY {_KEYS[column]} COLLATE "C" {turn}, id {turn}'
    wanted = [str(row["id"]) for row in await run_as_owner(acme.identity, query, acme.org)]
    for limit in (7, 61, 200):
        assert await walked(acme, limit, sort=way + column, status="all") == wanted
    assert (await listed(acme, sort=way + column, status="all", total="true"))["total"] == 61


async def test_case_and_accents_do_not_tear_names_apart(acme: Acme) -> None:
    for name in ("jane", "JANE", "Éowyn", "éomer"):
        await acme.add(f"crew-{uuid4().hex[:6]}", name=name)
    names = [one["name"] for one in (await listed(acme))["staff"]]
    assert [name.casefold() for name in names] == ["jane", "jane", "ray", "éomer", "éowyn"]


@pytest.mark.checklist("H08")
async def test_whoever_comes_and_goes_meanwhile_moves_nobody_else(acme: Acme) -> None:
    await crowd(acme, 40)
    there = await walked(acme, 200, status="all")
    found, after, n = [], "", 0
    while True:
        page = await listed(acme, limit=5, after=after, status="all")
        found += [one["id"] for one in page["staff"]]
        if page["next"] is None:
            break
        after, n = page["next"], n + 1
        await acme.add(f"Aaron{n}", name="Aaron")  # before the place that the walk has come to
        last = UUID(page["staff"][-1]["id"])
        if last != acme.owner_id and n == 2:  # the very one that the next page begins after
            assert (await acme.identity.ask("DELETE", f"/v1/staff/{last}", token=acme.ray)).status == 204
    assert found == there, "nobody twice, and nobody left out"


async def test_a_place_in_a_list_is_good_for_that_list_only(acme: Acme) -> None:
    await crowd(acme, 10)
    place = (await listed(acme, limit=3, sort="email"))["next"]
    other = await register(acme.identity, "Other Crates")
    ask = acme.identity.ask
    for token, query in (
        (acme.ray, {"sort": "name"}),
        (acme.ray, {"sort": "-email"}),
        (acme.ray, {"sort": "email", "q": "crew"}),
        (acme.ray, {"sort": "email", "status": "all"}),
        (other.ray, {"sort": "email"}),
    ):
        answer = await ask("GET", "/v1/staff", token=token, params={"after": place, **query})
        assert problem(answer) == (422, "unknown_cursor"), query
    assert (await listed(acme, limit=5, sort="email", after=place))["staff"], "how long a page is may change"


async def test_a_place_can_neither_be_made_nor_read(acme: Acme) -> None:
    await crowd(acme, 10)
    place = str((await listed(acme, limit=3, sort="email"))["next"])
    turned = [place[:n] + ("A" if place[n] != "A" else "B") + place[n + 1 :] for n in range(0, len(place), 5)]
    for forged in (*turned, place[:-4], place + "A", "x", "AAAA", "A" * 2000, "é", " "):
        params = {"after": forged, "sort": "email"}
        answer = await acme.identity.ask("GET", "/v1/staff", token=acme.ray, params=params)
        assert problem(answer) == (422, "unknown_cursor"), forged
    assert b"acme" not in base64.urlsafe_b64decode(place + "=="), "it may stand in somebody's log"


async def test_the_rows_that_authz_allows_hold_on_every_page_and_in_the_total(acme: Acme) -> None:
    await crowd(acme, 40)
    vada = await sign_in(acme, "Vada")
    mine = {UUID(one) for one in (await walked(acme, 200, status="all"))[::3]}
    acme.identity.authz.permit(vada.staff, "core.staff.view", over=mine)
    found, after = [], ""
    while True:
        page = await listed(acme, token=vada.token, status="all", limit=4, after=after, total="true", sort="-role")
        found += [UUID(one["id"]) for one in page["staff"]]
        assert page["total"] == len(mine | {vada.staff})
        if page["next"] is None:
            break
        after = page["next"]
    assert (set(found), len(found)) == (mine | {vada.staff}, len(mine | {vada.staff}))


async def test_a_page_is_read_in_the_order_of_an_index(acme: Acme) -> None:
    """Of 10,000 people as many are looked at as are shown: counted in blocks, for a clock says what else is running."""
    identity = acme.identity
    await crowd(acme, 10_000)
    await run_as_owner(identity, "ANALYZE staff")
    wanted = Filter(
        statuses=(StaffStatus.ACTIVE, StaffStatus.INVITED), type=None, team=None, role=None, availability=None,
        locked=None, text="", now=identity.clock.now(),
    )  # fmt: skip
    db = Database(
        identity.app_url, clock=identity.clock, ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    far = {}
    async with db.opened(), db.begin(acme.org) as tx:
        for column in SORTS:
            for descending in (False, True):
                counted = Counted(tx)
                order = Order(column=column, descending=descending)
                await store.page(counted, acme.org, RowFilter(reach=DataAccess.FULL), wanted, order, ("m", uuid4()), 51)
                if counted.blocks > 300:
                    far[f"{column} {descending}"] = counted.blocks
    assert not far, "all of them are 470 blocks and more"


class Counted(Tx):
    """A transaction that reads no rows, and counts the blocks that reading them takes."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._connection, tx.org, tx.database)
        self.blocks = 0

    async def all(self, kind: type[Any], sql: str, *args: object) -> list[Any]:
        plan = json.loads(await self.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *args))[0]["Plan"]
        self.blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return []


@pytest.mark.long
async def test_a_page_of_ten_thousand_people_takes_less_than_20_ms(acme: Acme) -> None:
    await crowd(acme, 10_000)
    await run_as_owner(acme.identity, "ANALYZE staff")
    print()
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("too much else is running for a clock to say anything")
    slow = {}
    for what in (*({"sort": way + column} for column in SORTS for way in ("", "-")), {"q": "eow"}, {"total": "true"}):
        first = await listed(acme, **what)
        for where, after in (("first", ""), ("next", first["next"] or "")):
            took = []
            for _ in range(20):
                started = time.perf_counter()
                await listed(acme, after=after, **what)
                took.append((time.perf_counter() - started) * 1000)
            least, median = min(took), statistics.median(took)  # the least: what it takes where nothing else runs
            print(f"{where:6} {what}: {least:.1f} ms, median {median:.1f} ms")
            if least >= 20:
                slow[f"{where} {what}"] = least
    assert not slow
