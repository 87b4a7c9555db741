"""The supervisor: starts everything in order, keeps it running, writes down what runs, stops it in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import plan, record
from deploy.local.databases import Urls, provision
from deploy.local.environment import Settings
from deploy.local.errors import BrokerMissing, PlatformError
from deploy.local.keys import PROVISIONED, Keys
from deploy.local.options import Options
from deploy.local.plan import Planned
from deploy.local.ports import HOST, require_free
from deploy.local.postgres import Postgres
from deploy.local.process import started_at
from deploy.local.progress import Progress, step
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.record import Child, Record
from deploy.local.thread import in_thread
from deploy.local.unit import BrokerNode, DatabaseServer, PortMapper, Program, Unit

_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
_SETTLED = 20.0  # who ran that long before dying begins with the shortest pause again


class Suite:
    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._ports = options.ports
        self._progress = progress
        self._units: list[Unit] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._broker_url = options.amqp_url
        self._decided = asyncio.Event()  # which bus it is, and where
        self._broker_ready = asyncio.Event()
        own = os.getpid()
        self.record = Record(
            pid=own, started=started_at(own), state="starting", since=time.time(), port_base=options.port_base
        )

    async def start(self) -> None:
        await in_thread(lambda: record.end_remains(self._options.state))
        require_free(self._wanted_ports())
        self._turn_logs_over()
        self._write()
        keys = Keys(self._options.state)
        # RabbitMQ takes 3.5 s to boot: whatever can be done without it is done meanwhile.
        await _all(
            self._start_broker(),
            self._start_mailbox(Settings(self._ports, keys, {}, None)),
            self._start_services(keys),
        )
        self._keepers = [asyncio.create_task(self._keep(unit)) for unit in self._units]
        self.record.state = "ready"
        self._write()
        self.note(f"everything is ready after {time.time() - self.record.since:.1f} s")

    async def stop(self) -> None:
        """Services first and together, then what they stand on, in reverse."""
        self.record.state = "stopping"
        self._write()
        for keeper in self._keepers:
            keeper.cancel()
        ours = [unit for unit in self._units if isinstance(unit, Program) and unit.name != "mailbox"]
        await asyncio.gather(*(in_thread(unit.stop) for unit in ours))
        for unit in reversed([unit for unit in self._units if unit not in ours]):
            await in_thread(unit.stop)
        (self._options.state / record.FILE).unlink(missing_ok=True)
        self.note("everything is stopped")

    def note(self, line: str) -> None:
        self._options.logs.mkdir(parents=True, exist_ok=True)
        with (self._options.logs / "suite.log").open("a") as log:
            log.write(f"{datetime.now().astimezone().isoformat(timespec='milliseconds')} {line}\n")

    # --- starting -------------------------------------------------------------------------------------------

    async def _start_broker(self) -> None:
        if self._options.bus == "memory":
            self._use_memory("asked for with --bus memory or STAFFGATE_BUS=memory")
            self._decided.set()
        elif self._options.amqp_url:
            self.record.broker, self.record.urls["amqp"] = "RabbitMQ of AMQP_URL", self._options.amqp_url
            self._decided.set()
            with step(self._progress, "RabbitMQ of AMQP_URL"):
                await _require_broker(self._options.amqp_url)
        else:
            with step(self._progress, "RabbitMQ") as shown:
                shown.append(await self._start_own_broker())
        self._broker_ready.set()

    async def _start_own_broker(self) -> str:
        broker = RabbitMQ(
            self._options.state / "rabbitmq",
            self._ports.amqp,
            epmd_port=self._ports.epmd,
            dist_port=self._ports.dist,
            log=self._log("rabbitmq"),
        )
        try:
            await in_thread(broker.prepare)  # may have to fetch it first
        except BrokerMissing as missing:
            if self._options.bus == "rabbitmq":
                raise
            self._use_memory(str(missing))
            self._decided.set()
            return "no RabbitMQ, so the in-memory bus"
        source = {"system": "of this machine", "private": "private copy"}[broker.source]
        self.record.broker = f"RabbitMQ {broker.version} ({source}), port {broker.port}"
        self._broker_url = self.record.urls["amqp"] = broker.url
        self._decided.set()
        node = BrokerNode(broker)
        self._units += [PortMapper(broker), node]
        await self._raise(node)
        self._set_state("epmd", "ready")
        return self.record.broker

    def _use_memory(self, why: str) -> None:
        self.record.bus, self.record.note, self.record.broker = "memory", why, "no broker: in-memory bus"

    async def _start_databases(self, keys: Keys) -> dict[str, Urls]:
        if self._options.database_url:
            admin_url, self.record.database = self._options.database_url, "PostgreSQL of DATABASE_URL"
        else:
            with step(self._progress, "PostgreSQL") as shown:
                admin_url = await self._start_postgres()
                shown.append(self.record.database)
        self.record.urls["postgres"] = admin_url
        with step(self._progress, "databases and roles"):
            return {name: await self._provision(admin_url, name, keys) for name in PROVISIONED}

    async def _start_postgres(self) -> str:
        server = Postgres(self._options.state / "postgres", self._ports.postgres, log=self._log("postgres"))
        unit = DatabaseServer(server)
        self._units.insert(0, unit)
        await self._raise(unit)
        source = {"wheel": "from the wheel", "system": "of this machine", "PG_BIN": "of PG_BIN"}[server.source]
        self.record.database = f"PostgreSQL {server.version} ({source}), port {server.port}"
        return server.url

    async def _provision(self, admin_url: str, name: str, keys: Keys) -> Urls:
        try:
            return await provision(
                admin_url, name, owner_password=keys.password(f"{name}_owner"), app_password=keys.password(name)
            )
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            where = "DATABASE_URL (it has to name a role that may create roles and databases)"
            raise PlatformError(
                f"The database {name} could not be set up ({error or type(error).__name__}): check "
                f"{where if self._options.database_url else self._log('postgres')}."
            ) from error

    async def _start_mailbox(self, settings: Settings) -> None:
        self.record.urls["mailbox"] = settings.url("mailbox")
        self.record.urls["smtp"] = f"smtp://{HOST}:{self._ports.smtp}"
        mailbox = Program(
            "mailbox", "deploy.local.mailbox", "--folder", str(self._options.state / "mailbox"),
            env=settings.mailbox(), log=self._log("mailbox"), ports=[self._ports.mailbox],
        )  # fmt: skip
        self._units.append(mailbox)
        await self._raise_shown(mailbox)

    async def _start_services(self, keys: Keys) -> None:
        """All at once: each migrates at its start, and replicas of one service may do so together."""
        databases = await self._start_databases(keys)
        await self._decided.wait()
        settings = Settings(self._ports, keys, databases, self._broker_url)
        planned = plan.TOGETHER if self.record.bus == "memory" else plan.SERVICES
        programs = [self._program(each, settings) for each in planned]
        self._units += programs
        for program in programs:
            program.warm_up()
        self._write()
        await self._broker_ready.wait()
        await _all(*(self._raise_shown(program) for program in programs))

    def _program(self, planned: Planned, settings: Settings) -> Program:
        for port in planned.ports:
            self.record.urls[port.replace("_", "-")] = settings.url(port)
        ports = [getattr(self._ports, port) for port in planned.ports]
        env = planned.environment(settings)
        log = self._log(planned.name)
        return Program(planned.name, planned.module, env=env, log=log, ports=ports, gated=planned.gated)

    async def _raise_shown(self, program: Program) -> None:
        with step(self._progress, program.name):
            await self._raise(program)

    async def _raise(self, unit: Unit) -> None:
        await unit.start(launched=self._write)
        self._set_state(unit.name, "ready")

    # --- keeping --------------------------------------------------------------------------------------------

    async def _keep(self, unit: Unit) -> None:
        """Start it again whenever it dies, on the same port and folder; a little later each time."""
        pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
        while True:
            began = time.monotonic()
            how = await unit.ended()
            if time.monotonic() - began > _SETTLED:
                pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
            pause = next(pauses)
            unit.restarts += 1
            self._tell(f"{unit.name} ended ({how}); starting it again in {pause} s")
            self._set_state(unit.name, "restarting")
            await asyncio.sleep(pause)
            await self._raise_again(unit)

    async def _raise_again(self, unit: Unit) -> None:
        began = time.monotonic()
        try:
            await self._raise(unit)
        except PlatformError as error:
            self._set_state(unit.name, "not ready")
            self._tell(str(error))
        else:
            self._tell(f"{unit.name} is ready again after {time.monotonic() - began:.1f} s")

    def _tell(self, line: str) -> None:
        self.note(line)
        self._progress.say(line)

    # --- writing down ---------------------------------------------------------------------------------------

    def _set_state(self, name: str, state: str) -> None:
        for unit in self._units:
            if unit.name == name:
                unit.state = state
        self._write()

    def _write(self) -> None:
        self.record.processes = {unit.name: self._child(unit) for unit in self._units}
        record.write(self._options.state, self.record)

    def _child(self, unit: Unit) -> Child:
        pid = (unit.process.pid if unit.process and unit.alive else None) or 0
        log = str(unit.process.log) if unit.process else ""
        started = started_at(pid) if pid else 0
        return Child(pid=pid, started=started, state=unit.state, port=unit.port, restarts=unit.restarts, log=log)

    def _log(self, name: str) -> Path:
        return self._options.logs / f"{name}.log"

    def _turn_logs_over(self) -> None:
        """One generation is kept: enough to see how the last run ended."""
        for log in self._options.logs.glob("*.log"):
            if log.name != "suite.log" or log.stat().st_size > 1_000_000:
                log.replace(log.with_name(f"{log.name}.1"))

    def _wanted_ports(self) -> dict[str, int]:
        ports = self._ports
        wanted = {"identity": ports.identity, "authz": ports.authz, "notify": ports.notify,
                  "the mailbox page": ports.mailbox, "the mailbox's SMTP": ports.smtp}  # fmt: skip
        if self._options.bus != "memory":
            wanted["the second authz"] = ports.authz_2
        if not self._options.database_url:
            wanted["PostgreSQL"] = ports.postgres
        if self._options.bus != "memory" and not self._options.amqp_url:
            wanted |= {"RabbitMQ": ports.amqp, "Erlang's port mapper": ports.epmd, "RabbitMQ's own": ports.dist}
        return wanted


async def _all(*tasks: Coroutine[Any, Any, Any]) -> list[Any]:
    """All at once; the first fault ends the others and is raised as itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as parallel:
            running = [parallel.create_task(task) for task in tasks]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [task.result() for task in running]


async def _require_broker(url: str) -> None:
    import aio_pika

    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # our sentence says it
    try:
        connection = await aio_pika.connect(url, timeout=10)
        await connection.close()
    except Exception as error:  # whatever it is, the sentence is the same
        raise PlatformError(
            f"AMQP_URL names a RabbitMQ that does not let us in ({error or type(error).__name__}): "
            "check that it runs, and the user and password in it."
        ) from error


async def supervise(suite: Suite, on_ready: Callable[[], None]) -> None:
    """Start, stay until a signal comes, stop. What fails at the start is raised after everything is stopped again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(signum, stop.set)
    asked = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(suite.start())
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            on_ready()
            await asked
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, PlatformError):
            await starting
        await suite.stop()
