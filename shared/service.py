"""The one lifecycle: parts are entered in order, the port opens when all of them are there, and all is left in reverse.

A part is an async context manager. aiohttp closes the port and waits for running requests before it leaves the parts.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
import uvloop
from aiohttp import web
from joserfc.errors import JoseError

from shared import log as logging
from shared.bus.memory import MemoryBus
from shared.bus.outbox import Relay, write_events
from shared.bus.port import Bus
from shared.bus.rabbit import RabbitBus
from shared.clock import Clock, SystemClock
from shared.db import Database, migrate
from shared.db.pool import AWAY
from shared.http import health
from shared.http.express import Express
from shared.http.middleware import telling
from shared.http.openapi import document
from shared.http.operation import Api, Authenticate
from shared.http.patience import PatientRunner
from shared.http.replies import Replies
from shared.ids import Ids, RandomIds
from shared.settings import BadSettings, CommonSettings, load
from shared.worker import Worker
from shared.workers import keep

VERSION = "0.1.0"
_BODY_LIMIT = 1 << 20
_MOST_WORKERS = 256
_BUS_MIGRATIONS = Path(__file__).parent / "bus" / "migrations"
Part = AbstractAsyncContextManager[object]
S = TypeVar("S", bound=CommonSettings)
log = structlog.get_logger()


class Role(StrEnum):
    """What a process does of its service's work, so that each kind can be scaled by itself."""

    HTTP = "http"
    WORKER = "worker"
    ALL = "all"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service put together, ready to run."""

    name: str
    app: web.Application
    host: str
    port: int
    shared_port: bool = False  # with other workers
    express: Express | None = None


Build = Callable[[S, Bus, str], Service]


def assemble(
    name: str,
    settings: CommonSettings,
    *,
    routes: Sequence[web.RouteDef],
    parts: Sequence[Part],
    checks: list[health.Check],
    express: Express | None = None,
) -> Service:
    """The parts in the order in which they have to be there."""
    app = web.Application(middlewares=[telling(settings.trusted_proxies)], client_max_size=_BODY_LIMIT)
    app.add_routes([*routes, *health.routes(checks)])
    for part in parts:
        app.cleanup_ctx.append(_entered(part))
    return Service(name=name, app=app, host=settings.http_host, port=settings.http_port, express=express)


def _entered(part: Part) -> Callable[[web.Application], AsyncIterator[None]]:
    async def enter(_app: web.Application) -> AsyncIterator[None]:
        async with part:
            yield

    return enter


def api_routes(
    name: str, api: Api, service: object, authenticate: Authenticate, replies: Replies | None = None
) -> list[web.RouteDef]:
    """The operations, and their description at /openapi.json. With `replies`, Idempotency-Key is honoured."""
    described = msgspec.json.encode(document(f"Staffgate {name}", VERSION, api.operations))

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    return [*api.routes(service, authenticate, replies), web.get("/openapi.json", openapi)]


# --- parts that every service has -----------------------------------------------------------------------------


def open_database(settings: CommonSettings, bus: Bus, clock: Clock | None, ids: Ids | None) -> tuple[Database, Relay]:
    """The database, and the relay that carries away what is emitted in it. Without a clock or ids, the real ones."""
    clock = clock or SystemClock()
    relay = Relay(settings.database_url, bus, clock)
    database = Database(
        settings.database_url,
        clock=clock,
        ids=ids or RandomIds(),
        write_events=write_events,
        committed=relay.wake,
        size=settings.pool_size,
    )
    return database, relay


@asynccontextmanager
async def migrated(settings: CommonSettings, folder: Path) -> AsyncIterator[None]:
    if settings.migration_url:
        await migrate(settings.migration_url, settings.database_url, [_BUS_MIGRATIONS, folder])
    yield


@asynccontextmanager
async def connected(bus: Bus) -> AsyncIterator[None]:
    """Consumers and listeners are to be added before; `relayed`, all that emits, and `drained` come after it, in this order."""
    await bus.start()
    try:
        yield
    finally:
        await bus.close()


@asynccontextmanager
async def relayed(relay: Relay) -> AsyncIterator[None]:
    """Left when nothing emits any more and before the bus: what was committed last still goes out."""
    task = asyncio.create_task(relay.run(), name="relay")
    try:
        yield
    finally:
        relay.stop()
        await task


@asynccontextmanager
async def drained(bus: Bus) -> AsyncIterator[None]:
    """The last part: at the end consumers finish what they have begun, while all that they use is still there."""
    try:
        yield
    finally:
        await bus.drain()


async def bus_connected(bus: Bus) -> None:
    if not bus.connected:
        raise ConnectionError("the bus is not connected; events wait in the outbox")


# --- running --------------------------------------------------------------------------------------------------


def main(name: str, kind: type[S], build: Build[S]) -> None:
    """`python -m services.<name>`: settings, log, service, until SIGTERM or SIGINT."""
    asked = _arguments(name)
    worker = Worker.read(asked.workers, *asked.as_worker) if asked.as_worker else None
    if worker:
        worker.bind()
    settings = read_settings(name, kind)
    logging.configure(name, settings.log_level, **({"worker": worker.number} if worker else {}))
    if asked.workers > 1 and settings.bus == "memory":
        print(f"{name} can't start: a bus in memory ends with its process; --workers needs RabbitMQ", file=sys.stderr)
        raise SystemExit(2)
    try:  # by whoever keeps workers too: so a fault is said once, before there are any
        service = build(settings, open_bus(settings, name), asked.role)
    except (ValueError, JoseError) as fault:  # a key that is none, a list that can't be read
        print(f"{name} can't start; one of its settings can't be used: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    if worker:
        uvloop.run(serve([_beside_others(service, worker)], ready=worker.ready))
    elif asked.workers > 1:
        raise SystemExit(keep(name, service.host, service.port, asked.workers))
    else:
        uvloop.run(serve([service]))


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    parser.add_argument("--role", choices=[*Role], default=Role.ALL)
    parser.add_argument("--workers", type=_count, default=1, help="processes on the one port, best as many as cores")
    parser.add_argument("--as-worker", nargs=3, help=argparse.SUPPRESS)  # said by the one that keeps them
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST_WORKERS} is needed, not {text}")
    return int(text)


def _beside_others(service: Service, worker: Worker) -> Service:
    service.app[health.METRICS] = worker.figures.asked
    service.app.cleanup_ctx.append(_entered(worker.figures.told()))
    return msgspec.structs.replace(service, shared_port=True)


def read_settings(name: str, kind: type[S]) -> S:
    """From the environment; what is wrong with them is said, and ends the process."""
    try:
        return load(kind, name, os.environ)
    except BadSettings as faults:
        print(f"{name} can't start; its settings are incomplete:\n{faults}", file=sys.stderr)
        raise SystemExit(2) from None


def open_bus(settings: CommonSettings, name: str) -> Bus:
    if settings.bus == "memory":
        return MemoryBus()
    if not settings.amqp_url:
        print("STAFFGATE_AMQP_URL is missing (or set STAFFGATE_BUS=memory)", file=sys.stderr)
        raise SystemExit(2)
    return RabbitBus(settings.amqp_url, name)


async def serve(services: Sequence[Service], ready: Callable[[], None] = lambda: None) -> None:
    """Run until a signal asks to stop; one process usually holds one service, and three where there is no broker."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    runners: list[web.AppRunner] = []
    try:
        for service in services:
            runners.append(await start(service))
        _collect_seldom()
        ready()
        await stop.wait()
    finally:
        for runner in reversed(runners):
            await runner.cleanup()


def _collect_seldom() -> None:
    """What a service knows of a hundred thousand people is not looked through again and again for what could be thrown away:
    a pass over all of it holds up every request for milliseconds. What is there by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def start(service: Service) -> web.AppRunner:
    speaking = None if service.express is None else service.express.speaking
    runner = PatientRunner(service.app, speaking=speaking, access_log=None, shutdown_timeout=10)
    try:
        await runner.setup()
    except AWAY as fault:
        raise SystemExit(f"{service.name} can't reach its database ({fault}); is it running?") from fault
    try:
        await web.TCPSite(runner, service.host, service.port, reuse_port=service.shared_port).start()
    except OSError as fault:
        await runner.cleanup()
        raise SystemExit(f"{service.name} can't listen on {service.host}:{service.port}: {fault.strerror}") from fault
    log.info("service.ready", service=service.name, host=service.host, port=service.port)
    return runner
