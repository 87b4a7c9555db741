"""Who somebody was is forgotten some days after they were deleted; that somebody was there is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.identity.staff.erasure import Erasure
from services.identity.store import erasure as store
from shared.bus.outbox import write_events
from shared.db import Database
from shared.ids import RandomIds
from tests.service.identity.conftest import Acme, run_as_owner, sign_in

DAYS = 30
WORDS = ("jane", "solo", "4711", "491570006", "copper")


@pytest_asyncio.fixture
async def db(acme: Acme) -> AsyncIterator[Database]:
    """As another replica has it."""
    other = Database(
        acme.identity.app_url, clock=acme.identity.clock, ids=RandomIds(), write_events=write_events,
        committed=lambda: None,
    )  # fmt: skip
    async with other.opened():
        yield other


async def deleted(acme: Acme, username: str = "Jane", **more: Any) -> UUID:
    given = {"name": "Jane Solo", "extension": "4711", "mobile": "+61 491 570 006", "email": "jane@solo.example"}
    person = await sign_in(acme, username, **(given | more))
    placed = "UPDATE staff SET role_names = '{Agent of Jane}', team_name = 'Team Solo' WHERE id = $1"
    await run_as_owner(acme.identity, placed, person.staff)
    answer = await acme.identity.ask("DELETE", f"/v1/staff/{person.staff}", token=acme.ray)
    assert answer.status == 204
    return person.staff


async def swept(db: Database) -> int:
    """Until nobody is left whose time has come."""
    erasure, erased = Erasure(db, DAYS), 0
    while batch := await erasure.sweep():
        erased += batch
    return erased


async def everything(acme: Acme) -> str:
    """Every row of every table of the organisation that could tell who somebody was, in lower case. What was sent waits
    sealed in the outbox, and is notify's to forget."""
    tables = await run_as_owner(acme.identity, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for table in sorted({row["tablename"] for row in tables} - {"outbox", "migration", "inbox"}):
        rows = await run_as_owner(acme.identity, f"SELECT to_jsonb(t)::text AS row FROM {table} t")
        found += [f"{table}: {row['row']}" for row in rows]
    return "\n".join(found).lower()


@pytest.mark.checklist("H07")
async def test_personal_data_is_kept_for_the_days_and_not_longer(acme: Acme, db: Database) -> None:
    identity, jane = acme.identity, await deleted(acme, "JaneSolo")
    identity.clock.advance(days=DAYS, seconds=-1)
    await swept(db)
    kept = (await run_as_owner(identity, "SELECT * FROM staff WHERE id = $1", jane))[0]
    assert (kept["name"], kept["erased_at"]) == ("Jane Solo", None)
    identity.clock.advance(seconds=1)
    await swept(db)
    left = dict((await run_as_owner(identity, "SELECT * FROM staff WHERE id = $1", jane))[0])
    same = ("org", "id", "type", "status", "created_at", "deleted_at")
    assert {name: left[name] for name in same} == {name: kept[name] for name in same}
    assert left["erased_at"] == identity.clock.now()
    said = "\n".join(line for line in (await everything(acme)).splitlines() if str(jane) in line)
    assert [word for word in WORDS if word in said] == [], said


@pytest.mark.checklist("H07")
async def test_after_that_nobody_finds_them_and_nobody_gets_their_name(acme: Acme, db: Database) -> None:
    identity, jane = acme.identity, await deleted(acme)
    identity.clock.advance(days=DAYS)
    token = (await sign_in_anew(acme)).json["access_token"]
    listed = await identity.ask("GET", "/v1/staff?status=deleted", token=token)
    assert [one["id"] for one in listed.json["staff"]] == [str(jane)]
    await swept(db)
    listed = await identity.ask("GET", "/v1/staff?status=deleted", token=token)
    assert listed.json["staff"] == []
    again = {"type": "standard", "name": "Jane", "email": "jane@acme.example", "username": "jane"}
    taken = await identity.post("/v1/staff", again, token=token)
    assert (taken.status, taken.json["type"]) == (409, "urn:staffgate:problem:username_taken")


async def sign_in_anew(acme: Acme) -> Any:
    """Ray, whose session is a month old by now, with his app."""
    identity = acme.identity
    login = {"login": f"{acme.number}\\Ray", "password": "seven miles of copper wire"}
    started = await identity.post("/v1/login", login)
    code = acme.app.at(identity.clock.now())
    finish = {"transaction": started.json["transaction"], "factor": "totp", "code": code}
    return await identity.post("/v1/login/finish", finish)


@pytest.mark.checklist("H07", "O01")
async def test_each_is_written_down_by_id_alone_and_once(acme: Acme, db: Database) -> None:
    identity = acme.identity
    people = [await deleted(acme, f"Jane{n}", extension=str(n)) for n in range(3)]
    identity.clock.advance(days=DAYS)
    assert await swept(db) >= 3
    assert await swept(db) == 0
    query = "SELECT target, actor, body FROM audit WHERE event = 'user_erased' AND org = $1"
    rows = await run_as_owner(identity, query, acme.org)
    assert sorted(row["target"] for row in rows) == sorted(map(str, people))
    assert {row["actor"] for row in rows} == {None}
    assert [word for word in WORDS for row in rows if word in row["body"].lower()] == []


async def test_many_are_erased_in_small_steps(acme: Acme, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.identity.staff.erasure._BATCH", 2)
    people = [await deleted(acme, f"Jane{n}", extension=str(n)) for n in range(5)]
    acme.identity.clock.advance(days=DAYS)
    await swept(db)
    left = await run_as_owner(acme.identity, "SELECT FROM staff WHERE id = ANY($1) AND erased_at IS NULL", people)
    assert left == []


async def test_one_replica_erases_at_a_time(acme: Acme, db: Database) -> None:
    await deleted(acme)
    acme.identity.clock.advance(days=DAYS)
    async with db.begin_anywhere() as tx:
        assert await store.take_turn(tx)
        assert await Erasure(db, DAYS).sweep() == 0
    assert sum(await asyncio.gather(*(swept(db) for _ in range(4)))) >= 1
    query = "SELECT FROM audit WHERE event = 'user_erased' AND org = $1"
    assert len(await run_as_owner(acme.identity, query, acme.org)) == 1


async def test_whoever_is_there_is_left_alone(acme: Acme, db: Database) -> None:
    identity = acme.identity
    jane, luke = await sign_in(acme, "Jane"), await acme.add("Luke")
    await identity.post(f"/v1/staff/{jane.staff}/suspend", token=acme.ray)
    query = "SELECT name, email, username, erased_at FROM staff WHERE org = $1 ORDER BY id"
    before = await run_as_owner(identity, query, acme.org)
    identity.clock.advance(days=3650)
    await swept(db)
    assert await run_as_owner(identity, query, acme.org) == before
    assert luke


async def test_the_service_erases_by_itself(acme: Acme, db: Database) -> None:
    """The part that runs in every worker begins with a sweep."""
    jane = await deleted(acme)
    acme.identity.clock.advance(days=DAYS)
    async with Erasure(db, DAYS).round.running(), asyncio.timeout(30):
        while not await run_as_owner(
            acme.identity, "SELECT FROM staff WHERE id = $1 AND erased_at IS NOT NULL", jane
        ):  # fmt: skip
            await asyncio.sleep(0.01)
