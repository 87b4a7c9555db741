"""State and message commit together, each event is handled once, and one relay carries for all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

import shared.bus
from deploy.local.databases import Urls
from shared.bus.consumer import Consumer
from shared.bus.envelope import Envelope, open_envelope
from shared.bus.outbox import Relay, write_events
from shared.bus.port import Message, Outcome, Queue
from shared.clock import SystemClock
from shared.db import Database, Tx, migrate
from shared.errors import Invalid
from shared.ids import RandomIds
from shared.service import relayed
from staffgate.contracts.identity import OrganisationRegistered, OrganisationState, SessionsEnded
from tests.bus.conftest import until
from tests.conftest import fresh_database

QUEUE = Queue(name="test.sessions", types=(SessionsEnded.type,))


class Recorder:
    """A bus that keeps what it is given, while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.got: list[Message] = []

    async def publish(self, messages: list[Message]) -> list[bool]:
        self.got += messages if self.up else []
        return [self.up] * len(messages)


@pytest_asyncio.fixture(scope="session")
async def urls(postgres: str) -> Urls:
    urls = await fresh_database(postgres, "identity")
    await migrate(urls.owner, urls.app, [Path(shared.bus.__file__).parent / "migrations"])
    return urls


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def open_database(stack: AsyncExitStack, urls: Urls, bus: Any) -> tuple[Database, Relay]:
    relay = Relay(urls.app, bus, SystemClock())
    db = Database(urls.app, clock=SystemClock(), ids=RandomIds(), write_events=write_events, committed=relay.wake)
    await stack.enter_async_context(db.opened())
    await stack.enter_async_context(relayed(relay))
    return db, relay


def event() -> SessionsEnded:
    return SessionsEnded(org=uuid4(), staff=uuid4(), sessions=[])


async def test_an_event_leaves_when_its_change_is_committed(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    db, _ = await open_database(stack, urls, bus)
    told = event()
    async with db.begin(told.org) as tx:
        await tx.emit(told)
    await until(lambda: [m for m in bus.got if str(told.org).encode() in m.body])


async def test_an_event_of_a_change_that_was_not_committed_never_leaves(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    db, _ = await open_database(stack, urls, bus)
    undone, told = event(), event()
    with pytest.raises(Invalid):
        async with db.begin(undone.org) as tx:
            await tx.emit(undone)
            raise Invalid("changed_its_mind", "")
    async with db.begin(told.org) as tx:
        await tx.emit(told)
    await until(lambda: [m for m in bus.got if str(told.org).encode() in m.body])
    assert not [m for m in bus.got if str(undone.org).encode() in m.body]


async def test_events_wait_while_the_bus_is_away_and_leave_in_order(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    bus.up = False
    db, _ = await open_database(stack, urls, bus)
    org = uuid4()
    sent = [SessionsEnded(org=org, staff=uuid4(), sessions=[]) for _ in range(250)]
    for told in sent:
        async with db.begin(org) as tx:
            await tx.emit(told)
    bus.up = True
    await until(lambda: len([m for m in bus.got if str(org).encode() in m.body]) == 250)
    bodies = [m.body for m in bus.got if str(org).encode() in m.body]
    assert all(str(told.staff).encode() in body for told, body in zip(sent, bodies, strict=True))


async def test_what_is_urgent_goes_before_what_waits(urls: Urls, stack: AsyncExitStack) -> None:
    """Ten thousand people were imported, and then one was put out."""
    bus = Recorder()
    bus.up = False
    db, _ = await open_database(stack, urls, bus)
    org, state = uuid4(), OrganisationState(name="ACME Crates", number="ORG-1", username=None, version=1)
    async with db.begin(org) as tx:
        await tx.emit_all([OrganisationRegistered(org=org, state=state)] * 300)
        await tx.emit(SessionsEnded(org=org, staff=uuid4(), sessions=[uuid4()]))
    bus.up = True
    await until(lambda: len(bus.got) >= 301)
    types = [message.type for message in bus.got[-301:]]
    assert types.index(SessionsEnded.type) < 200, "after the batch that was under way at most"


class Slow(Recorder):
    """A bus that confirms what it has been given when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.confirmed = asyncio.Event()

    async def publish(self, messages: list[Message]) -> list[bool]:
        safe = await super().publish(messages)
        await self.confirmed.wait()
        return safe


async def tell(db: Database, count: int) -> list[str]:
    """So many events, one after the other; how they can be told apart."""
    sent = [event() for _ in range(count)]
    for told in sent:
        async with db.begin(told.org) as tx:
            await tx.emit(told)
    return [str(told.org) for told in sent]


def orgs(bus: Recorder) -> list[str]:
    return [str(open_envelope(message.body).org) for message in bus.got]


async def unmarked(urls: Urls) -> int:
    connection = await asyncpg.connect(urls.owner)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    finally:
        await connection.close()
    return count


async def test_nothing_waits_until_what_was_before_it_is_confirmed(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Slow()
    db, _ = await open_database(stack, urls, bus)
    first = await tell(db, 1)
    await until(lambda: orgs(bus) == first)
    second = await tell(db, 1)
    await until(lambda: orgs(bus) == first + second)
    bus.confirmed.set()


async def test_what_is_under_way_is_not_handed_over_again_and_is_marked_together(
    urls: Urls, stack: AsyncExitStack
) -> None:
    bus = Slow()
    db, relay = await open_database(stack, urls, bus)
    sent = await tell(db, 5)
    await until(lambda: orgs(bus) == sent)
    bus.confirmed.set()
    sent += await tell(db, 5)
    async with asyncio.timeout(30):
        while await unmarked(urls):
            relay.wake()
            await asyncio.sleep(0.01)
    assert orgs(bus) == sent, "each once, and in order"


async def test_what_was_refused_goes_before_what_is_newer(urls: Urls, stack: AsyncExitStack) -> None:
    """Two are under way, and both will be refused: what comes after the first refusal waits for the second."""
    bus, refusals = Recorder(), [asyncio.Event(), asyncio.Event()]
    publish, handed = bus.publish, 0

    async def refusing(messages: list[Message]) -> list[bool]:
        nonlocal handed
        handed += 1
        if handed > len(refusals):
            return await publish(messages)
        await refusals[handed - 1].wait()
        return [False] * len(messages)

    bus.publish = refusing  # type: ignore[method-assign]
    db, relay = await open_database(stack, urls, bus)
    sent: list[str] = []
    for _ in refusals:
        sent.extend(await tell(db, 1))
        await until(lambda: handed == len(sent))
    refusals[0].set()
    sent += await tell(db, 1)
    for _ in range(5):  # rounds that find nothing that may go
        relay.wake()
        await asyncio.sleep(0.01)
    refusals[1].set()
    await until(lambda: len(bus.got) == 3)
    assert orgs(bus) == sent


async def test_a_bus_that_fails_in_a_way_that_nobody_knew_loses_nothing(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    publish, failures = bus.publish, 2

    async def failing(messages: list[Message]) -> list[bool]:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise (RuntimeError, asyncio.CancelledError)[failures]("whatever it was")
        return await publish(messages)

    bus.publish = failing  # type: ignore[method-assign]
    db, _ = await open_database(stack, urls, bus)
    sent = await tell(db, 1)
    await until(lambda: orgs(bus) == sent)


async def test_at_a_stop_all_is_carried_and_marked(urls: Urls) -> None:
    bus = Recorder()
    async with AsyncExitStack() as stack:
        db, relay = await open_database(stack, urls, bus)
        await until(lambda: relay.leading)
        sent = await tell(db, 3)
    assert orgs(bus) == sent
    assert await unmarked(urls) == 0


async def test_of_several_relays_one_carries_and_wakes_at_once_for_all(urls: Urls, stack: AsyncExitStack) -> None:
    first_bus, second_bus = Recorder(), Recorder()
    _, leader = await open_database(stack, urls, first_bus)
    await until(lambda: leader.leading)
    db, other = await open_database(stack, urls, second_bus)
    org = uuid4()
    seconds = []
    for n in range(1, 21):
        started = asyncio.get_running_loop().time()
        async with db.begin(org) as tx:
            await tx.emit(SessionsEnded(org=org, staff=uuid4(), sessions=[]))
        await until(lambda n=n: len([m for m in first_bus.got if str(org).encode() in m.body]) == n)
        seconds.append(asyncio.get_running_loop().time() - started)
    assert not second_bus.got
    assert not other.leading
    assert sorted(seconds)[10] < 0.2, "woken by the other replica's commit, and not by the poll"


async def test_a_relay_goes_on_after_its_connection_was_cut(urls: Urls, stack: AsyncExitStack, postgres: str) -> None:
    bus = Recorder()
    db, relay = await open_database(stack, urls, bus)
    await until(lambda: relay.leading)
    admin = await asyncpg.connect(postgres)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    await admin.close()
    told = event()
    async with db.begin(told.org) as tx:
        await tx.emit(told)
    await until(lambda: [m for m in bus.got if str(told.org).encode() in m.body])


async def test_who_gives_up_at_the_lock_leaves_no_transaction_behind(
    urls: Urls, stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    db, _ = await open_database(stack, urls, Recorder())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), db.begin(uuid4(), first="SELECT pg_sleep(5)"):
            raise AssertionError("it has not begun")
    async with db.begin(uuid4()) as tx:
        assert await tx.value("SELECT 1") == 1
    assert "active transaction" not in caplog.text


# --- the inbox ------------------------------------------------------------------------------------------------


class Counting:
    def __init__(self, fault: Exception | None = None) -> None:
        self.handled: list[UUID] = []
        self.fault = fault

    async def __call__(self, _tx: Tx, _event: SessionsEnded, meta: Envelope) -> None:
        self.handled.append(meta.id)
        if self.fault:
            raise self.fault


async def published(db: Database, bus: Recorder, told: SessionsEnded) -> Message:
    async with db.begin(told.org) as tx:
        await tx.emit(told)
    found: list[Message] = await until(lambda: [m for m in bus.got if str(told.org).encode() in m.body])
    return found[0]


async def test_an_event_that_comes_three_times_is_handled_once(urls: Urls, stack: AsyncExitStack) -> None:
    bus, handler = Recorder(), Counting()
    db, _ = await open_database(stack, urls, bus)
    consumer = Consumer(QUEUE, db, {SessionsEnded: handler})
    message = await published(db, bus, event())
    verdicts = await asyncio.gather(*(consumer.handle(message) for _ in range(3)))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.DONE] * 3
    assert len(handler.handled) == 1


async def test_what_a_failed_handler_did_is_undone_and_it_may_try_again(urls: Urls, stack: AsyncExitStack) -> None:
    bus, handler = Recorder(), Counting(RuntimeError("a passing fault"))
    db, _ = await open_database(stack, urls, bus)
    consumer = Consumer(QUEUE, db, {SessionsEnded: handler})
    message = await published(db, bus, event())
    assert (await consumer.handle(message)).outcome is Outcome.RETRY
    handler.fault = None
    assert (await consumer.handle(message)).outcome is Outcome.DONE
    assert len(handler.handled) == 2


@pytest.mark.parametrize("body", [b"", b"\x00", b"{}", b'{"specversion":"1.0"}', b"[1,2"])
async def test_what_can_not_be_read_is_parked_at_once(urls: Urls, stack: AsyncExitStack, body: bytes) -> None:
    db, _ = await open_database(stack, urls, Recorder())
    consumer = Consumer(QUEUE, db, {SessionsEnded: Counting()})
    verdict = await consumer.handle(Message(id="x", type=SessionsEnded.type, body=body))
    assert verdict.outcome is Outcome.PARK


async def test_a_refusal_by_a_rule_is_parked_at_once(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    db, _ = await open_database(stack, urls, bus)
    consumer = Consumer(QUEUE, db, {SessionsEnded: Counting(Invalid("never", "so it is"))})
    assert (await consumer.handle(await published(db, bus, event()))).outcome is Outcome.PARK


async def test_while_the_database_is_away_a_message_is_held(urls: Urls, stack: AsyncExitStack) -> None:
    bus = Recorder()
    db, _ = await open_database(stack, urls, bus)
    message = await published(db, bus, event())
    closed = Database(urls.app, clock=db.clock, ids=db.ids, write_events=write_events, committed=lambda: None)
    assert (await Consumer(QUEUE, closed, {SessionsEnded: Counting()}).handle(message)).outcome is Outcome.HOLD
