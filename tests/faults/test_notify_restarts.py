"""The broker or the database is killed and started again while notify is at work: everything arrives, once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

import shared.bus
from shared.bus.outbox import Relay, write_events
from shared.db import Database, migrate
from shared.db.pool import AWAY
from shared.service import relayed
from staffgate.contracts.identity import LinkIssued
from tests.conftest import fresh_database
from tests.faults.notify_world import World
from tests.service.notify.conftest import IDS, link_issued, until


def links(world: World, count: int) -> dict[str, LinkIssued]:
    """By the address that each goes to: people of a few organisations."""
    orgs = [IDS.uuid() for _ in range(10)]
    addresses = [f"jane-{n}-{orgs[0].hex[-6:]}@acme.example" for n in range(count)]
    return {
        to: link_issued(world.clock, staff=IDS.uuid(), org=orgs[n % 10], to=to) for n, to in enumerate(addresses)
    }  # fmt: skip


@asynccontextmanager
async def identity(world: World, events: Sequence[LinkIssued]) -> AsyncIterator[Database]:
    """The database in whose outbox they were committed, and the relay that carries them out."""
    urls = await fresh_database(world.postgres.url, "identity")
    await migrate(urls.owner, urls.app, [Path(shared.bus.__file__).parent / "migrations"])
    relay = Relay(urls.app, world.bus, world.clock)
    db = Database(urls.app, clock=world.clock, ids=IDS, write_events=write_events, committed=relay.wake)
    async with db.opened():
        for first in range(0, len(events), 1000):
            async with db.begin_anywhere() as tx:
                await tx.emit_all(events[first : first + 1000])
        async with relayed(relay):
            yield db


async def count(world: World, *states: str) -> int:
    """How many are in one of these states; -1 while the database is away."""
    query = "SELECT count(*) FROM delivery WHERE state = ANY($1)"
    with suppress(*AWAY, asyncpg.PostgresError):
        return int(await world.owner.fetchval(query, list(states), timeout=5))
    return -1


OPEN, SENT = ("queued", "sending"), ("sent",)


async def all_sent(world: World, wanted: int, seconds: float) -> None:
    async def done() -> bool:
        return await count(world, *SENT) >= wanted

    await until(done, seconds)


def once_each(world: World, events: dict[str, LinkIssued]) -> None:
    received = Counter(str(mail["X-RcptTo"]) for mail in world.sink.mails)
    assert not events.keys() - received.keys(), "lost"
    assert not {to: copies for to, copies in received.items() if copies > 1}, "twice"


async def broker_restarts(world: World, wanted: int) -> None:
    """Killed twice: while the relay still publishes, and while the rest is being read and sent."""
    world.sink.mails.clear()
    await world.owner.execute("TRUNCATE delivery, inbox, outbox")
    events, started = links(world, wanted), time.monotonic()
    async with AsyncExitStack() as stack:
        await world.begin()
        stack.push_async_callback(world.end)
        outbox = await stack.enter_async_context(identity(world, list(events.values())))
        for due in (lambda: published(outbox, wanted * 0.1), lambda: received(world, wanted * 0.5)):
            await until(due, 300)
            world.rabbitmq.kill()
            await asyncio.to_thread(world.rabbitmq.start)
        await all_sent(world, wanted, 600)
    once_each(world, events)
    assert await world.owner.fetchval("SELECT count(*) FROM inbox") == wanted
    print(f"{wanted} events through two kills of the broker, all arrived once: {time.monotonic() - started:.0f} s")


async def published(outbox: Database, share: float) -> bool:
    """The relay is in the midst of it, and waits for confirms that will never come."""
    async with outbox.begin_anywhere() as tx:
        return int(await tx.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL")) > share


async def received(world: World, share: float) -> bool:
    return await count(world, *OPEN, *SENT) > share


@pytest.mark.checklist("M02")
async def test_a_broker_that_is_killed_loses_and_doubles_none_of_1000(world: World) -> None:
    await broker_restarts(world, 1_000)


@pytest.mark.long
@pytest.mark.checklist("M02")
async def test_a_broker_that_is_killed_loses_and_doubles_none_of_10000(world: World) -> None:
    await broker_restarts(world, 10_000)


async def database_restarts(world: World, wanted: int) -> None:
    """Killed twice while mails leave. Nothing is sent again: what was taken is remembered until it can be written down."""
    world.sink.mails.clear()
    await world.owner.execute("TRUNCATE delivery, inbox, outbox")
    events, started = links(world, wanted), time.monotonic()
    async with AsyncExitStack() as stack:
        await world.begin()
        stack.push_async_callback(world.end)
        await world.publish(list(events.values()))
        for share in (0.1, 0.5):
            await until(lambda share=share: len(world.sink.mails) > wanted * share, 300)  # type: ignore[misc]
            world.postgres.kill()
            await asyncio.to_thread(world.postgres.start)
        await all_sent(world, wanted, 600)
    once_each(world, events)
    print(f"{wanted} messages through two kills of PostgreSQL, all arrived once: {time.monotonic() - started:.0f} s")


@pytest.mark.checklist("M02")
async def test_a_database_that_is_killed_while_mails_leave_loses_and_doubles_none_of_1000(world: World) -> None:
    await database_restarts(world, 1_000)


@pytest.mark.long
@pytest.mark.checklist("M02")
async def test_a_database_that_is_killed_while_mails_leave_loses_and_doubles_none_of_10000(world: World) -> None:
    await database_restarts(world, 10_000)
