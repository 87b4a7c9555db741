"""Guessing is slowed down, at every replica alike and for names that exist as for those that don't; and nobody is kept
out of their own account by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.identity.login.throttle import ACCOUNT, NETWORK, ORGANISATION, Throttle
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, Running, register, run_as_owner, running
from tests.service.identity.states import coming_from
from tests.service.identity.test_login import attempt, finish, told_of


async def fail(identity: Running, login: str, times: int, **more: Any) -> list[Answer]:
    return [await attempt(identity, login, "wrong", **more) for _ in range(times)]


async def known_device(identity: Running, login: str) -> str:
    return str((await finish(identity, await attempt(identity, login))).json["device"])


@pytest.mark.checklist("E01", "E02", "E07")
async def test_the_wait_doubles_after_a_few_free_tries(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    assert {answer.status for answer in await fail(identity, login, ACCOUNT.free)} == {401}
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        early = await attempt(identity, login)
        assert (early.status, early.headers["Retry-After"]) == (429, str(wait)), "the right password, too"
        assert early.json["type"] == "urn:staffgate:problem:too_many_tries"
        identity.clock.advance(seconds=wait - 0.5)
        assert (await attempt(identity, login)).status == 429
        identity.clock.advance(seconds=0.5)
        assert (await attempt(identity, login, "wrong")).status == 401


@pytest.mark.checklist("E01", "A01")
async def test_a_name_that_does_not_exist_is_held_up_just_the_same(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    names = [login, f"{acme.number}\\Nobody", "No-Such-Crates\\Jane", "Nothing", "A\0B"]
    answers = [[*await fail(identity, name, 7)] for name in names]
    said = [
        [(one.status, one.text, one.headers.get("Retry-After"), len(one.headers)) for one in each] for each in answers
    ]
    assert [status for status, *_ in said[0]] == [401] * 5 + [429] * 2
    assert [one for one in said if one != said[0]] == []


async def test_success_clears_the_count(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    for _ in range(3):
        await fail(identity, login, ACCOUNT.free - 1)
        assert (await attempt(identity, login)).status == 200


async def test_failures_are_forgotten_with_time(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    await fail(identity, login, ACCOUNT.free)
    identity.clock.advance(hours=20)
    assert {answer.status for answer in await fail(identity, login, ACCOUNT.free - 1)} == {401}
    assert (await attempt(identity, login)).status == 429


async def test_both_names_of_an_organisation_are_one_account(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    name = f"Crates-{acme.org.hex[-8:]}"
    assert (await identity.post("/v1/organisation/username", {"username": name}, token=acme.ray)).status == 200
    await fail(identity, login, ACCOUNT.free)
    assert (await attempt(identity, f"{name.upper()}\\jane")).status == 429


@pytest.mark.checklist("E01")
async def test_replicas_count_together(acme: Acme, database: Any) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    async with running(database, clock=identity.clock) as other:
        for number in range(ACCOUNT.free):
            assert (await attempt(other if number % 2 else identity, login, "wrong")).status == 401
        for replica in (identity, other):
            assert (await attempt(replica, login)).status == 429


@pytest.mark.checklist("E01")
async def test_a_hundred_guesses_at_once_are_no_more_than_one_after_the_other(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    answers = await asyncio.gather(*(attempt(identity, login, f"guess {n}") for n in range(100)))
    tested = Counter(answer.status for answer in answers)
    assert set(tested) == {401, 429}
    assert tested[401] <= ACCOUNT.free, "so many passwords were tried"


@pytest.mark.checklist("E01")
async def test_a_network_that_tries_many_accounts_is_held_up_and_others_are_not(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    async with coming_from(identity, "127.0.0.2") as attacker:
        for number in range(NETWORK.free):
            assert (await attempt(attacker, f"Crates{number}\\Jane", "wrong")).status == 401
        assert (await attempt(attacker, "Another\\Jane", "wrong")).status == 429
        assert (await attempt(attacker, login)).status == 429
    assert (await attempt(identity, login)).status == 200


@pytest.mark.checklist("E01", "E02")
async def test_a_flood_at_one_organisation_holds_up_new_devices_there_for_a_minute_at_most(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    device, other = await known_device(identity, login), await register(identity, "Other Crates")
    await run_as_owner(
        identity, "INSERT INTO throttle VALUES ($1, 900, 900, 1000, $2)",
        Throttle(bytes(32)).at(ORGANISATION, str(acme.org)).key, identity.clock.now(),
    )  # fmt: skip
    held = await attempt(identity, login)
    assert (held.status, held.headers["Retry-After"]) == (429, "60")
    assert (await attempt(identity, login, device=device)).status == 200
    assert (await attempt(identity, f"{other.number}\\Ray", PASSWORD)).status == 200


async def test_every_failure_is_counted_at_its_organisation(acme: Acme) -> None:
    key = Throttle(bytes(32)).at(ORGANISATION, str(acme.org)).key
    for name in ("Nobody", "Jane", "Ray"):
        await fail(acme.identity, f"{acme.number}\\{name}", 1)
    rows = await run_as_owner(acme.identity, "SELECT failures, level FROM throttle WHERE key = $1", key)
    assert [tuple(row) for row in rows] == [(3, 3.0)]


@pytest.mark.checklist("E02")
async def test_strangers_do_not_keep_out_whoever_comes_from_a_known_device(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    device = await known_device(identity, login)
    async with coming_from(identity, "127.0.0.3") as stranger:
        assert (await fail(stranger, login, 9))[-1].status == 429
    assert (await attempt(identity, login)).status == 429
    assert (await finish(identity, await attempt(identity, login, device=device))).status == 200
    assert await told_of(identity, jane) == ["login_after_failures"]


@pytest.mark.checklist("E02")
async def test_the_device_of_an_activation_is_known(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await identity.told(contract.LinkIssued, 2)
    body = {"token": identity.heard.link(), "password": PASSWORD}
    activated = (await identity.post("/v1/activations", body)).json
    await fail(identity, activated["login"], 6)
    assert (await attempt(identity, activated["login"], device=activated["device"])).status == 200


@pytest.mark.checklist("E02")
async def test_somebody_elses_device_is_not_known(acme: Acme) -> None:
    identity = acme.identity
    login, other = await acme.activate(await acme.add()), await acme.activate(await acme.add("Luke"))
    device = await known_device(identity, other)
    await fail(identity, login, ACCOUNT.free)
    assert (await attempt(identity, login, device=device)).status == 429


@pytest.mark.checklist("E02")
async def test_a_known_device_that_guesses_is_held_up_by_itself_and_then_forgotten(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    device = await known_device(identity, login)
    assert {one.status for one in await fail(identity, login, 5, device=device)} == {401}
    assert (await attempt(identity, login, device=device)).status == 429
    assert (await attempt(identity, login)).status == 200, "the account is not held up by what its own device does"
    for _ in range(5):
        identity.clock.advance(minutes=15)
        assert (await attempt(identity, login, "wrong", device=device)).status == 401
    assert (await identity.post("/v1/login/organisation", {"device": device})).status == 404
    forgotten = await finish(identity, await attempt(identity, login, device=device))
    assert forgotten.json["device"] not in (None, device)


@pytest.mark.checklist("E07")
async def test_no_code_is_sent_and_nobody_gets_in_while_nothing_can_be_counted(acme: Acme, postgres: str) -> None:
    """Without PostgreSQL there is no limit, so there is no login either."""
    identity, login = acme.identity, await acme.activate(await acme.add())
    started = await attempt(identity, login)
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    before = len(identity.heard.of(contract.CodeIssued))
    async with shut_off(identity, postgres):
        for path, body in (
            ("/v1/login", {"login": login, "password": PASSWORD}),
            ("/v1/login/codes", ask),
            ("/v1/login/finish", ask | {"code": "12345678"}),
        ):
            answer = await identity.post(path, body)
            assert (answer.status, "Retry-After" in answer.headers) == (503, True), path
    assert len(identity.heard.of(contract.CodeIssued)) == before
    assert (await finish(identity, started)).status == 200


@asynccontextmanager
async def shut_off(identity: Running, admin_url: str) -> AsyncIterator[None]:
    """As long as it lasts, PostgreSQL has no connection for identity."""
    url = urlsplit(identity.app_url)
    admin: Any = await asyncpg.connect(admin_url)
    await admin.execute(f'ALTER ROLE "{url.username}" CONNECTION LIMIT 0')
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", url.username)
    try:
        yield
    finally:
        await admin.execute(f'ALTER ROLE "{url.username}" CONNECTION LIMIT -1')
        await admin.close()
