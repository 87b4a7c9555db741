"""Alive, connected and bringing nothing: noticed, and mended by beginning anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from shared.bus.rabbit import RabbitBus
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
    channel = await bus._ears[0][0].get_underlay_channel()  # nobody else may: the queue is the connection's own
    await channel.queue_delete(bus._read[0])
    await until(lambda: ear.times_lost and ear.times_restored == 2)
    await bus.publish([message := world.message()])
    await until(lambda: message.id in ear.got)


async def test_a_cancellation_that_nobody_asked_for_is_a_fault_like_another(world: World) -> None:
    """aiormq ends what waits on a connection that it found stuck with CancelledError."""

    class Stuck:
        async def publish(self, *_: Any, **__: Any) -> None:
            raise asyncio.CancelledError

    bus = await world.started(world.bus())
    bus._events = Stuck()
    assert await bus.publish([world.message()]) == [False]
    bus._task.cancel()  # ours: the loop does end
    await asyncio.wait([bus._task])
    calls = []

    async def stuck_once() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise asyncio.CancelledError
        await RabbitBus._connect_and_serve(bus)

    bus._connect_and_serve = stuck_once
    await bus.start()
    await until(lambda: bus.connected)
    assert len(calls) == 2


async def test_a_connection_that_goes_during_a_stop_brings_no_reader_back(world: World, broker: Any) -> None:
    """Between drain and close what is emitted last still goes out; nobody would wait for what is read then."""
    handler, bus = Script(), world.bus()
    bus.consume(world.queue, handler)
    bus.listen([world.type], ear := Ear())
    await world.started(bus)
    await bus.drain()
    await bus._ears[0][0].close()
    await until(lambda: ear.times_lost and bus.connected)
    message = world.message()
    assert await bus.publish([message]) == [True]
    await until(lambda: message.id in ear.got)
    queue = await broker.declare_queue(world.queue.name, passive=True)
    assert (queue.declaration_result.consumer_count, handler.got) == (0, [])
