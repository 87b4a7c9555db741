"""Two providers of a channel: when the first goes bad the second takes over, and nothing is taken by both."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Literal, cast
from uuid import UUID

import msgspec
import pytest
from prometheus_client import REGISTRY

from services.notify.channels.port import Outgoing
from services.notify.delivery import dispatcher
from services.notify.delivery.attempts import Attempts
from services.notify.delivery.dispatcher import Dispatcher, running
from services.notify.limit.admission import Admitted
from services.notify.provider.routes import Route, Routes
from services.notify.provider.settings import ProviderSettings
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Claim, Lane
from shared.db import Database
from shared.errors import Unavailable
from shared.sealing import Opener
from shared.service import Role
from staffgate.contracts.identity import CodeIssued
from tests.conftest import LONG
from tests.service.notify.conftest import IDS, Running, code_issued, database_of, providers, until
from tests.service.notify.simulated import NO_LIMITS, Gateway, RunningClock, Server, Unreliable

Bad = Literal["slow", "out of order", "closed"]


class Pair:
    """notify with two providers of one channel, and codes that each say something else."""

    def __init__(self, notify: Running, channel: Literal["email", "sms"], one: Any, two: Any) -> None:
        self.notify, self.one, self.two = notify, one, two
        self._channel = channel
        self.sent: list[CodeIssued] = []

    async def send(self, count: int, *, apart: float = 0.0) -> list[UUID]:
        ids = []
        for _ in range(count):
            number = len(self.sent)
            to = f"+61 4{number:08d}" if self._channel == "sms" else f"ray{number}@acme.example"
            event = code_issued(self.notify.clock, self._channel, staff=IDS.uuid(), to=to, code=f"{number:08d}")
            self.sent.append(event)
            ids.append(event.code)
            await self.notify.publish(event)
            await asyncio.sleep(apart)
        return ids

    async def are_sent(self, ids: Sequence[UUID]) -> dict[str, int]:
        """By which provider how many, once all are."""

        async def all_sent() -> dict[str, int] | None:
            rows = await self.notify.owner.fetch("SELECT provider, state FROM delivery WHERE id = ANY($1)", ids)
            there = len(rows) == len(ids) and {row["state"] for row in rows} == {"sent"}
            return Counter(row["provider"] for row in rows) if there else None

        return await until(all_sent, 30)  # type: ignore[no-any-return]

    def accepted(self) -> Counter[str]:
        one, two = self.one.seen, self.two.seen
        return Counter(one.accepted) + Counter(two.accepted)

    async def worsen(self, how: Bad) -> None:
        if how == "slow":
            self.one.seconds = 4.0
        elif how == "closed":
            await self.one.refuse()
        elif self._channel == "sms":
            self.one.status = 500
        else:
            self.one.refuse_data = "421 4.3.2 out of order"

    async def heal(self, how: Bad) -> None:
        if how == "closed":
            await self.one.open()
        self.one.seconds, self.one.status, self.one.refuse_data = 0.0, 201, ""

        async def preferred_again() -> bool:
            self.notify.clock.advance(seconds=5)
            return "one" in await self.are_sent(await self.send(1))

        await until(preferred_again, 20)


@asynccontextmanager
async def pair(notify: Running, channel: Literal["email", "sms"]) -> AsyncIterator[Pair]:
    notify.clock = RunningClock()
    async with AsyncExitStack() as stack:
        made: list[Any] = [Gateway(name) if channel == "sms" else Server(name, notify.clock) for name in ("one", "two")]
        one, two = [await stack.enter_async_context(each) for each in made]
        named = providers(one.settings, two.settings)
        notify.settings = msgspec.structs.replace(notify.settings, providers=named, limits=NO_LIMITS)
        yield Pair(notify, channel, one, two)


@pytest.mark.checklist("M08")
@pytest.mark.parametrize("channel", ["sms", "email"])
async def test_the_drill_first_slow_then_out_of_order_then_closed(
    surroundings: Running, channel: Literal["email", "sms"]
) -> None:
    """Each time the second is used within five seconds; nothing is lost, and nothing is taken twice."""
    bad: tuple[Bad, ...] = ("slow", "out of order", "closed")
    async with pair(surroundings, channel) as both:
        stop = await surroundings.start(Role.WORKER)
        assert await both.are_sent(await both.send(3)) == {"one": 3}
        for how in bad:
            both.two.seen.first = None
            await both.worsen(how)
            began = time.monotonic()
            ids = await both.send(25, apart=0.15)
            by = await both.are_sent(ids)
            assert both.two.seen.first - began < 5, how
            assert by["two"] > 5, how
            await both.heal(how)
        await stop()
        assert len(both.accepted()) == len(both.sent)
        assert set(both.accepted().values()) == {1}


@pytest.mark.checklist("M08")
async def test_more_that_hang_than_there_are_slots_do_not_keep_the_rest_from_the_other_provider(
    surroundings: Running,
) -> None:
    async with pair(surroundings, "sms") as both:
        await surroundings.start(Role.WORKER)
        both.one.hold = asyncio.Event()
        began = time.monotonic()
        ids = await both.send(dispatcher._SLOTS + 10)
        await until(lambda: len(both.two.seen.accepted) == 10)
        assert time.monotonic() - began < 5
        both.one.hold.set()
        assert await both.are_sent(ids) == {"one": dispatcher._SLOTS, "two": 10}
        assert set(both.accepted().values()) == {1}


def given_again() -> float:
    return REGISTRY.get_sample_value("notify_given_again_total", {"provider": "one"}) or 0


@pytest.mark.checklist("M04", "M08")
async def test_what_the_first_had_when_we_died_is_asked_of_nobody_else(surroundings: Running) -> None:
    """Not even while the first is away; what came later goes by the second meanwhile."""
    async with pair(surroundings, "sms") as both:
        stop, before = await surroundings.start(Role.WORKER), given_again()
        both.one.hold = asyncio.Event()
        (id,) = await both.send(1)
        await until(lambda: both.one.seen.asked)
        (under_way,) = [task for task in asyncio.all_tasks() if task.get_name() == f"delivery {id}"]
        under_way.cancel()
        await stop()
        await both.one.refuse()
        await surroundings.start(Role.WORKER)
        surroundings.clock.advance(seconds=31)
        assert await both.are_sent(await both.send(5)) == {"two": 5}
        row = await surroundings.row(id, "queued", "sending")
        assert (row["provider"], row["unsure"]) == ("one", True)
        both.one.hold = None
        await both.one.open()

        async def sent() -> bool:
            surroundings.clock.advance(seconds=5)
            query = "SELECT state = 'sent' AND provider = 'one' FROM delivery WHERE id = $1"
            return bool(await surroundings.owner.fetchval(query, id))

        await until(sent)
        assert (both.one.seen.asked["00000000"], both.two.seen.asked["00000000"]) == (2, 0)
        assert given_again() - before >= 2, "that it may be there twice is counted"


@pytest.mark.checklist("M08")
async def test_an_answer_that_was_lost_is_asked_for_again_where_it_was_lost(surroundings: Running) -> None:
    """It may have been taken: as far as we know it was, and a second provider would take it a second time."""
    async with pair(surroundings, "sms") as both:
        await surroundings.start(Role.WORKER)
        both.one.silent = True
        (id,) = await both.send(1)
        row = await surroundings.tried(id)
        assert (row["state"], row["unsure"]) == ("queued", True)
        both.one.silent = False
        surroundings.clock.advance(seconds=60)
        assert await both.are_sent([id]) == {"one": 1}
        assert not both.two.seen.asked


async def test_one_that_only_takes_long_is_asked_where_there_is_nobody_else(surroundings: Running) -> None:
    """It would be worse to wait until it is quick again."""
    async with pair(surroundings, "sms") as both:
        named = providers(both.one.settings)
        surroundings.settings = msgspec.structs.replace(surroundings.settings, providers=named)
        await surroundings.start(Role.WORKER)
        both.one.seconds = 2.8
        began = time.monotonic()
        ids = await both.send(3 * dispatcher._SLOTS)
        assert await both.are_sent(ids) == {"one": 3 * dispatcher._SLOTS}
        assert time.monotonic() - began < 12
        assert set(both.accepted().values()) == {1}


async def test_the_next_one_is_not_asked_when_it_is_too_late_by_then(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair(surroundings, "sms") as both:
        both.one.status = 500
        assign = store.assign_anywhere

        async def assigned(tx: Any, claim: Claim, provider: str) -> bool:
            if provider == "two":
                surroundings.clock.advance(minutes=10)
            return await assign(tx, claim, provider)

        monkeypatch.setattr(store, "assign_anywhere", assigned)
        await surroundings.start(Role.WORKER)
        (id,) = await both.send(1)
        assert (await surroundings.row(id, "expired"))["sealed"] is None
        assert not both.two.seen.asked


# --- by lot -------------------------------------------------------------------------------------------------------


class Anything:
    """Opens, composes and admits, so that nothing is tested but who is asked."""

    def open(self, _sealed: str, _context: str) -> bytes:
        return b""

    async def outgoing(self, claim: Claim, _payload: bytes, now: Any) -> Outgoing:
        return Outgoing(id=claim.id, to="", text="", sent_at=now)

    async def judge(self, _tx: Any, _claim: Claim, _message: Outgoing) -> Admitted:
        return Admitted()

    async def note_unreachable(self, _tx: Any, _claim: Claim) -> None: ...


def process(db: Database, name: str, *asked: Unreliable) -> Dispatcher:
    """A dispatcher as another process would have it: with what it knows of the providers itself."""
    routes = Routes([Route(provider, ProviderSettings(name=provider.name)) for provider in asked])
    anything = Anything()
    attempts = Attempts(db, cast(Opener, anything), anything, anything, routes, slow=0.1)
    return Dispatcher(name, Lane(channel="email", first=0, last=99), db, attempts)


def away_now_and_then(monkeypatch: pytest.MonkeyPatch, dice: random.Random) -> None:
    for name in ("assign_anywhere", "finish_anywhere", "put_back_anywhere"):
        real: Callable[..., Awaitable[Any]] = getattr(store, name)

        async def sometimes(*args: Any, real: Any = real, **options: Any) -> Any:
            if dice.random() < 0.03:
                raise Unavailable("database_away", "away")
            return await real(*args, **options)

        monkeypatch.setattr(store, name, sometimes)


async def rows(notify: Running, count: int) -> None:
    now = notify.clock.now()
    records = [
        (IDS.uuid(), IDS.uuid(), IDS.uuid(), "email", "activate", 10, "queued", "x", now, now, now, now + timedelta(days=30), "")
        for _ in range(count)
    ]  # fmt: skip
    columns = ["org", "id", "staff", "channel", "template", "priority", "state", "sealed", "next_attempt_at", "issued_at",
               "created_at", "deadline", "traceparent"]  # fmt: skip
    await notify.owner.copy_records_to_table("delivery", records=records, columns=columns)


@pytest.mark.checklist("M04", "M08")
async def test_whatever_goes_wrong_nothing_is_accepted_by_both(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, deferred, slow, lost before and after it was taken, died with it, the database away, leases that run out:
    two dispatchers, two providers, thousands of messages, faults by lot."""
    count, dice = (10_000 if LONG else 1_000), random.Random(8)  # noqa: S311
    stop = await surroundings.start(Role.HTTP)
    await stop()
    await rows(surroundings, count)
    one, two = Unreliable("one", dice), Unreliable("two", dice)
    away_now_and_then(monkeypatch, dice)
    monkeypatch.setattr(dispatcher, "_POLL", 0.02)
    # No names here: who records what is lost with a task that ends as if the process had died.
    async with AsyncExitStack() as stack:
        for name in ("first", "second"):
            db = database_of(surroundings)
            await stack.enter_async_context(db.opened())
            await stack.enter_async_context(running([process(db, name, one, two)]))

        async def left(most: int) -> bool:
            surroundings.clock.advance(seconds=1)
            return int(await surroundings.owner.fetchval("SELECT count(*) FROM delivery WHERE state <> 'sent'")) <= most

        await until(lambda: left(count // 20), 240 if LONG else 60)
        one.faulty = two.faulty = False
        await until(lambda: left(0), 60)
    both = one.accepted.keys() & two.accepted.keys()
    assert not both
    assert len(one.accepted | two.accepted) == count
    assert min(len(one.accepted), len(two.accepted)) > count // 20, "both were needed"
    states = {row["state"] for row in await surroundings.rows()}
    assert states == {"sent"}
