"""What libraries raise where a connection is closed in the middle of its first words: nobody stays deaf for it."""

from __future__ import annotations

import asyncio
from typing import Any

import aio_pika
import pytest

from deploy.local.rabbitmq import RabbitMQ
from shared.bus.rabbit import RabbitBus
from staffgate.listener import Listener
from tests.bus.conftest import until
from tests.bus.test_sdk_replica import Ear

ODD = (StopAsyncIteration(), KeyError("what nobody has thought of"), asyncio.CancelledError())


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Of those that are to be raised, the ones that were."""
    connect, left, raised = aio_pika.connect, list(ODD), []

    async def oddly(*arguments: Any, **options: Any) -> Any:
        if left:
            raised.append(left.pop())
            raise raised[-1]
        return await connect(*arguments, **options)

    monkeypatch.setattr(aio_pika, "connect", oddly)
    return raised


async def test_the_bus_is_connected_after_whatever_was_raised(rabbitmq: RabbitMQ, raised: list[BaseException]) -> None:
    bus = RabbitBus(rabbitmq.url, "test", queues=[])
    await bus.start()
    await until(lambda: bus.connected)
    assert len(raised) == len(ODD)
    await bus.close()


async def test_a_listener_hears_after_whatever_was_raised(rabbitmq: RabbitMQ, raised: list[BaseException]) -> None:
    bus, ear = RabbitBus(rabbitmq.url, "test", queues=[]), Ear()
    task = asyncio.create_task(Listener(rabbitmq.url, ["test.heard.v1"], ear).run())
    await until(lambda: len(raised) == len(ODD))
    await bus.start()  # declares the exchange
    await until(lambda: ear.times_restored)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await bus.close()
