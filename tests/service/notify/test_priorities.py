"""Somebody waits for a code, and nobody for an invitation: ten thousand of these do not delay one of those.

Here a smaller crowd and fewer codes, over the real broker; the whole of it is `./dev bench deliveries`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from deploy.local.rabbitmq import RabbitMQ
from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.service import Role
from staffgate.contracts.event import Event
from tests.service.notify.conftest import IDS, Running, code_issued, link_issued, providers, until
from tests.service.notify.simulated import NO_LIMITS, RunningClock, Server

CROWD, CODES = 240, 8
TAKES = 0.25  # seconds the server takes over each: the crowd needs eight, however quick the machine is
MOST = 2.0  # seconds


def message(notify: Running, event: Event) -> Message:
    id = IDS.uuid()
    return Message(id=str(id), type=event.type, body=encode(event, id, notify.clock.now()))


def invitation(notify: Running, number: int) -> Message:
    return message(notify, link_issued(notify.clock, staff=IDS.uuid(), org=IDS.uuid(), to=f"jane{number}@acme.example"))


@pytest.mark.checklist("M09")
async def test_a_code_overtakes_what_waits_in_the_queue_and_in_the_table(
    surroundings: Running, rabbitmq: RabbitMQ
) -> None:
    surroundings.clock = RunningClock()
    identity = RabbitBus(rabbitmq.url, "identity")
    await identity.start()
    surroundings.stack.push_async_callback(identity.close)
    await until(lambda: identity.connected)
    async with Server("mail", surroundings.clock) as server:
        server.seconds = TAKES
        named = providers(server.settings)
        surroundings.settings = msgspec.structs.replace(surroundings.settings, providers=named, limits=NO_LIMITS)
        stop = await surroundings.start(Role.HTTP)
        await stop()
        crowd = [invitation(surroundings, number) for number in range(CROWD)]
        assert all(await identity.publish(crowd))
        bus: Any = RabbitBus(rabbitmq.url, "notify")
        stop = await surroundings.start(Role.WORKER, bus=bus)
        await until(lambda: server.arrived)
        took = [await seconds(surroundings, identity, server, number) for number in range(CODES)]
        invited = sum(to.startswith("jane") for to in server.arrived)
        assert invited < CROWD, "the crowd was still waiting when the last code had come"
        assert max(took) < MOST
        server.seconds = 0
        await until(lambda: len(server.arrived) == CROWD + CODES, 60)
        await stop()


async def seconds(notify: Running, identity: RabbitBus, server: Server, number: int) -> float:
    """From the event's publication to the mail server."""
    to, began = f"ray{number}@acme.example", notify.clock.now()
    code = code_issued(notify.clock, "email", staff=IDS.uuid(), to=to)
    assert await identity.publish([message(notify, code)]) == [True]
    await until(lambda: to in server.arrived)
    await asyncio.sleep(0)
    return float((server.arrived[to][0] - began).total_seconds())


@pytest.mark.checklist("M09")
async def test_codes_have_slots_that_nothing_else_takes(surroundings: Running) -> None:
    """A mail server that hangs over invitations: a code is asked for at once, and goes when the server lets it."""
    surroundings.clock = RunningClock()
    async with Server("mail", surroundings.clock) as server:
        named = providers(server.settings)
        surroundings.settings = msgspec.structs.replace(surroundings.settings, providers=named, limits=NO_LIMITS)
        await surroundings.start(Role.WORKER)
        server.hold = asyncio.Event()
        for number in range(30):
            event = link_issued(surroundings.clock, staff=IDS.uuid(), to=f"jane{number}@acme.example")
            await surroundings.publish(event)
        await until(lambda: len(server.tries) >= 8)
        await surroundings.publish(code_issued(surroundings.clock, "email", to="ray@acme.example"))
        await until(lambda: "ray@acme.example" in server.tries, 2)
        server.hold.set()
        await until(lambda: len(server.arrived) == 31)
