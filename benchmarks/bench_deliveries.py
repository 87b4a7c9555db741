"""notify's e-mails on a PostgreSQL and a RabbitMQ of their own: `./dev bench deliveries`.

- rate: e-mails a second that one and that two dispatchers send, each a process of its own, from rows that wait; and what
  one e-mail costs the database.
- latency: from the commit of the transaction that promised a code to the SMTP server's acceptance, at a moderate rate,
  through outbox, broker and notify.
- codes: the same while ten thousand invitations wait in the queue and as many in the table.

The SMTP server is a process of its own too (benchmarks/sink.py); all share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import asyncpg
import structlog
import uvloop

from benchmarks.sink import count, times
from deploy.local.databases import provision
from deploy.local.ports import HOST, free_port
from deploy.local.postgres import Postgres
from deploy.local.process import Process
from deploy.local.rabbitmq import RabbitMQ
from shared.bus.envelope import encode
from shared.bus.outbox import Relay, write_events
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.clock import SystemClock
from shared.db import Database, migrate
from shared.ids import RandomIds
from staffgate.contracts.identity import LinkIssued
from tests.service.notify.conftest import ADDRESS_KEY, SEAL, code_issued, link_issued

ROOT = Path(__file__).parents[1]
IDS, CLOCK = RandomIds(), SystemClock()
NOW: Any = CLOCK  # for what tests make, too
ORGANISATIONS = [IDS.uuid() for _ in range(20)]
MOST = 2.0  # seconds in which 99 of 100 codes have to be there
_COLUMNS = [
    "org", "id", "staff", "channel", "template", "priority", "state", "sealed", "next_attempt_at", "issued_at",
    "created_at", "deadline", "last_attempt", "traceparent",
]  # fmt: skip


class Post:
    """`async with Post() as post`: everything around notify, which is started by `dispatch`."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="staffgate-bench-"))
        self._workers: list[Process] = []

    async def __aenter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._postgres = Postgres(self._folder / "postgres")
        self._postgres.start()
        self._stack.callback(self._postgres.stop)
        self._rabbitmq = RabbitMQ(self._folder / "rabbitmq")
        self._rabbitmq.start()
        self._stack.callback(self._rabbitmq.stop)
        self.sink = free_port()
        self._start("sink", "benchmarks.sink", str(self.sink), env={})
        self.database = await provision(self._postgres.url, "notify", owner_password="owner", app_password="app")
        folders = [ROOT / "shared/bus/migrations", ROOT / "services/notify/migrations"]
        await migrate(self.database.owner, self.database.app, folders)
        self.owner: Any = await asyncpg.connect(self.database.owner)
        self._stack.push_async_callback(self.owner.close)
        await self._identity()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        await self.rest()
        await self._stack.aclose()

    async def _identity(self) -> None:
        """As far as notify can see it: an outbox, and what carries it to the broker."""
        urls = await provision(self._postgres.url, "identity", owner_password="owner", app_password="app")
        await migrate(urls.owner, urls.app, [ROOT / "shared/bus/migrations"])
        self.bus = RabbitBus(self._rabbitmq.url, "identity")
        relay = Relay(urls.app, self.bus, CLOCK)
        self.identity = Database(urls.app, clock=CLOCK, ids=IDS, write_events=write_events, committed=relay.wake)
        await self.bus.start()
        self._stack.push_async_callback(self.bus.close)
        await self._stack.enter_async_context(self.identity.opened())
        self._carrying = asyncio.create_task(relay.run())
        self._stack.callback(relay.stop)

    def _start(self, name: str, module: str, *arguments: str, env: dict[str, str]) -> Process:
        argv = [sys.executable, "-m", module, *arguments]
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}"} | env
        process = Process(name, argv, log=self._folder / f"{name}.log", env=env, cwd=ROOT)
        process.spawn()
        self._stack.callback(process.stop, patience=5)
        return process

    async def dispatch(self, count: int) -> None:
        """So many processes of notify's worker."""
        sender = {"kind": "smtp", "name": "sink", "url": f"smtp://{HOST}:{self.sink}?tls=none", "sender": "no-reply@staffgate.example"}  # fmt: skip
        for number in range(count):
            port = free_port()
            env = {
                "STAFFGATE_LOG_LEVEL": "error",
                "STAFFGATE_AMQP_URL": self._rabbitmq.url,
                "NOTIFY_DATABASE_URL": self.database.app,
                "NOTIFY_HTTP_PORT": str(port),
                "NOTIFY_IDENTITY_URL": "http://identity.test",
                "NOTIFY_CLIENT_SECRET": "secret",
                "NOTIFY_SEAL_KEY": SEAL,
                "NOTIFY_ADDRESS_KEY": ADDRESS_KEY,
                "NOTIFY_PROVIDERS": json.dumps([sender]),
            }
            worker = self._start(f"notify-{number}", "services.notify", "--role", "worker", env=env)
            self._workers.append(worker)
            await _listening(worker, port)

    async def rest(self) -> None:
        """Nobody sends any more."""
        for worker in self._workers:
            await asyncio.to_thread(worker.stop, patience=30)
        self._workers.clear()

    async def invitations(self, count: int) -> list[UUID]:
        """Rows that wait, as the event would have left them."""
        now, events = CLOCK.now(), [invitation() for _ in range(count)]
        rows = [
            (one.org, one.link, one.staff, "email", "activate", 10, "queued", one.sealed, now, now, now, one.expires_at, 48, "")
            for one in events
        ]  # fmt: skip
        await self.owner.copy_records_to_table("delivery", records=rows, columns=_COLUMNS)
        return [one.link for one in events]

    async def queued(self, count: int) -> None:
        """Invitations that wait in the queue."""
        messages = []
        for _ in range(count):
            event, id = invitation(), IDS.uuid()
            messages.append(Message(id=str(id), type=event.type, body=encode(event, id, CLOCK.now())))
        for start in range(0, count, 500):
            while not all(await self.bus.publish(messages[start : start + 500])):
                await asyncio.sleep(0.1)

    async def codes(self, count: int, seconds: float) -> dict[str, float]:
        """Promise so many codes in that time; when the transaction of each was committed."""
        began, committed = time.time(), {}
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number * seconds / count - time.time()))
            event = code_issued(NOW, "email", org=IDS.uuid(), staff=IDS.uuid(), to=f"ray{number}@acme.example")
            async with self.identity.begin(event.org) as tx:
                await tx.emit(event)
            committed[str(event.code)] = time.time()
        return committed

    async def arrived(self, ids: Sequence[str], seconds: float) -> dict[str, list[float]]:
        async with asyncio.timeout(seconds):
            while not set(ids) <= (found := await times(self.sink)).keys():
                while await count(self.sink) < len(found) + len(set(ids) - found.keys()):
                    await asyncio.sleep(0.1)
        return found

    async def commits(self) -> int:
        await self.owner.execute("SELECT pg_stat_clear_snapshot()")
        return int(await self.owner.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = 'notify'"))


def invitation() -> LinkIssued:
    return link_issued(
        NOW, org=random.choice(ORGANISATIONS), staff=IDS.uuid(), to=f"jane{random.randrange(10**9)}@acme.example"
    )


async def _listening(worker: Process, port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if not worker.alive:
                raise SystemExit(f"{worker.name} has ended: {worker.tail()}")
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                return writer.close()
            await asyncio.sleep(0.05)


# --- what is measured ---------------------------------------------------------------------------------------------


async def rate(post: Post, most: int) -> None:
    print("| dispatchers | e-mails/s | commits an e-mail | twice |\n|---|---|---|---|", flush=True)
    for dispatchers in (1, 2):
        ids = [str(id) for id in await post.invitations(most)]
        await post.owner.execute("VACUUM ANALYZE delivery")
        before = await post.commits()
        await post.dispatch(dispatchers)
        found = await post.arrived(ids, 300)
        await post.rest()
        when = sorted(found[id][0] for id in ids)
        # Without the first tenth, when one of the processes is still starting.
        speed = (most - most // 10) / (when[-1] - when[most // 10])
        twice = sum(len(found[id]) > 1 for id in ids)
        cost = (await post.commits() - before) / most
        print(f"| {dispatchers} | {speed:.0f} | {cost:.2f} | {twice} |", flush=True)


async def latency(post: Post, name: str, count: int, seconds: float) -> None:
    committed = await post.codes(count, seconds)
    found = await post.arrived([*committed], 120)
    took = sorted((found[id][0] - at) * 1000 for id, at in committed.items())
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"{name}: {count} codes in {seconds:.0f} s, commit to acceptance p50 {p50:.1f} ms, p99 {p99:.1f} ms,"
          f" worst {took[-1]:.1f} ms (p99 under {MOST * 1000:.0f})", flush=True)  # fmt: skip
    assert p99 < MOST * 1000


async def measure(count: int, seconds: float) -> None:
    async with Post() as post:
        await rate(post, count)
        await post.dispatch(1)
        await latency(post, "nothing else to do", int(seconds * 20), seconds)
        await post.rest()
        await post.invitations(count)
        await post.queued(count)
        await post.dispatch(1)
        await latency(
            post, f"{count} invitations waiting in the table and {count} in the queue", int(seconds * 20), seconds
        )
        waiting = await post.owner.fetchval("SELECT count(*) FROM delivery WHERE state = 'queued'")
        print(f"invitations still waiting in the table when the last code had left: {waiting}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--long", action="store_true", help="30,000 invitations and 30 s of codes instead of 10,000 and 10"
    )
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    uvloop.run(measure(*((30_000, 30.0) if arguments.long else (10_000, 10.0))))


if __name__ == "__main__":
    main()
