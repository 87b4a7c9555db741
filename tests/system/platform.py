"""The whole suite as separate processes without a supervisor, so that a test can end and start each of them itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from deploy.local.databases import Urls, provision
from deploy.local.demo.world import Door
from deploy.local.environment import Settings
from deploy.local.keys import PROVISIONED, Keys
from deploy.local.plan import SERVICES
from deploy.local.ports import Ports, free_port
from deploy.local.postgres import Postgres
from deploy.local.probe import is_ready
from deploy.local.process import Process
from deploy.local.rabbitmq import RabbitMQ

ROOT = Path(__file__).parents[2]


class Platform:
    """`kill` is SIGKILL; what is started again has its old port and its old data."""

    def __init__(self, folder: Path) -> None:
        self.keys = Keys(folder)
        self.ports = Ports(*(free_port() for _ in range(10)))
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", self.ports.postgres)
        self.rabbitmq = RabbitMQ(
            folder / "rabbitmq", self.ports.amqp, epmd_port=self.ports.epmd, dist_port=self.ports.dist
        )
        self.processes: dict[str, Process] = {}

    async def start(self) -> None:
        self.postgres.start()
        self.rabbitmq.start()
        databases: dict[str, Urls] = {}
        for name in PROVISIONED:
            databases[name] = await provision(
                self.postgres.url,
                name,
                owner_password=self.keys.password(f"{name}_owner"),
                app_password=self.keys.password(name),
            )
        self.settings = Settings(self.ports, self.keys, databases, self.rabbitmq.url)
        self._add("mailbox", "deploy.local.mailbox", self.settings.mailbox(), "--folder", str(self.folder / "mailbox"))
        for planned in SERVICES:
            self._add(planned.name, planned.module, planned.environment(self.settings))
        for name in self.processes:
            self.spawn(name)
        await asyncio.gather(*(self.ready(name) for name in self.processes))

    def _add(self, name: str, module: str, env: dict[str, str], *args: str) -> None:
        argv = [sys.executable, "-m", module, *args]
        self.processes[name] = Process(name, argv, log=self.folder / f"{name}.log", env=env, cwd=ROOT)

    def spawn(self, name: str) -> None:
        self.processes[name].spawn()

    def kill(self, name: str) -> None:
        if name in ("postgres", "rabbitmq"):
            getattr(self, name).kill()
        else:
            self.processes[name].kill()

    async def restart(self, name: str) -> None:
        if name in ("postgres", "rabbitmq"):
            getattr(self, name).start()
        else:
            self.spawn(name)
            await self.ready(name)

    async def ready(self, name: str, seconds: float = 60) -> None:
        port = getattr(self.ports, name.replace("-", "_"))
        async with asyncio.timeout(seconds):
            while not await is_ready(port):
                assert self.processes[name].alive, self.processes[name].tail(20)
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()
        self.rabbitmq.stop()
        self.postgres.stop()
        self.postgres.erase()

    @property
    def urls(self) -> dict[str, str]:
        servers = {"amqp": self.rabbitmq.url, "postgres": self.postgres.url}
        return servers | {name: self.settings.url(name) for name in self.processes}

    def door(self, session: aiohttp.ClientSession, name: str) -> Door:
        return Door(session, self.urls[name])


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Platform]:
    platform = Platform(folder)
    try:
        await platform.start()
        yield platform
    finally:
        platform.stop()
