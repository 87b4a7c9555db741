"""A product's replica over RabbitMQ: what is changed is heard, and what can't be heard is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from deploy.local.rabbitmq import RabbitMQ
from staffgate.listener import Listener
from staffgate.replica import Replica
from tests.bus.conftest import until
from tests.bus.test_invalidation import Wire, World, world
from tests.conftest import fresh_database

CHANGES = 30
BOUND = 1.0  # seconds: the story's "within a second"


@pytest_asyncio.fixture(scope="session")
async def database(postgres: str) -> Urls:
    return await fresh_database(postgres, "authz")


@asynccontextmanager
async def replica_of(suite: World, amqp_url: str, **options: Any) -> AsyncIterator[Replica]:
    async def token() -> str:
        return suite.authz.product

    async with Replica(suite.authz.session, suite.a.url, token, amqp_url=amqp_url, **options) as replica:
        await until(lambda: replica.stats.mirror.believed and replica.stats.catalogue is not None, 20)
        yield replica


async def says(replica: Replica, suite: World) -> bool:
    return await replica.allowed(suite.jane.id, "sms.read", "inbox", "sales")


async def until_it_says(replica: Replica, suite: World, expected: bool) -> float:
    """Seconds from now; raises TimeoutError past the bound."""
    started = time.perf_counter()
    async with asyncio.timeout(BOUND):
        while await says(replica, suite) is not expected:
            await asyncio.sleep(0.001)
    return time.perf_counter() - started


async def remembers(replica: Replica, suite: World, expected: bool) -> None:
    """It answers from memory, and so."""
    async with asyncio.timeout(30):
        while replica.allowed_now(suite.jane.id, "sms.read", "inbox", "sales") is None:
            await says(replica, suite)
            await asyncio.sleep(0.01)
    assert replica.allowed_now(suite.jane.id, "sms.read", "inbox", "sales") is expected


async def test_a_revoke_is_heard_within_a_second(database: Urls, rabbitmq: RabbitMQ) -> None:
    async with world(database, rabbitmq) as suite, replica_of(suite, rabbitmq.url) as replica:
        await suite.change("deny")
        await until_it_says(replica, suite, False)
        await remembers(replica, suite, False)
        took, loads = [], replica.stats.mirror.loads
        for n in range(CHANGES):
            allowed = n % 2 == 0
            await until_it_says(replica, suite, not allowed)
            await remembers(replica, suite, not allowed)
            await suite.change("use" if allowed else "deny")
            took.append(await until_it_says(replica, suite, allowed))
        assert replica.stats.asked == 0
        # A heartbeat that a busy machine delays makes it forget; otherwise what is announced is all that it needs.
        assert replica.stats.mirror.loads - loads < CHANGES / 3
        took.sort()
        print(
            f"\n{CHANGES} changes, from authz's answer until the product's process says so:"
            f" median {median(took) * 1000:.1f} ms, most {took[-1] * 1000:.1f} ms"
        )


async def test_without_the_broker_the_service_is_asked_and_without_that_the_answer_is_no(
    database: Urls, tmp_path_factory: pytest.TempPathFactory
) -> None:
    broker = RabbitMQ(tmp_path_factory.mktemp("broker"))
    await asyncio.to_thread(broker.prepare)
    broker.launch()
    await asyncio.to_thread(broker.wait)
    try:
        async with world(database, broker) as suite, replica_of(suite, broker.url) as replica:
            await suite.change("use")
            await until_it_says(replica, suite, True)
            await remembers(replica, suite, True)
            await asyncio.sleep(3)  # a queue that is younger may be left without a leader: rabbitmq-server #10070
            broker.kill()
            await until(lambda: not replica.stats.mirror.believed)
            before = replica.stats.asked
            for level, expected in (("deny", False), ("use", True)):
                await suite.change(level)
                assert await says(replica, suite) is expected
            assert replica.stats.asked == before + 2
            await suite.a.stop()
            assert await says(replica, suite) is False, "nobody to ask"
            assert replica.stats.unanswered > 0
    finally:
        broker.stop()


async def test_a_cut_wire_mends_itself(database: Urls, rabbitmq: RabbitMQ) -> None:
    async with Wire.to(rabbitmq) as wire, world(database, rabbitmq) as suite, replica_of(suite, wire.url) as replica:
        await suite.change("use")
        await until_it_says(replica, suite, True)
        await remembers(replica, suite, True)
        wire.cut()
        await until(lambda: not replica.stats.mirror.believed)
        await suite.change("deny")
        assert await says(replica, suite) is False
        wire.whole = True
        await until(lambda: replica.stats.mirror.believed, 20)
        await remembers(replica, suite, False)
        await suite.change("use")
        await until_it_says(replica, suite, True)


async def test_a_whole_organisation_is_kept_over_a_cut_wire(database: Urls, rabbitmq: RabbitMQ) -> None:
    async with (
        Wire.to(rabbitmq) as wire,
        world(database, rabbitmq) as suite,
        replica_of(suite, wire.url, organisations=[suite.acme.org]) as replica,
    ):
        await replica.wait_ready(20)
        who = suite.jane.id
        for level, expected in (("use", True), ("deny", False)):
            await suite.change(level)
            await until(lambda expected=expected: replica.allowed_now(who, "sms.read", "inbox", "sales") is expected)  # type: ignore[misc]
        wire.cut()
        await until(lambda: not replica.ready)
        await suite.change("use")
        late = await suite.acme.add(default="read")
        wire.whole = True
        await replica.wait_ready(20)
        assert replica.allowed_now(who, "sms.read", "inbox", "sales") is True
        assert replica.allowed_now(late.id, "sms.read", "inbox", "sales") is True
        assert (replica.stats.asked, replica.stats.mirror.misses) == (0, 0)


class Ear:
    def __init__(self) -> None:
        self.times_lost = self.times_restored = 0
        self.bodies: list[bytes] = []

    def heard(self, body: bytes) -> None:
        self.bodies.append(body)

    def lost(self) -> None:
        self.times_lost += 1

    def restored(self) -> None:
        self.times_restored += 1


@pytest_asyncio.fixture
async def channel(rabbitmq: RabbitMQ) -> AsyncIterator[Any]:
    connection = await aio_pika.connect(rabbitmq.url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_exchange("events", "topic", durable=True)
        yield channel


async def test_a_listener_that_hears_nothing_for_too_long_begins_anew(rabbitmq: RabbitMQ, channel: Any) -> None:
    """Alive, connected and bringing nothing: a queue that was deleted ends its reader without a word."""
    ear = Ear()
    task = asyncio.create_task(Listener(rabbitmq.url, ["test.heard.v1"], ear, silence=0.5).run())
    await until(lambda: ear.times_restored == 1)
    await until(lambda: ear.times_restored == 2)
    assert ear.times_lost == 1
    events = await channel.get_exchange("events")
    await events.publish(aio_pika.Message(b"news"), "test.heard.v1")
    await events.publish(aio_pika.Message(b"other news"), "test.not-asked-for.v1")
    await until(lambda: ear.bodies == [b"news"])
    task.cancel()
    await asyncio.wait([task])
    assert ear.times_lost == ear.times_restored, "and whoever stops is deaf"


async def test_a_listener_waits_for_a_broker_that_is_not_there_yet(rabbitmq: RabbitMQ) -> None:
    ear = Ear()
    async with Wire.to(rabbitmq) as wire:
        wire.whole = False
        task = asyncio.create_task(Listener(wire.url, ["test.heard.v1"], ear).run())
        await asyncio.sleep(0.5)
        assert ear.times_restored == 0
        wire.whole = True
        await until(lambda: ear.times_restored == 1, 20)
        task.cancel()
        await asyncio.wait([task])
