"""Servers of our own, what takes messages, and a notify that is killed and begun again as often as it is told."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import msgspec
from aiohttp import web

import services.notify.app as notify
import shared.bus
from deploy.local.databases import Urls
from deploy.local.postgres import Postgres
from deploy.local.process import die_with_parent
from deploy.local.rabbitmq import RabbitMQ
from services.notify.channels.tokens import Tokens
from services.notify.provider.settings import HttpSettings, SmtpSettings, TwilioSettings
from services.notify.provider.settings import read as read_providers
from services.notify.receipt.receipts import Receipts
from services.notify.settings import Settings
from services.notify.suppression.addresses import Addresses
from services.notify.suppression.suppressions import Suppressions
from shared.bus.envelope import encode
from shared.bus.outbox import BATCH, write_events
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus, RabbitParked
from shared.bus.topology import EXCHANGE
from shared.db import Database, migrate
from staffgate.contracts.event import Event
from staffgate.contracts.identity import LinkPurpose
from tests.conftest import fresh_database
from tests.faults.notify_killed import QUEUES, Ahead, Ground, Order
from tests.service.notify import conftest as surroundings
from tests.service.notify.conftest import ACCOUNT, IDS, Gateway, Mailbox, served, smtp_server, until

ROOT = Path(__file__).parents[2]
AFTER_LEASE = 31.0  # seconds
LIVE = Order()


@dataclass
class Sink(Mailbox):
    """Keeps what it takes; `taken` is called when it has, and before it says so."""

    taken: Callable[[], None] | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        if self.taken:
            self.taken()
        return answer


@dataclass
class Once:
    """An SMS gateway that knows idempotency keys: what it has taken it answers again, and sends no second time."""

    taken: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.taken.setdefault(request.headers["Idempotency-Key"], await request.json())
        return web.json_response({"id": request.headers["Idempotency-Key"]})


@dataclass
class Promise:
    """One message that an event promised. `arrives`: at `to`, else it is reported as failed."""

    event: Event
    id: UUID
    to: str
    arrives: bool = True
    allowed: int = 1  # how often it may arrive: once more for each kill between the taking and the commit

    @property
    def once(self) -> bool:
        """Its provider knows it again."""
        return self.to.startswith("+49")


@dataclass
class Kill:
    """How one life of notify ended: the step, and what had been taken and was not yet written down. `known`: of that, what
    its provider knows again."""

    step: str
    window: list[UUID] = field(default_factory=list)
    known: list[UUID] = field(default_factory=list)


class World:
    def __init__(self, folder: Path, postgres: Postgres, rabbitmq: RabbitMQ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.rabbitmq = rabbitmq
        self.clock = Ahead(folder / "clock")
        self.sink = Sink()
        self.gateway = Gateway()
        self.once = Once()
        self.reported: list[tuple[str, UUID]] = []  # event ids and whom they are about, each time they were heard
        self.pid: int | None = None
        self._ended: asyncio.Future[int] | None = None
        self._lives = 0

    @asynccontextmanager
    async def open(self, stack: AsyncExitStack) -> AsyncIterator[World]:
        self.urls = await fresh_database(self.postgres.url, "notify")
        folders = [Path(shared.bus.__file__).parent / "migrations", notify.MIGRATIONS]
        await migrate(self.urls.owner, self.urls.app, folders)
        self.owner = await asyncpg.create_pool(self.urls.owner, min_size=1, max_size=2)
        self.bus = RabbitBus(self.rabbitmq.url, "test", queues=QUEUES)
        await self.bus.start()
        await until(lambda: self.bus.connected, 30)
        await self._listen(stack)
        self.settings = await self._settings(stack, self.urls)
        self._mother = await self._spawn()
        try:
            yield self
        finally:
            self._mother.kill()
            await self._mother.wait()
            await self.bus.close()
            self.owner.terminate()

    async def _settings(self, stack: AsyncExitStack, urls: Urls) -> Settings:
        smtp = await stack.enter_async_context(smtp_server(self.sink))
        taking = web.post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self.gateway.take)
        gateway = await stack.enter_async_context(served(taking, web.post("/once", self.once.take)))
        mail = f"smtp://127.0.0.1:{smtp}?tls=none"
        sms = f"http://{ACCOUNT}:the%20gateway%27s%20secret@127.0.0.1:{gateway}"
        return Settings(
            database_url=urls.app,
            amqp_url=self.rabbitmq.url,
            http_port=0,
            identity_url="http://127.0.0.1:1",
            client_secret="secret",
            seal_key=surroundings.SEAL,
            address_key=surroundings.ADDRESS_KEY,
            limits=surroundings.limits(surroundings.WIDE),
            providers=surroundings.providers(
                SmtpSettings(name="mail", url=mail, sender="Staffgate <no-reply@staffgate.example>"),
                TwilioSettings(name="sms", url=sms, sender="+61 400 111 111", countries=["AU"]),
                HttpSettings(
                    name="once",
                    url=f"http://127.0.0.1:{gateway}/once",
                    countries=["DE"],
                    json={"to": "{to}", "text": "{text}"},
                    idempotency_header="Idempotency-Key",
                    reference_at="/id",
                ),
            ),
        )

    async def _listen(self, stack: AsyncExitStack) -> None:
        """What notify says of its messages, heard as identity hears it."""
        connection = await aio_pika.connect(self.rabbitmq.url)
        stack.push_async_callback(connection.close)
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, "notify.message.*.v1")

        async def heard(incoming: Any) -> None:
            envelope = json.loads(incoming.body)
            self.reported.append((envelope["id"], UUID(envelope["data"]["message"])))

        await queue.consume(heard, no_ack=True)

    # --- notify's lives ---------------------------------------------------------------------------------------

    async def _spawn(self) -> Process:
        """The one that forks them."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.notify_killed", stdin=PIPE, stdout=PIPE, cwd=ROOT,
            preexec_fn=die_with_parent(signal.SIGKILL), env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}"},
        )  # fmt: skip
        assert process.stdin is not None
        ground = Ground(settings=self.settings, clock=str(self.folder / "clock"), log=str(self.folder / "notify.log"))
        process.stdin.write(msgspec.json.encode(ground) + b"\n")
        return process

    async def begin(self, order: Order = LIVE) -> None:
        assert self._mother.stdin is not None
        self._mother.stdin.write(msgspec.json.encode(order) + b"\n")
        self.pid = int(await self._said("born"))
        self._ended = asyncio.ensure_future(self._gone())

    async def _gone(self) -> int:
        return int(await self._said("gone"))

    async def _said(self, word: str) -> str:
        assert self._mother.stdout is not None
        line = (await self._mother.stdout.readline()).decode().split()
        assert line[:1] == [word], f"{line}; see {self.folder / 'notify.log'}"
        return line[1]

    def kill(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        assert self._ended is not None
        if not self._ended.done():
            self.kill()
        assert await self._ended == -signal.SIGKILL, f"it fell by itself; see {self.folder / 'notify.log'}"
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'notify' AND datname = current_database()"
        await until(lambda: self._none(query))  # what it had begun is rolled back then

    async def _none(self, query: str, *args: object) -> bool:
        return not await self.owner.fetchval(query, *args)

    async def lives_until(self, ready: Callable[[], Any]) -> bool:
        """False if it ended before."""
        assert self._ended is not None
        waiting = asyncio.ensure_future(until(ready, 90))
        await asyncio.wait([waiting, self._ended], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
            return True
        waiting.cancel()
        return False

    @asynccontextmanager
    async def receipts(self) -> AsyncIterator[Receipts]:
        """Where providers tell what became of messages, in another process than the one that is killed."""
        db = Database(
            self.urls.app, clock=self.clock, ids=IDS, write_events=write_events, committed=lambda: None, size=1
        )
        key = base64.b64decode(self.settings.address_key)
        suppressions = Suppressions(db, Addresses(key))
        async with db.opened():
            yield Receipts(db, suppressions, read_providers(self.settings.providers), "", Tokens(key))

    # --- what is promised, and what became of it --------------------------------------------------------------

    async def publish(self, events: Sequence[Event]) -> None:
        ids = [IDS.uuid() for _ in events]
        messages = [
            Message(id=str(id), type=event.type, body=encode(event, id, self.clock.now()))
            for id, event in zip(ids, events, strict=True)
        ]
        for first in range(0, len(messages), BATCH):
            assert all(await self.bus.publish(messages[first : first + BATCH]))

    def promised(self, *, deferred: bool) -> list[Promise]:
        """One of each kind, of an organisation and to people of their own. `deferred`: and one that is not taken at first."""
        org, tag, clock = IDS.uuid(), IDS.uuid().hex[-10:], self.clock
        australian, german = f"+614{_digits(8, 4)}", f"+4917{_digits(8, 10)}"

        def person(name: str) -> dict[str, Any]:
            return {"org": org, "staff": IDS.uuid(), "to": f"{name}-{tag}@acme.example"}

        code, link = surroundings.code_issued, surroundings.link_issued
        jane, laya, luke, han, ray = (person(name) for name in ("jane", "laya", "luke", "han", "ray"))
        sms, other = (code(clock, "sms", org=org, staff=IDS.uuid(), to=to) for to in (australian, german))
        events: list[tuple[Any, UUID, str, bool]] = [
            (one := code(clock, "email", **jane), one.code, jane["to"], True),
            (sms, sms.code, australian, True),
            (other, other.code, german, True),
            (two := link(clock, **laya), two.link, laya["to"], True),
            (three := link(clock, purpose=LinkPurpose.RESET, **luke), three.link, luke["to"], False),
            (four := code(clock, "email", minutes=-1, **han), four.code, han["to"], False),
        ]
        self.sink.answers[luke["to"]] = ["550 5.1.1 No such mailbox"] * 20
        if deferred:
            self.sink.answers[ray["to"]] = ["451 4.7.1 Try again later"]
            events.append((five := link(clock, **ray), five.link, ray["to"], True))
        return [Promise(*one) for one in events]

    async def settled(self, promises: Sequence[Promise]) -> bool:
        """Everything is written down and told. What only waits for its time gets it."""
        ids = [one.id for one in promises]
        rows = await self.owner.fetch("SELECT state, next_attempt_at FROM delivery WHERE id = ANY($1)", ids)
        if len(rows) < len(ids):
            return False
        waiting = [row["next_attempt_at"] for row in rows if row["state"] in ("queued", "sending")]
        if waiting:
            if all(row["state"] != "sending" for row in rows):
                self.clock.advance(max(0.0, (min(waiting) - self.clock.now()).total_seconds()))
            return False
        if not await self._none("SELECT count(*) FROM outbox WHERE published_at IS NULL"):
            return False
        told = {about for _, about in self.reported}
        return all(one.arrives or one.id in told for one in promises)

    async def parked(self) -> int:
        """What nobody could handle: deaths while a message is handled must not bring it there."""
        async with await aio_pika.connect(self.rabbitmq.url) as connection:
            return sum((await RabbitParked(await connection.channel(), QUEUES).counts()).values())

    def arrived(self, promise: Promise) -> list[str]:
        """The Message-ID of each copy, or of an SMS its text."""
        if promise.once:
            return [sms["text"] for sms in self.once.taken.values() if sms["to"] == promise.to]
        if promise.to.startswith("+"):
            return [sms["Body"] for sms in self.gateway.sent if sms["To"] == promise.to]
        return [mail["Message-ID"] for mail in self.sink.to(promise.to)]

    async def unrecorded(self, promises: Sequence[Promise]) -> list[UUID]:
        """What was taken, and lies there as if nobody knew."""
        query = "SELECT id FROM delivery WHERE id = ANY($1) AND state IN ('queued', 'sending')"
        open = {row["id"] for row in await self.owner.fetch(query, [one.id for one in promises])}
        return [one.id for one in promises if one.id in open and len(self.arrived(one)) > 0]

    async def life(self, order: Order, promises: Sequence[Promise], *, at_250: bool = False) -> Kill | None:
        """One life, to its ordered end; None if it had done everything before that. After it the leases are over."""
        before = Counter({one.id: len(self.arrived(one)) for one in promises})
        self._lives += 1
        self.sink.taken = self.kill if at_250 else None
        await self.begin(order if order == LIVE else msgspec.structs.replace(order, steps=str(self._steps)))
        finished = await self.lives_until(lambda: self.settled(promises))
        self.sink.taken = None
        await self.end()
        self.clock.advance(AFTER_LEASE)
        if finished:
            return None
        again = [one for one in promises if len(self.arrived(one)) > before[one.id]]
        kill = Kill("the server has taken it" if at_250 else self.steps()[-1])
        unrecorded = await self.unrecorded(again)
        kill.window = [one.id for one in again if one.id in unrecorded and not one.once]
        kill.known = [one.id for one in again if one.id in unrecorded and one.once]
        for one in again:
            one.allowed += one.id in kill.window
        return kill

    def forget(self) -> None:
        """What is over and looked at: a thousand cases would make each look slower than the one before."""
        self.sink.mails.clear()
        self.sink.tried.clear()
        self.sink.answers.clear()
        self.gateway.sent.clear()
        self.once.taken.clear()
        self.reported.clear()

    @property
    def _steps(self) -> Path:
        return self.folder / f"steps-{self._lives}"

    def steps(self) -> list[str]:
        """What the last life went through."""
        return self._steps.read_text().splitlines()


def _digits(count: int, below: int) -> str:
    """Of a mobile number: the first decides whether there is such a one."""
    first = random.randrange(1, below)  # noqa: S311 - no secret
    return f"{first}{random.randrange(10 ** (count - 1)):0{count - 1}d}"  # noqa: S311


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    folder.chmod(0o711)  # noqa: ASYNC240 - PostgreSQL may run as another account
    postgres, rabbitmq = Postgres(folder / "postgres"), RabbitMQ(folder / "rabbitmq")
    try:
        await asyncio.gather(asyncio.to_thread(postgres.prepare), asyncio.to_thread(rabbitmq.prepare))
        postgres.launch()
        rabbitmq.launch()
        await asyncio.gather(asyncio.to_thread(postgres.wait), asyncio.to_thread(rabbitmq.wait))
        async with AsyncExitStack() as stack, World(folder, postgres, rabbitmq).open(stack) as world:
            yield world
    finally:
        rabbitmq.stop()
        postgres.stop()
        postgres.erase()
