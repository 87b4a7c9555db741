"""Several authz replicas as processes of their own, on a PostgreSQL and a RabbitMQ of their own, for the benchmarks.

identity is there as far as the network shows it: its keys, its tokens and the events that it would tell. Between the
replicas and the broker stands a wire that can be cut. `disturbed` starts the replicas with something wrong with what
they hear (benchmarks/disturbed.py).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

from deploy.local.databases import Urls, provision
from deploy.local.ports import HOST, free_port
from deploy.local.postgres import Postgres
from deploy.local.process import Process
from deploy.local.rabbitmq import RabbitMQ
from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.clock import SystemClock
from shared.ids import RandomIds
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationRegistered,
    OrganisationState,
    StaffAdded,
    StaffState,
    StaffStatus,
)
from staffgate.contracts.level import Level
from tests.service.authz.conftest import ISSUER, FakeIdentity

ROOT = Path(__file__).parents[1]
IDS = RandomIds()


class Wire:
    """A TCP relay. Cut, it takes everything and passes nothing on: nobody is told that the other end is gone."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        for task in self._tasks:
            task.cancel()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()
            return
        for one, other in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._passed(one, other))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Http:
    """One kept-alive connection, and as little between the socket and the answer as there can be."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        status, answer = await self.send(f"{head}{kind}".encode() + content)
        return status, json.loads(answer) if answer else None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Raises OSError where the other end is gone."""
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        assert self._reader is not None
        try:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, lowered = int(head[9:12]), head.lower()
            at = lowered.find(b"content-length:")
            length = int(lowered[at + 15 : lowered.index(b"\r\n", at)]) if at >= 0 else 0
            return status, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as fault:
            self._writer.close()
            self._writer = None
            raise OSError(str(fault)) from fault


class Fleet:
    """`async with Fleet(4) as fleet`. What it started is gone afterwards, and what it wrote."""

    def __init__(self, replicas: int, *, disturbed: str = "", settings: Mapping[str, str] | None = None) -> None:
        self._count = replicas
        self._disturbed = disturbed
        self._settings = settings or {}
        self._stack = AsyncExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="staffgate-bench-"))
        self.identity = FakeIdentity(SystemClock())
        self.ports: list[int] = []
        self.replicas: list[Process] = []

    async def __aenter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.postgres = postgres = Postgres(self.folder / "postgres")
        postgres.start()
        self._stack.callback(postgres.stop)
        self.rabbitmq = RabbitMQ(self.folder / "rabbitmq")
        self.rabbitmq.start()
        self._stack.callback(self.rabbitmq.stop)
        self.wire = Wire(self.rabbitmq.port)
        await self._stack.enter_async_context(self.wire.laid())
        await self._stack.enter_async_context(self.identity.served())
        self.database = await provision(postgres.url, "authz", owner_password="owner", app_password="app")
        self._bus = RabbitBus(self.rabbitmq.url, "identity")
        await self._bus.start()
        self._stack.push_async_callback(self._bus.close)
        for number in range(self._count):
            self._start(number)
        for port in self.ports:
            await self._ready(port)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        for replica in self.replicas:
            replica.stop(patience=5)
        await self._stack.aclose()

    @property
    def product(self) -> str:
        return self.identity.token("telephony")

    def door(self, number: int) -> Http:
        return Http(self.ports[number % len(self.ports)])

    async def tell(self, *events: Event) -> None:
        messages = []
        for event in events:
            id = IDS.uuid()
            messages.append(Message(id=str(id), type=event.type, body=encode(event, id, SystemClock().now())))
        for start in range(0, len(messages), 500):
            while not all(await self._bus.publish(messages[start : start + 500])):
                await asyncio.sleep(0.1)

    def _start(self, number: int) -> None:
        port = free_port()
        module = "benchmarks.disturbed" if self._disturbed else "services.authz"
        process = Process(
            f"authz-{number}",
            [sys.executable, "-m", module, *([self._disturbed] if self._disturbed else [])],
            log=self.folder / f"authz-{number}.log",
            env=self._environment(self.database, port),
            cwd=ROOT,
        )
        process.spawn()
        self.ports.append(port)
        self.replicas.append(process)

    def _environment(self, database: Urls, port: int) -> dict[str, str]:
        amqp = urlsplit(self.rabbitmq.url)
        return {
            "PATH": "/usr/bin:/bin",
            "STAFFGATE_LOG_LEVEL": "error",
            "STAFFGATE_AMQP_URL": amqp._replace(netloc=amqp.netloc.replace(f":{amqp.port}", f":{self.wire.port}")).geturl(),
            "AUTHZ_DATABASE_URL": database.app,
            "AUTHZ_MIGRATION_URL": database.owner,
            "AUTHZ_HTTP_HOST": HOST,
            "AUTHZ_HTTP_PORT": str(port),
            "AUTHZ_IDENTITY_URL": self.identity.url,
            "AUTHZ_ISSUER": ISSUER,
            "AUTHZ_CLIENT_SECRET": "secret",
            **self._settings,
        }  # fmt: skip

    async def _ready(self, port: int) -> None:
        http = Http(port)
        async with asyncio.timeout(60):
            while True:
                with suppress(OSError):
                    if (await http.ask("GET", "/readyz", ""))[0] == 200:
                        return
                await asyncio.sleep(0.05)


class Organisation:
    """One with an owner and some staff, as authz knows it from identity's events."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.org = IDS.uuid()
        self.owner = _state(StaffType.OWNER)
        self.staff: list[UUID] = []

    async def founded(self, staff: int) -> Self:
        about = OrganisationState(name="ACME Crates", number=self.org.hex[:8], username=None, version=1)
        people = [_state(StaffType.STANDARD) for _ in range(staff)]
        self.staff = [person.staff for person in people]
        added = (StaffAdded(org=self.org, state=state) for state in (self.owner, *people))
        await self.fleet.tell(OrganisationRegistered(org=self.org, state=about), *added)
        await self._known()
        return self

    @property
    def token(self) -> str:
        """The owner's; good for five minutes."""
        about: dict[str, Any] = {"org": self.org, "sid": IDS.uuid(), "roles": [StaffType.OWNER]}
        return self.fleet.identity.token(str(self.owner.staff), **about)

    async def _known(self) -> None:
        http = self.fleet.door(0)
        async with asyncio.timeout(120):
            for staff in (self.owner.staff, *self.staff):
                while (await http.ask("GET", f"/v1/staff/{staff}/grants", self.token))[0] != 200:
                    await asyncio.sleep(0.05)


def _state(type: StaffType) -> StaffState:
    return StaffState(
        staff=IDS.uuid(), type=type, status=StaffStatus.ACTIVE, default_level=Level.DENY, route_anywhere=False,
        version=1,
    )  # fmt: skip
