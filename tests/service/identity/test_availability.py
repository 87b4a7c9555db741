"""Availability: who takes enquiries now, and on which channels; told to products in order, and never of who is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity.staff.availability import Availabilities
from shared.bus.outbox import write_events
from shared.db import Database
from shared.ids import RandomIds
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import (
    SMS_INBOX_SECRET,
    Acme,
    Answer,
    Running,
    SignedIn,
    log_in,
    register,
    run_as_owner,
    sign_in,
)

ALL = ["webchat", "phone", "email", "facebook", "whatsapp", "sms"]


async def go(identity: Running, who: SignedIn, state: str) -> Answer:
    return await identity.ask("PUT", "/v1/me/availability", json={"state": state}, token=who.token)


async def take(identity: Running, who: SignedIn, online: list[str], away: list[str]) -> Answer:
    body = {"online": online, "away": away}
    return await identity.ask("PUT", "/v1/me/availability/channels", json=body, token=who.token)


async def told(identity: Running, staff: UUID, count: int) -> list[Any]:
    """What products have heard of the person, as state, channels and version."""

    def heard() -> list[Any]:
        events = [one.state for one in identity.heard.of(contract.AvailabilityChanged) if one.state.staff == staff]
        return [(one.state, one.channels, one.version) for one in events]

    async with asyncio.timeout(30):
        while len(heard()) < count:
            await asyncio.sleep(0.005)
    return heard()


async def asked(identity: Running, org: UUID, *staff: UUID) -> Answer:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    token = (await identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    query = {"org": str(org), "staff": ",".join(map(str, staff))}
    return await identity.ask("GET", "/v1/availability", params=query, token=token)


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


@asynccontextmanager
async def sweeping(identity: Running) -> AsyncIterator[Availabilities]:
    """A replica of its own, for what falls due by the clock."""
    db = Database(
        identity.app_url, clock=identity.clock, ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    async with db.opened():
        yield Availabilities(db, None)  # type: ignore[arg-type]


async def test_a_person_goes_online_and_away_with_the_channels_of_each(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    show = await identity.ask("GET", "/v1/me/availability", token=jane.token)
    assert show.json == {"staff": str(jane.staff), "state": "offline", "channels": [], "version": 0}
    assert (await go(identity, jane, "online")).json["channels"] == ALL
    chosen = (await take(identity, jane, ["sms", "webchat", "sms"], ["email"])).json
    assert chosen == {"online": ["webchat", "sms"], "away": ["email"]}, "each once, in one order"
    assert (await identity.ask("GET", "/v1/me/availability/channels", token=jane.token)).json == chosen
    assert (await go(identity, jane, "away")).json["channels"] == ["email"]
    assert (await go(identity, jane, "offline")).json["channels"] == []
    assert await told(identity, jane.staff, 4) == [
        ("online", ALL, 1),
        ("online", ["webchat", "sms"], 2),
        ("away", ["email"], 3),
        ("offline", [], 4),
    ]


async def test_what_changes_nothing_is_not_told(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    for _ in range(3):
        assert (await go(identity, jane, "online")).json["version"] == 1
        assert (await take(identity, jane, ALL, [])).status == 200
    await go(identity, jane, "away")
    assert [version for _, _, version in await told(identity, jane.staff, 2)] == [1, 2]
    logged = await run_as_owner(
        identity, "SELECT count(*) FROM audit WHERE org = $1 AND event = 'user_availability_set'", acme.org
    )
    assert logged[0]["count"] == 2


@pytest.mark.checklist("O05")
async def test_every_change_has_its_own_version_however_many_come_at_once(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    acts = [go(identity, jane, ("online", "away", "offline")[n % 3]) for n in range(30)]
    acts += [take(identity, jane, ALL[: n % 6], []) for n in range(10)]
    answers = await asyncio.gather(*acts)
    assert {answer.status for answer in answers} == {200}
    (row,) = await run_as_owner(
        identity, "SELECT availability, availability_version FROM staff WHERE id = $1", jane.staff
    )
    versions = [version for _, _, version in await told(identity, jane.staff, row["availability_version"])]
    assert versions == list(range(1, row["availability_version"] + 1))
    newest = (await told(identity, jane.staff, 1))[-1]
    assert newest[0] == row["availability"], "the greatest version is what is"


async def test_an_administrator_sets_it_for_somebody_who_is_signed_in(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    path = f"/v1/staff/{jane.staff}/availability"
    put = await identity.ask("PUT", path, json={"state": "away"}, token=acme.ray)
    assert put.json["state"] == "away"
    assert (await identity.ask("GET", path, token=acme.ray)).json == put.json
    body = {"online": [], "away": ["phone"]}
    assert (await identity.ask("PUT", f"{path}/channels", json=body, token=acme.ray)).json == body
    assert (await told(identity, jane.staff, 2))[-1] == ("away", ["phone"], 2)
    await identity.post("/v1/me/logout", token=jane.token)
    answer = await identity.ask("PUT", path, json={"state": "online"}, token=acme.ray)
    assert problem(answer) == (409, "not_signed_in")


@pytest.mark.checklist("H02")
async def test_others_neither_see_nor_set_it(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    other = await register(identity, "Other Crates")
    await go(identity, jane, "online")
    bodies: dict[str, Any] = {"": {"state": "offline"}, "/channels": {"online": [], "away": []}}
    for staff, token in ((jane.staff, luke.token), (jane.staff, other.ray), (uuid4(), acme.ray)):
        for path, body in bodies.items():
            for options in ({"method": "GET"}, {"method": "PUT", "json": body}):
                whole = f"/v1/staff/{staff}/availability{path}"
                answer = await identity.ask(path=whole, token=token, **options)
                assert problem(answer) == (404, "not_found"), (whole, options)
    assert [state for state, _, _ in await told(identity, jane.staff, 1)] == ["online"]


async def test_whoever_is_signed_in_nowhere_is_offline(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    phone = (await log_in(identity, jane.login)).json["access_token"]
    await go(identity, jane, "online")
    await identity.post("/v1/me/logout", token=jane.token)
    assert (await identity.ask("GET", "/v1/me/availability", token=phone)).json["state"] == "online"
    await identity.post("/v1/me/logout", token=phone)
    assert (await told(identity, jane.staff, 2))[-1] == ("offline", [], 2)
    listed = (await identity.ask("GET", f"/v1/staff/{jane.staff}", token=acme.ray)).json
    assert listed["availability"] == "offline"


@pytest.mark.parametrize("end", ["suspend", "delete", "sessions", "reuse"])
async def test_whoever_is_put_out_is_offline(acme: Acme, end: str) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await go(identity, jane, "online")
    form = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    if end == "suspend":
        assert (await identity.post(f"/v1/staff/{jane.staff}/suspend", token=acme.ray)).status == 200
    elif end == "delete":
        assert (await identity.ask("DELETE", f"/v1/staff/{jane.staff}", token=acme.ray)).status < 300
    elif end == "sessions":
        path = f"/v1/staff/{jane.staff}/sessions"
        (one,) = (await identity.ask("GET", path, token=acme.ray)).json["sessions"]
        assert (await identity.ask("DELETE", f"{path}/{one['id']}", token=acme.ray)).status == 204
    else:
        await identity.ask("POST", "/oauth/token", data=form)
        identity.clock.advance(seconds=11)
        assert (await identity.ask("POST", "/oauth/token", data=form)).status == 400
    assert (await told(identity, jane.staff, 2))[-1] == ("offline", [], 2)


async def test_whose_session_runs_out_is_offline_soon(acme: Acme) -> None:
    """Nobody ends it, so somebody looks: at the idle limit of the organisation, too."""
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    await run_as_owner(identity, "UPDATE staff SET availability = 'offline'")  # other tests' people
    await go(identity, jane, "online")
    await go(identity, luke, "away")
    async with sweeping(identity) as work:
        identity.clock.advance(minutes=59)
        form = {"grant_type": "refresh_token", "refresh_token": luke.refresh}
        assert (await identity.ask("POST", "/oauth/token", data=form)).status == 200
        assert await work.sweep() == 0
        identity.clock.advance(minutes=1)
        assert await work.sweep() == 1
        assert (await told(identity, jane.staff, 2))[-1] == ("offline", [], 2)
        policy = '{"session": {"idle_minutes": 5}}'
        await run_as_owner(identity, "UPDATE organisation SET security = $2::jsonb WHERE org = $1", acme.org, policy)
        identity.clock.advance(minutes=4)
        assert await work.sweep() == 1
        assert (await told(identity, luke.staff, 2))[-1] == ("offline", [], 2)
        assert await work.sweep() == 0


async def test_nobody_comes_online_on_a_session_that_is_just_ending(acme: Acme) -> None:
    identity = acme.identity
    for n in range(10):
        jane = await sign_in(acme, f"Jane{n}")
        await asyncio.gather(go(identity, jane, "online"), identity.post("/v1/me/logout", token=jane.token))
        (row,) = await run_as_owner(identity, "SELECT availability FROM staff WHERE id = $1", jane.staff)
        assert row["availability"] == "offline"


@pytest.mark.checklist("H01")
async def test_products_ask_about_many_at_once_in_one_organisation(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    other = await register(identity, "Other Crates")
    await go(identity, jane, "online")
    found = (await asked(identity, acme.org, jane.staff, luke.staff, other.owner_id, uuid4())).json["availability"]
    assert {one["staff"]: (one["state"], one["channels"]) for one in found} == {
        str(jane.staff): ("online", ALL),
        str(luke.staff): ("offline", []),
    }
    assert (await asked(identity, other.org, jane.staff)).json["availability"] == []
    assert len((await asked(identity, acme.org, *(uuid4() for _ in range(99)), jane.staff)).json["availability"]) == 1
    assert (await asked(identity, acme.org, *(uuid4() for _ in range(101)))).status == 422
