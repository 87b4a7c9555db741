"""Hearing what services announce, over RabbitMQ: everything, while there is a connection, and nothing of before.

Needs aio-pika: install `staffgate[replica]`. Whenever the connection is lost, or turns out to be alive and to bring
nothing, all is made anew; the library's own reconnection is not used, since it restores channel by channel and can hang.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from staffgate.ear import Ear as Ear

EXCHANGE = "events"  # where every service of the suite publishes
_TIMEOUT = 5.0  # seconds for anything asked of the broker

# A broker that is away shows itself in many ways, aio-pika's own, aiormq's and the operating system's.
_FAULTS = (
    aio_pika.exceptions.AMQPError,
    OSError,
    RuntimeError,
    TimeoutError,
    StopAsyncIteration,
    asyncio.CancelledError,
)

log = logging.getLogger("staffgate")


class Listener:
    def __init__(self, url: str, types: Sequence[str], ear: Ear, *, silence: float = 10.0) -> None:
        """`silence` is for how many seconds nothing may come before the connection is made anew."""
        self._url = url
        self._types = types
        self._ear = ear
        self._silence = silence
        self._last = 0.0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._connect_and_listen()
            except (Exception, asyncio.CancelledError) as fault:
                # Any: whoever dies of one hears nothing ever after. aiormq's own StopAsyncIteration is among them, where a
                # connection is closed in the middle of its first words.
                _not_ours(fault)
                unforeseen = None if isinstance(fault, _FAULTS) else fault
                log.warning("The broker can't be heard: %s: %s", type(fault).__name__, fault, exc_info=unforeseen)
            await asyncio.sleep(0.2 + random.random() * 0.8)  # noqa: S311 - jitter, so that not all come back as one

    async def _connect_and_listen(self) -> None:
        lost = asyncio.Event()
        properties = {"connection_name": "staffgate.replica"}
        async with await aio_pika.connect(
            self._url,
            timeout=_TIMEOUT,
            heartbeat=15,
            client_properties=properties,  # type: ignore[arg-type]
        ) as connection:
            connection.close_callbacks.add(lambda *_: lost.set())
            await asyncio.wait_for(self._attach(connection, lost), _TIMEOUT)
            self._ear.restored()
            try:
                await self._until_over(lost)
            finally:
                self._ear.lost()  # before the farewell: a broker that hangs takes its time over that

    async def _attach(self, connection: AbstractConnection, lost: asyncio.Event) -> None:
        """A queue of our own, which ends with the connection."""
        channel = await connection.channel()
        channel.close_callbacks.add(lambda *_: lost.set())
        events = await channel.get_exchange(EXCHANGE)
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        for type in self._types:
            await queue.bind(events, type)
        await queue.consume(self._heard, no_ack=True)

    async def _heard(self, incoming: AbstractIncomingMessage) -> None:
        self._last = asyncio.get_running_loop().time()
        self._ear.heard(incoming.body)

    async def _until_over(self, lost: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        while True:
            left = self._last + self._silence - loop.time()
            if left <= 0:
                raise ConnectionError(f"nothing came for {self._silence:g} s")
            try:
                async with asyncio.timeout(left):
                    await lost.wait()
            except TimeoutError:
                continue
            raise ConnectionError("the connection is lost")


def _not_ours(fault: BaseException) -> None:
    """aiormq ends what waits on a connection that it found stuck with CancelledError, though nobody cancelled us."""
    task = asyncio.current_task()
    if isinstance(fault, asyncio.CancelledError) and task is not None and task.cancelling():
        raise fault
