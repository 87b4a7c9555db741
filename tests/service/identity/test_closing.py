"""Closing an organisation: everybody out at once, everybody told, names kept, people forgotten in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from services.identity.organisation import closing
from shared.bus.outbox import write_events
from shared.db import Database
from shared.ids import RandomIds
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, Running, register, run_as_owner, sign_in, until


async def close(acme: Acme, number: str = "", token: str = "") -> Answer:
    return await acme.identity.post(
        "/v1/organisation/close", {"number": number or acme.number}, token=token or acme.ray
    )


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def rows(acme: Acme, columns: str) -> list[Any]:
    return await run_as_owner(acme.identity, f"SELECT {columns} FROM staff WHERE org = $1 ORDER BY id", acme.org)


async def deleted(acme: Acme, count: int) -> list[Any]:
    """Of this organisation: those that other tests have closed share the database."""

    def ours() -> list[Any] | None:
        told = [one for one in acme.identity.heard.of(contract.StaffDeleted) if one.org == acme.org]
        return told if len(told) >= count else None

    found: list[Any] = await until(ours)
    return found


@asynccontextmanager
async def working(identity: Running) -> AsyncIterator[Database]:
    """A replica of its own, for what is done in the background."""
    db = Database(
        identity.app_url, clock=identity.clock, ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    async with db.opened():
        yield db


@pytest.mark.checklist("G03", "A10")
async def test_with_the_answer_nobody_is_in_and_nobody_gets_in(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(closing.Closing, "_put_out", nothing)  # what is done in the background comes later
    identity, jane = acme.identity, await sign_in(acme)
    begun = await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})
    before = len(identity.heard.of(contract.SessionsEnded))
    answer = await close(acme)
    assert answer.status == 200
    assert answer.json["erased_after"][:10] == "2026-12-22"
    for token in (acme.ray, jane.token):
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    ended = (await identity.told(contract.SessionsEnded, before + 2))[before:]
    assert {one.staff for one in ended} == {acme.owner_id, jane.staff}, "in every service"
    grant = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    assert problem(await identity.ask("POST", "/oauth/token", data=grant)) == (400, "invalid_grant")
    assert (await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})).status == 401
    send = {"transaction": begun.json["transaction"], "factor": "email"}
    assert (await identity.post("/v1/login/codes", send)).status == 401, "not even one that was begun before"
    closed = (await identity.told(contract.OrganisationClosed, 1))[0]
    assert (closed.org, closed.state.version) == (acme.org, 2)


async def test_everybody_is_told_once_and_deleted(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small steps, each whole: whoever goes on after a crash begins where the last step ended."""
    monkeypatch.setattr(closing, "_BATCH", 2)
    other = await register(acme.identity, "Other Crates")
    jane = await sign_in(acme)
    han = await acme.add("Han")  # never activated: nobody to tell
    luke = await sign_in(acme, "Luke")
    assert (await acme.identity.post(f"/v1/staff/{luke.staff}/suspend", token=acme.ray)).status == 200
    await close(acme)
    gone = await deleted(acme, 4)
    assert {one.state.staff for one in gone} == {acme.owner_id, jane.staff, han, luke.staff}
    assert {one.state.status for one in gone} == {"deleted"}
    notices = [
        one.staff for one in acme.identity.heard.of(contract.NoticeIssued)
        if one.kind is contract.NoticeKind.ORGANISATION_CLOSED and one.org == acme.org
    ]  # fmt: skip
    assert sorted(notices) == sorted([acme.owner_id, jane.staff])
    assert {row["status"] for row in await rows(acme, "status")} == {"deleted"}
    assert (await acme.identity.ask("GET", "/v1/me", token=other.ray)).status == 200
    assert [row["status"] for row in await rows(other, "status")] == ["active"]


@pytest.mark.checklist("G14")
async def test_only_the_owner_closes_it_with_a_fresh_factor_and_its_number(acme: Acme) -> None:
    identity, laya = acme.identity, await sign_in(acme, "Laya", type="administrator")
    other = await register(identity, "Other Crates")
    assert problem(await close(acme, token=laya.token)) == (403, "owner_only")
    assert problem(await close(acme, other.number)) == (422, "wrong_number")
    await run_as_owner(
        identity, "UPDATE session SET authenticated_at = authenticated_at - interval '301 seconds' WHERE staff = $1",
        acme.owner_id,
    )  # fmt: skip
    login = f"{acme.number}\\Ray"
    identity.clock.advance(seconds=30)
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    finish = {
        "transaction": started.json["transaction"],
        "factor": "totp",
        "code": acme.app.at(identity.clock.now()),
    }
    fresh = (await identity.post("/v1/login/finish", finish)).json
    await run_as_owner(
        identity, "UPDATE session SET authenticated_at = authenticated_at - interval '301 seconds' WHERE staff = $1",
        acme.owner_id,
    )  # fmt: skip
    grant = {"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]}
    stale = (await identity.ask("POST", "/oauth/token", data=grant)).json["access_token"]
    assert problem(await close(acme, token=stale)) == (401, "step_up_needed")
    assert (await identity.ask("GET", "/v1/organisation", token=laya.token)).status == 200
    assert (await close(acme, acme.number.lower(), fresh["access_token"])).status == 200


@pytest.mark.checklist("A09", "H07")
async def test_names_stay_taken_and_people_are_forgotten(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    wanted = f"Acme{acme.org.hex[-8:]}"
    await identity.post("/v1/organisation/username", {"username": wanted}, token=acme.ray)
    block = {"kind": "email", "value": "luke@rebels.example", "reason": "Phishing"}
    await identity.post("/v1/blocklist", block, token=acme.ray)
    await identity.ask("PUT", "/v1/numbers/+61491570006", json={"purposes": ["caller_id"]}, token=acme.ray)
    await close(acme)
    await deleted(acme, 2)
    other = await register(identity, "Other Crates")
    taken = await identity.post("/v1/organisation/username", {"username": wanted}, token=other.ray)
    assert problem(taken) == (409, "username_taken")
    count = "SELECT (SELECT count(*) FROM blocked_visitor WHERE org = $1) + (SELECT count(*) FROM allowed_number WHERE org = $1) AS n"
    async with working(identity) as db:
        work = closing.Closing(db, None, None, None, 30)  # type: ignore[arg-type]
        identity.clock.advance(days=29, hours=23)
        assert await work.sweep() == 0
        assert (await run_as_owner(identity, count, acme.org))[0]["n"] == 2
        identity.clock.advance(hours=1)
        while await work.sweep():  # other tests' organisations too
            pass
    assert (await run_as_owner(identity, count, acme.org))[0]["n"] == 0
    assert jane.staff in {row["id"] for row in await rows(acme, "id")}, "what they were called goes with erasing.py"


async def test_two_who_close_it_at_once_close_it_once(acme: Acme) -> None:
    answers = await asyncio.gather(*(close(acme) for _ in range(5)))
    assert sorted(answer.status for answer in answers)[0] == 200
    assert {answer.status for answer in answers} <= {200, 401, 403, 409}
    assert [answer.status for answer in answers].count(200) == 1
    await acme.identity.told(contract.OrganisationClosed, 1)
    await deleted(acme, 1)
    assert len(acme.identity.heard.of(contract.OrganisationClosed)) == 1
    logged = await run_as_owner(
        acme.identity, "SELECT actor FROM audit WHERE org = $1 AND event = 'org_closed'", acme.org
    )
    assert [UUID(row["actor"]) for row in logged] == [acme.owner_id]
