"""The things that have to run as long as the suite does, each with one way to start, to be ready and to stop."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from deploy.local.errors import PlatformError
from deploy.local.options import ROOT
from deploy.local.postgres import Postgres
from deploy.local.probe import is_ready
from deploy.local.process import Process
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.thread import in_thread

_READY = 60.0
_WATCH = 0.1


class Unit(ABC):
    name: str
    port: int
    state = "starting"
    restarts = 0

    @property
    @abstractmethod
    def process(self) -> Process | None: ...

    @abstractmethod
    async def start(self, launched: Callable[[], None]) -> None:
        """Until it is ready; PlatformError when it does not become so. Also starts it again after its death.
        `launched` is called once there is a pid: it is written down at once, to be ended by whoever comes later."""

    @abstractmethod
    def stop(self) -> None: ...

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    async def ended(self) -> str:
        """Wait for its death, and say how it came."""
        while self.alive:  # noqa: ASYNC110 - a child's end is only seen by looking
            await asyncio.sleep(_WATCH)
        code = self.process.returncode if self.process else None
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"


class Program(Unit):
    """One of our own programs: a Python module that answers GET /readyz on its ports."""

    def __init__(
        self,
        name: str,
        module: str,
        *args: str,
        env: dict[str, str],
        log: Path,
        ports: list[int],
        gated: bool = False,
    ) -> None:
        self.name = name
        self.port = ports[0]
        self._ports = ports
        run = [sys.executable, "-m", *(["deploy.local.gate"] if gated else []), module, *args]
        # From the root of the repository: a service may read files beside its code, and `-m` finds it there.
        self._process = Process(name, run, log=log, env=env, cwd=ROOT, gated=gated)

    @property
    def process(self) -> Process:
        return self._process

    def warm_up(self) -> None:
        """Start a gated program as far as it gets before its turn."""
        self._process.spawn()

    async def start(self, launched: Callable[[], None]) -> None:
        if not self.alive:
            self._process.spawn()
        launched()
        self._process.release()
        try:
            async with asyncio.timeout(_READY):
                await self._until_ready()
        except TimeoutError:
            raise PlatformError(self._why(f"was not ready after {_READY:.0f} s")) from None

    def stop(self) -> None:
        self._process.stop()

    async def _until_ready(self) -> None:
        while not all([await is_ready(port) for port in self._ports]):
            if not self.alive:
                raise PlatformError(self._why(f"ended at its start ({await self.ended()})"))
            await asyncio.sleep(0.05)

    def _why(self, what: str) -> str:
        return f"{self.name} {what}; the end of {self._process.log} says:\n{self._process.tail()}"


class DatabaseServer(Unit):
    name = "postgres"

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.port = server.port

    @property
    def process(self) -> Process | None:
        return next(iter(self.server.processes), None)

    async def start(self, launched: Callable[[], None]) -> None:
        await in_thread(self.server.prepare)
        self.server.launch()
        launched()
        await in_thread(self.server.wait)

    def stop(self) -> None:
        self.server.stop()


class BrokerNode(Unit):
    """The Erlang machine. Its port mapper is a unit of its own, since it can die alone."""

    name = "rabbitmq"

    def __init__(self, broker: RabbitMQ) -> None:
        self.broker = broker
        self.port = broker.port

    @property
    def process(self) -> Process | None:
        return next((process for process in self.broker.processes if process.name == "rabbitmq"), None)

    async def start(self, launched: Callable[[], None]) -> None:
        await in_thread(self.broker.prepare)
        self.broker.launch()
        launched()
        await in_thread(self.broker.wait)

    def stop(self) -> None:
        self.broker.stop()


class PortMapper(Unit):
    """Started with the node; the node registers with a new one by itself."""

    name = "epmd"

    def __init__(self, broker: RabbitMQ) -> None:
        self.broker = broker
        self.port = broker.epmd_port

    @property
    def process(self) -> Process | None:
        return next((process for process in self.broker.processes if process.name == "epmd"), None)

    async def start(self, launched: Callable[[], None]) -> None:
        if not self.alive:
            self.broker.launch_epmd()
            launched()

    def stop(self) -> None:
        """The node's stop takes it along, after the node."""
