"""Wrong input at every operation of identity: a 4xx problem with a reason, never a 500, never a half-done change."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from services.identity.api import api
from shared.http.openapi import document
from tests.service.bad_input import raw
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.judge import judging
from tests.service.bad_input.sound import Operation, Sound, operations
from tests.service.identity.conftest import SIGNING, SMS_INBOX_SECRET, Acme, log_in
from tests.service.identity.sound import FOR_PRODUCTS, FORBIDDEN, HIDDEN, World

OPERATIONS = {one.id: one for one in operations(document("identity", "0", api.operations))}


@pytest_asyncio.fixture
async def world(acme: Acme) -> AsyncIterator[World]:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    jane = (await log_in(acme.identity, await acme.activate(await acme.add()))).json["access_token"]
    async with judging(acme.identity.url, acme.identity.session, acme.identity.owner_url) as judge:
        yield World(acme, jane, product, judge)


def sound_of(world: World, name: str) -> Callable[[], Awaitable[Sound]]:
    maker: Callable[[], Awaitable[Sound]] = getattr(world, name)
    return maker


def test_every_operation_has_a_sound_request_to_be_spoilt() -> None:
    assert [name for name in OPERATIONS if not hasattr(World, name)] == []


@pytest.mark.parametrize("name", [*OPERATIONS, "issue_token_to_product"])
async def test_wrong_input_is_refused_with_a_reason_and_changes_nothing(world: World, name: str) -> None:
    operation = OPERATIONS[name.removesuffix("_to_product")]
    faults = await world.judge.faults(operation, sound_of(world, name))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.needs_token], ids=lambda one: one.id)
async def test_a_wrong_token_or_the_wrong_caller_is_refused_everywhere(world: World, operation: Operation) -> None:
    sound = await sound_of(world, operation.id)()
    forger = Forger(SIGNING, claims_of(world.acme.ray))
    wrong = [("a person", world.acme.ray)] if operation.id in FOR_PRODUCTS else [("a product", world.product)]
    wrong += [("Jane", world.jane)] if operation.id in FORBIDDEN else []
    faults = await world.judge.token_faults(operation, sound, forger)
    faults += await world.judge.caller_faults(operation, sound, wrong)
    if operation.id in HIDDEN:
        faults += await world.judge.caller_faults(operation, sound, [("Jane", world.jane)], 404)
    assert not faults, "\n".join(faults)


@pytest.mark.checklist("G06")
async def test_every_kind_of_token_that_is_none_is_refused(world: World) -> None:
    forger = Forger(SIGNING, claims_of(world.acme.ray))
    faults = await world.judge.forged_faults(OPERATIONS["show_me"], await world.show_me(), forger)
    assert not faults, "\n".join(faults)


async def test_what_is_handed_out_for_one_thing_is_no_access_token(world: World) -> None:
    _, login = await world.active()
    tokens = (await log_in(world.identity, login)).json
    for handed in (tokens["refresh_token"], await world.link(), await world.transaction()):
        answer = await world.identity.ask("GET", "/v1/me", token=handed)
        assert answer.status == 401


async def test_a_method_or_a_path_that_does_not_exist_is_a_problem_too(world: World) -> None:
    for method, path, status in (
        ("DELETE", "/v1/staff", 405),
        ("GET", "/v1/nothing", 404),
        ("PROPFIND", "/v1/me", 405),
        ("POST", "/v1/staff/", 404),
        ("GET", "/v1//staff", 404),
    ):
        answer = await world.identity.ask(method, path, token=world.acme.ray)
        assert (answer.status, answer.json["status"], answer.json["instance"]) == (status, status, path)


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.parametrize("header", raw.HEADERS)
async def test_no_header_breaks_an_operation(world: World, header: str) -> None:
    """Finishing a login keeps the User-Agent; the request id comes back; the rest is read on the way."""
    faults = []
    for what, value in raw.VALUES.items():
        sound = await world.finish_login()
        before = await world.judge.snapshot()
        headers = {"Content-Type": b"application/json", header: value}
        content = json.dumps(sound.body).encode()
        status, said = await raw.answer(world.identity.url, "POST", "/v1/login/finish", headers, content)
        if not 200 <= status < 500 or b"X-Injected" in said.partition(b"\r\n\r\n")[0]:
            faults.append(f"{what}: {said[:200]!r}")
        elif status >= 400 and await world.judge.snapshot() != before:
            faults.append(f"{what}: answered {status}, and yet something changed")
    assert not faults, "\n".join(faults)
