"""Wrong input at every operation of notify: a 4xx problem with a reason, never a 500, never a half-done change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from staffgate.access import AUDIENCE
from staffgate.contracts.caller import StaffType
from tests.service.bad_input import raw
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.judge import Judge
from tests.service.bad_input.sound import Operation, Sound, operations
from tests.service.notify.conftest import ACME, IDS, ISSUER, JANE, RAY, SIGNING, Running, code_issued, link_issued

ROOT = Path(__file__).parents[3]
OPERATIONS = {one.id: one for one in operations(json.loads((ROOT / "deploy/openapi/notify.json").read_text()))}


@dataclass
class World:
    """A link and a code were sent to Jane; Ray, the owner, looks."""

    notify: Running
    judge: Judge

    async def list_deliveries(self) -> Sound:
        return Sound(query={"staff": str(JANE), "limit": "10"}, token=self.notify.token(RAY, StaffType.OWNER))

    def claims(self) -> dict[str, Any]:
        now = int(self.notify.clock.now().timestamp())
        person = {"sub": str(RAY), "org": str(ACME), "sid": str(IDS.uuid()), "roles": ["owner"]}
        return {"iss": ISSUER, "aud": AUDIENCE, "client_id": "x", "iat": now, "exp": now + 300, "jti": "1"} | person


@pytest_asyncio.fixture
async def world(notify: Running) -> AsyncIterator[World]:
    for event in (link_issued(notify.clock), code_issued(notify.clock)):
        await notify.publish(event)
        await notify.row(event.link if hasattr(event, "link") else event.code, "sent")
    async with aiohttp.ClientSession() as session:
        yield World(notify, Judge(notify.url, session, notify.owner))


def test_every_operation_has_a_sound_request_to_be_spoilt() -> None:
    assert [name for name in OPERATIONS if not hasattr(World, name)] == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.id)
async def test_wrong_input_is_refused_with_a_reason_and_changes_nothing(world: World, operation: Operation) -> None:
    faults = await world.judge.faults(operation, getattr(world, operation.id))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.needs_token], ids=lambda one: one.id)
async def test_a_wrong_token_or_the_wrong_caller_is_refused_everywhere(world: World, operation: Operation) -> None:
    sound, forger = await getattr(world, operation.id)(), Forger(json.loads(SIGNING), world.claims())
    product = Forger(json.loads(SIGNING), world.claims() | {"sub": "x", "org": None, "sid": None, "roles": []})
    faults = await world.judge.token_faults(operation, sound, forger)
    faults += await world.judge.caller_faults(operation, sound, [("a product", product.good())])
    assert not faults, "\n".join(faults)


@pytest.mark.checklist("G06")
async def test_every_kind_of_token_that_is_none_is_refused(world: World) -> None:
    forger = Forger(json.loads(SIGNING), world.claims())
    name = "list_deliveries"
    faults = await world.judge.forged_faults(OPERATIONS[name], await world.list_deliveries(), forger)
    assert not faults, "\n".join(faults)


async def test_no_header_breaks_an_operation(world: World) -> None:
    faults = []
    token = world.notify.token(JANE, StaffType.STANDARD).encode()
    for header in raw.HEADERS:
        for what, value in raw.VALUES.items():
            headers = {"Authorization": b"Bearer " + token, header: value}
            status, said = await raw.answer(world.notify.url, "GET", "/v1/deliveries", headers, b"")
            if not 200 <= status < 500:
                faults.append(f"{header} is {what}: {said[:200]!r}")
    assert not faults, "\n".join(faults)
