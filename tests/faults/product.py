"""A product of its own process that asks its replica all the time, and writes down what it was told and when:

    python -m tests.faults.product sound|unbounded|unhearing

`unbounded` has no bound, `unhearing` has none either and is not told that it can't hear: those that a checker has to
catch. Each kind has three replicas: one over RabbitMQ, one over authz's event stream, and one over RabbitMQ again that holds
the organisation whole, and puts back what it knew after every fault.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from staffgate.client import IdentityClient, Refused, ServiceAway
from staffgate.replica import Replica
from tests.faults.history import Answer, Line, Seen

PACE = 0.02  # seconds between an answer and the next question about the same person
VIAS = ("rabbitmq", "stream", "whole")


class Setting(msgspec.Struct, frozen=True):
    amqp_url: str
    authz_url: str
    identity_url: str
    org: UUID
    people: list[UUID]
    notes: str  # the file


class Unhearing(Replica):
    def lost(self) -> None:
        """Not told."""


KINDS: dict[str, tuple[type[Replica], dict[str, Any]]] = {
    "sound": (Replica, {}),
    "unbounded": (Replica, {"bound": 1e9}),
    "unhearing": (Unhearing, {"bound": 1e9}),
}


class Notes(logging.Handler):
    """Line by line, and whole lines only."""

    def __init__(self, path: str) -> None:
        super().__init__(logging.WARNING)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - until the process ends
        self._encode = msgspec.json.Encoder().encode

    def put(self, note: Answer | Seen | Line) -> None:
        self._file.write(self._encode(note) + b"\n")

    def emit(self, record: logging.LogRecord) -> None:
        self.put(Line(time.monotonic(), f"{record.levelname} {record.getMessage()}"))


class Asking:
    def __init__(self, via: str, replica: Replica, people: list[UUID], notes: Notes) -> None:
        self._via, self._replica, self._people, self._notes = via, replica, people, notes
        self._believed: bool | None = None

    async def about(self, who: int) -> None:
        while True:
            self._look()
            asked = time.monotonic()
            allowed = self._replica.allowed_now(self._people[who], "sms.send", "inbox", "sales")
            memory = allowed is not None
            if not memory:
                try:
                    allowed = (await self._replica.decide(self._people[who], "sms.send", "inbox", "sales")).allowed
                except (ServiceAway, Refused):
                    allowed = None
            self._notes.put(Answer(self._via, who, asked, time.monotonic(), allowed, memory))
            await asyncio.sleep(PACE)

    def _look(self) -> None:
        believed = self._replica.stats.mirror.believed
        if believed is not self._believed:
            self._believed = believed
            self._notes.put(Seen(self._via, time.monotonic(), believed))


def hears(via: str, setting: Setting) -> dict[str, Any]:
    match via:
        case "stream":
            return {"stream": True}
        case "whole":
            return {"amqp_url": setting.amqp_url, "organisations": [setting.org]}
    return {"amqp_url": setting.amqp_url}


async def main(kind: str, setting: Setting) -> None:
    notes = Notes(setting.notes)
    logging.getLogger("staffgate").addHandler(notes)
    made, options = KINDS[kind]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        token = IdentityClient(session, setting.identity_url, "sms", "secret").token
        for via in VIAS:
            own = hears(via, setting)
            replica = await stack.enter_async_context(made(session, setting.authz_url, token, **own, **options))
            asking = Asking(via, replica, setting.people, notes)
            for who in range(len(setting.people)):
                task = asyncio.create_task(asking.about(who))
                stack.callback(task.cancel)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], msgspec.json.decode(os.environ["PRODUCT"], type=Setting)))
