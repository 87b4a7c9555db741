"""notify, built to be killed: it ends itself with SIGKILL before or after a step that it was told.

A step is a statement of any database connection (BEGIN and COMMIT too), a line to or an answer from the SMTP server, a
request to the SMS gateway, an ack to the broker, a batch given to it. They are counted where the product calls its
libraries, so the product knows nothing of this.

`python -m tests.faults.notify_killed` reads a Ground and then an Order a line. A notify is put together once; for each
order it is forked and begins its life, and its pid is said, and when it is gone how it ended.
"""

from __future__ import annotations

import gc
import mmap
import os
import re
import signal
import struct
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import aio_pika
import aiohttp
import asyncpg
import msgspec
import uvloop
from aiosmtplib.protocol import SMTPProtocol

from deploy.local.process import die_with_parent
from services.notify.app import build
from services.notify.settings import Settings
from shared import log as logging
from shared.bus import topology
from shared.bus.rabbit import RabbitBus
from shared.service import Role, Service, serve

QUEUES = [queue for queue in topology.QUEUES if queue.name.startswith("notify.")]
_OURS = ("services.notify", "shared.bus")
_VERB = re.compile(r"\s*(\w+)")


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where all of them work."""

    settings: Settings
    clock: str
    log: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of them ends: at a step by its name, or at so many steps. Without either it lives. `steps` is a file where
    they are written down, the last one last; without it they are not looked at."""

    step: str = ""
    number: int = 0
    steps: str | None = None


class Ahead:
    """The real time and what was put on top of it, for all processes that have this file: leases run out when told to."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._seconds = mmap.mmap(opened.fileno(), 8)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=struct.unpack("d", self._seconds[:8])[0])

    def seconds(self) -> float:
        return self.now().timestamp()

    def advance(self, seconds: float) -> None:
        self._seconds[:8] = struct.pack("d", struct.unpack("d", self._seconds[:8])[0] + seconds)


class Steps:
    """Counts them, writes them down, and ends everything at the one that was ordered."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._count = 0
        self._received = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(order.steps, flags) if order.steps else None

    def reach(self, step: str) -> None:
        self._count += 1
        if self._file is not None:
            os.write(self._file, f"{step}\n".encode())
        if self._count == self._order.number or (step == self._order.step and self._matters(step)):
            os.kill(os.getpid(), signal.SIGKILL)
        self._received = self._received or step == "after COMMIT in Consumer._apply"

    def _matters(self, step: str) -> bool:
        """Before anything was received all look for work and find none: nothing is lost with them."""
        return self._received or "Consumer" in step or "queue_" in step

    # --- where the product calls its libraries ----------------------------------------------------------------

    def watch(self) -> None:
        for method in ("execute", "fetch", "fetchrow", "fetchval"):
            self._wrap(asyncpg.Connection, method, lambda sql, *_, **__: _verb(sql))
        self._wrap(aio_pika.message.IncomingMessage, "ack", lambda *_, **__: "ack")
        self._wrap(RabbitBus, "publish", lambda *_, **__: "publish")
        self._wrap(aiohttp.ClientSession, "_request", lambda *_, **__: "request")
        self._watch_smtp()

    def _wrap(self, owner: Any, method: str, naming: Callable[..., str]) -> None:
        inner: Callable[..., Awaitable[Any]] = getattr(owner, method)

        async def watched(self_: Any, *args: Any, **options: Any) -> Any:
            name = f"{naming(*args, **options)} in {_place(sys._getframe(1))}"
            self.reach(f"before {name}")
            result = await inner(self_, *args, **options)
            self.reach(f"after {name}")
            return result

        setattr(owner, method, watched)

    def _watch_smtp(self) -> None:
        write, read = SMTPProtocol.write, SMTPProtocol.read_response
        said: WeakKeyDictionary[SMTPProtocol, str] = WeakKeyDictionary()

        def writing(self_: SMTPProtocol, data: bytes) -> None:
            said[self_] = data[:5].decode("ascii", "replace").strip() if len(data) < 300 else "content"
            self.reach(f"before SMTP {said[self_]}")
            write(self_, data)
            self.reach(f"after SMTP {said[self_]}")

        async def reading(self_: SMTPProtocol, *args: Any, **options: Any) -> Any:
            answer = await read(self_, *args, **options)
            self.reach(f"answered SMTP {said.get(self_, 'connect')}")
            return answer

        SMTPProtocol.write = writing  # type: ignore[assignment, method-assign]
        SMTPProtocol.read_response = reading  # type: ignore[assignment, method-assign]


def _verb(sql: str) -> str:
    found = _VERB.match(sql)
    return found[1] if found else "nothing"


def _place(frame: FrameType | None) -> str:
    """The function of ours that calls, and the one of ours above it: an INSERT into the outbox is many things."""
    found: list[str] = []
    while frame is not None and len(found) < 2:
        if frame.f_globals.get("__name__", "").startswith(_OURS) and frame.f_code.co_name != "run":
            name = frame.f_code.co_qualname
            if name not in found:
                found.append(name)
        if found and found[0].startswith(("Consumer", "Dispatcher", "Relay")):
            break
        frame = frame.f_back
    return " < ".join(found)


# --- the process that forks -----------------------------------------------------------------------------------


def main() -> None:
    ground = msgspec.json.decode(sys.stdin.readline(), type=Ground)
    service = put_together(ground)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order, tie = msgspec.json.decode(line, type=Order), die_with_parent(signal.SIGKILL)
        pid = os.fork()
        if not pid:
            tie()
            live(service, ground.log, order)
            os._exit(0)
        print(f"born {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"gone {os.waitstatus_to_exitcode(status)}", flush=True)


def put_together(ground: Ground) -> Service:
    """Nothing of it is open yet."""
    settings = ground.settings
    assert settings.amqp_url is not None
    bus = RabbitBus(settings.amqp_url, "notify", queues=QUEUES)
    return build(settings, bus, Role.WORKER, clock=Ahead(Path(ground.clock)))


def live(service: Service, log: str, order: Order) -> None:
    """A whole notify's worker, until it is told to stop or ends itself."""
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    logging.configure("notify", "warning")
    if order.steps:
        Steps(order).watch()
    uvloop.run(serve([service]))


if __name__ == "__main__":
    main()
