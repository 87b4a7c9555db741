"""Alive, connected and bringing nothing: noticed, and mended by beginning anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from tests.bus.conftest import Ear, Script, World, until


@pytest_asyncio.fixture
async def broker(rabbitmq: Any) -> AsyncIterator[Any]:
    connection = await aio_pika.connect(rabbitmq.url)
    yield await connection.channel()
    await connection.close()


@pytest.fixture
async def world(rabbitmq: Any) -> AsyncIterator[World]:
    world = World("rabbitmq", rabbitmq.url)
    yield world
    await world.close()


async def test_a_queue_that_was_deleted_under_its_reader_is_made_and_read_again(world: World, broker: Any) -> None:
    handler, bus = Script(), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await broker.queue_delete(world.queue.name)
    await until(lambda: not bus.connected)
    await until(lambda: bus.connected)
    await bus.publish([message := world.message()])
    await until(lambda: [got for got in handler.got if got.id == message.id])


async def test_a_listener_whose_queue_was_deleted_is_told_and_hears_again(world: World, broker: Any) -> None:
    ear, bus = Ear(), world.bus()
    bus.listen([world.type], ear)
    await world.started(bus)
    channel = await bus._direct.channel.get_underlay_channel()  # nobody else may: the queue is the connection's own
    await channel.queue_delete(bus._read[0])
    await until(lambda: ear.times_lost and ear.times_restored == 2)
    await bus.publish([message := world.message()])
    await until(lambda: message.id in ear.got)
