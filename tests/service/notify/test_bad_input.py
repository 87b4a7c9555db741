"""Wrong input at every operation of notify: a 4xx problem with a reason, never a 500, never a half-done change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.notify.api import api
from shared.http.openapi import document
from staffgate.access import AUDIENCE
from tests.service.bad_input import raw
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.judge import Judge
from tests.service.bad_input.sound import Operation, Sound, operations
from tests.service.notify.conftest import ACME, IDS, ISSUER, RAY, SIGNING, Running, code_issued, link_issued
from tests.service.notify.sound import FORBIDDEN, HIDDEN, World

OPERATIONS = {one.id: one for one in operations(document("notify", "0", api.operations))}


def claims_of_ray(world: World) -> dict[str, Any]:
    now = int(world.notify.clock.now().timestamp())
    person = {"sub": str(RAY), "org": str(ACME), "sid": str(IDS.uuid()), "roles": ["owner"]}
    return {"iss": ISSUER, "aud": AUDIENCE, "client_id": "x", "iat": now, "exp": now + 300, "jti": "1"} | person


@pytest_asyncio.fixture
async def world(notify: Running) -> AsyncIterator[World]:
    for event in (link_issued(notify.clock), code_issued(notify.clock)):
        await notify.publish(event)
        await notify.row(event.link if hasattr(event, "link") else event.code, "sent")
    async with aiohttp.ClientSession() as session:
        yield World(notify, Judge(notify.url, session, notify.owner))


def sound_of(world: World, name: str) -> Callable[[], Awaitable[Sound]]:
    maker: Callable[[], Awaitable[Sound]] = getattr(world, name)
    return maker


def test_every_operation_has_a_sound_request_to_be_spoilt() -> None:
    assert [name for name in OPERATIONS if not hasattr(World, name)] == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.id)
async def test_wrong_input_is_refused_with_a_reason_and_changes_nothing(world: World, operation: Operation) -> None:
    faults = await world.judge.faults(operation, sound_of(world, operation.id))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.needs_token], ids=lambda one: one.id)
async def test_a_wrong_token_or_the_wrong_caller_is_refused_everywhere(world: World, operation: Operation) -> None:
    sound, forger = await sound_of(world, operation.id)(), Forger(json.loads(SIGNING), claims_of_ray(world))
    product = Forger(json.loads(SIGNING), claims_of_ray(world) | {"sub": "x", "org": None, "sid": None, "roles": []})
    wrong = [("a product", product.good())] + ([("Jane", world.jane)] if operation.id in FORBIDDEN else [])
    faults = await world.judge.token_faults(operation, sound, forger)
    faults += await world.judge.caller_faults(operation, sound, wrong)
    if operation.id in HIDDEN:
        faults += await world.judge.caller_faults(operation, sound, [("Jane", world.jane)], 404)
    assert not faults, "\n".join(faults)


@pytest.mark.checklist("G06")
async def test_every_kind_of_token_that_is_none_is_refused(world: World) -> None:
    forger = Forger(json.loads(SIGNING), claims_of_ray(world))
    name = "list_deliveries"
    faults = await world.judge.forged_faults(OPERATIONS[name], await world.list_deliveries(), forger)
    assert not faults, "\n".join(faults)


async def test_no_header_breaks_an_operation(world: World) -> None:
    faults = []
    token = world.jane.encode()
    for header in raw.HEADERS:
        for what, value in raw.VALUES.items():
            headers = {"Authorization": b"Bearer " + token, header: value}
            status, said = await raw.answer(world.notify.url, "GET", "/v1/deliveries", headers, b"")
            if not 200 <= status < 500:
                faults.append(f"{header} is {what}: {said[:200]!r}")
    assert not faults, "\n".join(faults)
