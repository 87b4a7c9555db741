"""What every bus promises. The same tests for RabbitMQ and for the memory."""

from __future__ import annotations

import asyncio
from typing import Any

import aio_pika
from prometheus_client import REGISTRY

from shared.bus.port import Message, Outcome, Verdict
from shared.bus.rabbit import RabbitParked
from tests.bus.conftest import TIERS, Ear, Script, World, until


async def parked(world: World) -> Any:
    if world.kind == "memory":
        return world.bus()
    connection = await aio_pika.connect(world.url)
    return RabbitParked(await connection.channel(publisher_confirms=True, on_return_raises=True), [world.queue])


async def test_what_is_published_is_handled_once_and_unchanged(world: World) -> None:
    handler, bus = Script(), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    sent = [world.message(f'{{"n":{n}}}'.encode()) for n in range(50)]
    assert await bus.publish(sent) == [True] * 50
    await until(lambda: len(handler.got) == 50)
    assert sorted(handler.got, key=lambda m: m.id) == sorted(sent, key=lambda m: m.id)


async def test_an_event_that_nobody_wants_is_legal(world: World) -> None:
    bus = await world.started(world.bus())
    assert await bus.publish([Message(id="1", type="test.nobody.asked.v1", body=b"")]) == [True]


async def test_what_is_published_before_its_reader_starts_waits_for_it(world: World) -> None:
    sender = await world.started(world.bus())
    await sender.publish([world.message()])
    handler, reader = Script(), world.bus()
    reader.consume(world.queue, handler)
    await world.started(reader)
    await until(lambda: handler.got)


async def test_a_failed_message_comes_again_after_each_delay(world: World) -> None:
    handler, bus = Script(Outcome.RETRY, Outcome.RETRY), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    started = asyncio.get_running_loop().time()
    await bus.publish([message := world.message()])
    await until(lambda: len(handler.got) == 3)
    assert [got.attempt for got in handler.got] == [0, 1, 2]
    assert {got.id for got in handler.got} == {message.id}
    assert asyncio.get_running_loop().time() - started >= sum(TIERS) * 0.9


async def test_what_never_succeeds_is_parked_with_its_reason_and_can_be_replayed(world: World) -> None:
    handler, bus = Script(then=Outcome.RETRY), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await bus.publish([message := world.message(b'{"a":1}')])
    lot = await parked(world)
    await until(lambda: len(handler.got) == 3)
    async with asyncio.timeout(30):
        while (await lot.counts())[world.queue.name] != 1:
            await asyncio.sleep(0.02)
    shown = await lot.list(world.queue.name)
    assert [(one.id, one.body, one.error) for one in shown] == [(message.id, message.body, "as told")]
    handler._then = Outcome.DONE
    assert await lot.replay(world.queue.name, "somebody else's") == 0
    assert await lot.replay(world.queue.name, message.id) == 1
    await until(lambda: len(handler.got) == 4)
    assert (handler.got[3].attempt, handler.got[3].body) == (0, message.body)
    assert (await lot.counts())[world.queue.name] == 0


async def test_a_replayed_message_survives_another_retry(world: World) -> None:
    handler, bus = Script(Outcome.PARK, Outcome.RETRY), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await bus.publish([world.message()])
    lot = await parked(world)
    async with asyncio.timeout(30):
        while not await lot.replay(world.queue.name, None):
            await asyncio.sleep(0.02)
    await until(lambda: len(handler.got) == 3)


async def test_what_can_never_succeed_is_parked_at_once_and_can_be_dropped(world: World) -> None:
    handler, bus = Script(then=Outcome.PARK), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await bus.publish([world.message(), world.message()])
    lot = await parked(world)
    async with asyncio.timeout(30):
        while (await lot.counts())[world.queue.name] != 2:
            await asyncio.sleep(0.02)
    assert len(handler.got) == 2
    assert await lot.drop(world.queue.name, None) == 2
    assert (await lot.counts())[world.queue.name] == 0


async def test_how_many_are_parked_is_measured_where_the_queue_is_read(world: World) -> None:
    """From the beginning, so that an alarm has something to compare; and what an operator does from elsewhere is seen."""

    def measured() -> float | None:
        return REGISTRY.get_sample_value("bus_parked_messages", {"queue": world.queue.name})

    handler, bus = Script(Outcome.PARK, Outcome.PARK), world.bus()
    bus.consume(world.queue, handler)
    assert measured() is None
    await world.started(bus)
    await until(lambda: measured() == 0)
    await bus.publish([world.message(), world.message()])
    await until(lambda: measured() == 2)
    lot = await parked(world)
    assert await lot.replay(world.queue.name, handler.got[0].id) == 1
    await until(lambda: measured() == 1)
    assert await lot.drop(world.queue.name, None) == 1
    await until(lambda: measured() == 0)


async def test_one_that_waits_does_not_hold_up_the_others(world: World) -> None:
    handler, bus = Script(Outcome.RETRY), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await bus.publish([world.message()])
    await until(lambda: len(handler.got) == 1)
    await bus.publish([after := world.message()])
    await until(lambda: len(handler.got) == 2)
    assert handler.got[1].id == after.id


async def test_while_our_database_is_away_a_message_is_kept_and_no_attempt_is_used_up(world: World) -> None:
    handler, bus = Script(Outcome.HOLD, Outcome.HOLD), world.bus()
    bus.consume(world.queue, handler)
    await world.started(bus)
    await bus.publish([world.message()])
    await until(lambda: len(handler.got) == 3)
    assert [got.attempt for got in handler.got] == [0, 0, 0]


async def test_every_listener_hears_everything_and_is_told_when_it_could_not(world: World) -> None:
    ears = [Ear(), Ear()]
    buses = [world.bus(), world.bus()]
    for bus, ear in zip(buses, ears, strict=True):
        bus.listen([world.type], ear)
    for bus in buses:
        await world.started(bus)
    assert all(ear.times_restored >= 1 for ear in ears)
    await buses[0].publish([message := world.message()])
    await until(lambda: all(message.id in ear.got for ear in ears))
    await buses[0].close()
    await until(lambda: ears[0].times_lost >= 1)


async def test_a_stop_waits_for_what_is_being_handled(world: World) -> None:
    begun, finished = asyncio.Event(), asyncio.Event()

    async def slow(_message: Message) -> Verdict:
        begun.set()
        await asyncio.sleep(0.3)
        finished.set()
        return Verdict(Outcome.DONE)

    bus = world.bus()
    bus.consume(world.queue, slow)
    await world.started(bus)
    await bus.publish([world.message()])
    await begun.wait()
    await bus.drain()
    assert finished.is_set()


async def test_publishing_to_a_bus_that_is_away_says_so_and_does_not_raise(world: World) -> None:
    assert await world.bus().publish([world.message()]) == [False]
