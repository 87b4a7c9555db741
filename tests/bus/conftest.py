"""The two buses, to be held to the same promises. Every test gets queues and types of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Message, Outcome, Queue, Verdict
from shared.bus.rabbit import RabbitBus

TIERS = (0.2, 0.4)


async def until(ready: Callable[[], Any], seconds: float = 30) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := ready()):
            await asyncio.sleep(0.01)
    return found


class Script:
    """A handler that answers as it was told, and remembers what it got."""

    def __init__(self, *outcomes: Outcome, then: Outcome = Outcome.DONE) -> None:
        self._outcomes = list(outcomes)
        self._then = then
        self.got: list[Message] = []

    async def __call__(self, message: Message) -> Verdict:
        self.got.append(message)
        outcome = self._outcomes.pop(0) if self._outcomes else self._then
        return Verdict(outcome, "" if outcome is Outcome.DONE else "as told")


class Ear:
    def __init__(self) -> None:
        self.got: list[str] = []
        self.times_lost = 0
        self.times_restored = 0

    def heard(self, message: Message) -> None:
        self.got.append(message.id)

    def lost(self) -> None:
        self.times_lost += 1

    def restored(self) -> None:
        self.times_restored += 1


class World:
    """One kind of bus; `bus()` opens another connection to it."""

    def __init__(self, kind: str, amqp_url: str) -> None:
        self.kind = kind
        self.url = amqp_url
        self.type = f"test.t{uuid4().hex[:8]}.happened.v1"
        self.queue = Queue(name=f"test.q{uuid4().hex[:8]}", types=(self.type,))
        self._memory = MemoryBus(queues=[self.queue], tiers=TIERS)
        self._open: list[Bus] = []

    def bus(self) -> Any:
        bus = (
            self._memory
            if self.kind == "memory"
            else RabbitBus(self.url, "test", queues=[self.queue], tiers=TIERS, watch=0.2)
        )
        self._open.append(bus)
        return bus

    def message(self, body: bytes = b"{}") -> Message:
        return Message(id=str(uuid4()), type=self.type, body=body)

    async def started(self, bus: Any) -> Any:
        await bus.start()
        await until(lambda: bus.connected)
        return bus

    async def close(self) -> None:
        for bus in self._open:
            await bus.drain()
            await bus.close()


@pytest.fixture(params=["memory", "rabbitmq"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    url = request.getfixturevalue("rabbitmq").url if request.param == "rabbitmq" else ""
    world = World(request.param, url)
    yield world
    await world.close()
