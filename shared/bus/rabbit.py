"""The bus over RabbitMQ.

One plain connection at a time, remade from the start whenever it or one of its channels is lost: topology, publisher,
consumers, listeners. The library's own reconnection restores channel by channel, and one channel that can't be restored
holds up all the others; remaking everything has one path, which is also the path of the first start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import aio_pika
import msgspec
import structlog
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
)
from pamqp.common import FieldTable

from shared.bus import parking, topology
from shared.bus.envelope import CONTENT_TYPE
from shared.bus.port import TIERS, Handle, Hints, Message, Outcome, Queue, Verdict

PREFETCH = 16
_TIMEOUT = 5.0  # seconds for anything asked of the broker: a blocked connection hangs, it does not fail
_ATTACH = 20.0  # seconds for topology, readers and listeners, all told
_WATCH = 30.0  # seconds between looks at whether anybody still reads our queues
_FAREWELL = 2.0  # seconds
_PULSE = 0.4  # seconds between questions to the broker, and for each answer
_GRACE = 20.0  # seconds for handlers at a stop; below the 30 of the usual orchestrators

log = structlog.get_logger()

# A broker that is away shows itself in many ways, aio-pika's own, aiormq's and the operating system's.
FAULTS = (aio_pika.exceptions.AMQPError, OSError, RuntimeError, TimeoutError)
_ODD = (StopAsyncIteration, asyncio.CancelledError)


class RabbitBus:
    def __init__(
        self,
        url: str,
        name: str,
        *,
        queues: Sequence[Queue] = topology.QUEUES,
        tiers: Sequence[float] = TIERS,
        watch: float = _WATCH,
    ) -> None:
        self._url = url
        self._name = name
        self._queues = queues
        self._tiers = tiers
        self._every = watch
        self._read: list[str] = []
        self._ears: list[tuple[AbstractChannel, str]] = []
        self._consumers: list[tuple[Queue, Handle]] = []
        self._listeners: list[tuple[tuple[str, ...], Hints]] = []
        self._subscriptions: list[tuple[AbstractQueue, str]] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self._events: AbstractExchange | None = None
        self._direct: AbstractExchange | None = None
        self._draining = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def consume(self, queue: Queue, handle: Handle) -> None:
        self._consumers.append((queue, handle))

    def listen(self, types: Sequence[str], hints: Hints) -> None:
        self._listeners.append((tuple(types), hints))

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="bus")

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        # Gathered on one channel the order holds on the wire: 4000 a second confirmed, against 750 one by one.
        return list(await asyncio.gather(*(self._publish(self._events, one.type, one) for one in messages)))

    async def drain(self) -> None:
        self._draining = True
        self._read.clear()
        for queue, tag in self._subscriptions:
            try:
                await queue.cancel(tag, timeout=_TIMEOUT)
            except (*FAULTS, asyncio.CancelledError) as fault:
                _not_ours(fault)
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=_GRACE)

    async def close(self) -> None:
        self._stopping.set()
        if self._task is not None:
            await self._task

    # --- the connection ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._connect_and_serve()
            except (Exception, asyncio.CancelledError) as fault:
                # Any: whoever dies of one is deaf and dumb for good. aiormq's own StopAsyncIteration is among them, where
                # a connection is closed in the middle of its first words.
                _not_ours(fault)
                unforeseen = None if isinstance(fault, (*FAULTS, *_ODD)) else fault
                log.warning("bus.connection_failed", error=f"{type(fault).__name__}: {fault}", exc_info=unforeseen)
            with suppress(TimeoutError):
                pause = 0.2 + random.random() * 0.8  # noqa: S311 - jitter, so that replicas do not come back as one
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _connect_and_serve(self) -> None:
        # Two: a broker with an alarm reads nothing more from a connection that publishes, and so no acks either.
        lost = asyncio.Event()
        async with (
            await self._connection(self._name, lost) as connection,
            await self._connection(f"{self._name}.publisher", lost) as publisher,
        ):
            try:
                await asyncio.wait_for(self._attach(connection, publisher, lost), _ATTACH)
                self.connected = True
                log.info("bus.connected")
                await self._until_over(connection, lost)
            finally:
                self._forget_connection()  # before the farewell: a broker that hangs takes its time over that

    async def _connection(self, name: str, lost: asyncio.Event) -> AbstractConnection:
        properties: FieldTable = {"connection_name": name}
        connection = await aio_pika.connect(self._url, timeout=_TIMEOUT, heartbeat=15, client_properties=properties)
        connection.close_callbacks.add(lambda *_: lost.set())
        return connection

    async def _until_over(self, connection: AbstractConnection, lost: asyncio.Event) -> None:
        """Until somebody stops us, the connection goes, or it turns out to be alive and to bring nothing."""
        waits = (self._stopping.wait(), lost.wait(), self._watch(connection), self._pulse())
        tasks = [asyncio.create_task(wait) for wait in waits]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            # A question to the broker that is cancelled on its way may never end; the connection is left all the same.
            ended, _ = await asyncio.wait(tasks, timeout=_FAREWELL)
            await asyncio.gather(*ended, return_exceptions=True)

    async def _watch(self, connection: AbstractConnection) -> bool:
        """Raise when a queue of ours has gone, or has no reader: a deleted queue ends its reader without a word. Count what
        is parked on the way."""
        while True:
            await asyncio.sleep(self._every)
            async with await connection.channel() as channel:
                await self._count_parked(channel)
                for name in self._read:
                    found = await channel.declare_queue(name, passive=True, timeout=_TIMEOUT)
                    if not found.declaration_result.consumer_count:
                        raise ConnectionError(f"nobody reads {name}")

    async def _count_parked(self, channel: AbstractChannel) -> None:
        parking.show(await parking.counted(channel, [queue for queue, _ in self._consumers], _TIMEOUT))

    async def _pulse(self) -> bool:
        """Deaf while the broker is silent: its heartbeats take 48 s to be missed, and a revoke may take one.

        Asked where the hints come in, so that whatever was told before the answer has been heard.
        """
        while self._ears:
            await asyncio.sleep(_PULSE)
            asked = [asyncio.create_task(_ask(channel, queue)) for channel, queue in self._ears]
            try:
                await self._answered(asked)
            finally:
                for task in asked:
                    task.cancel()
        return await asyncio.Event().wait()

    async def _answered(self, asked: Sequence[asyncio.Task[None]]) -> None:
        """Not given up when it is late: a question that is cancelled would take its channel along."""
        _, late = await asyncio.wait(asked, timeout=_PULSE)
        if late:
            log.warning("bus.silent")
            self._lose()
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise ConnectionError("the broker does not answer") from answer
        if late:
            for _, hints in self._listeners:
                hints.restored()

    def _lose(self) -> None:
        for _, hints in self._listeners:
            hints.lost()

    async def _attach(
        self, connection: AbstractConnection, publishing: AbstractConnection, lost: asyncio.Event
    ) -> None:
        publisher = await self._channel(publishing, lost)
        self._events = await topology.declare(publisher, self._queues, self._tiers)
        self._direct = publisher.default_exchange
        await self._count_parked(publisher)
        for types, hints in self._listeners:
            await self._attach_listener(await self._channel(connection, lost), types, hints)
        for queue, handle in self._consumers:
            if not self._draining:  # nobody would wait for what they begin now
                await self._attach_consumer(await self._channel(connection, lost), queue, handle)

    async def _channel(self, connection: AbstractConnection, lost: asyncio.Event) -> AbstractChannel:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(lambda *_: lost.set())
        return channel

    def _forget_connection(self) -> None:
        if self.connected:
            log.warning("bus.connection_lost")
        self.connected = False
        self._events = self._direct = None
        self._subscriptions.clear()
        self._read.clear()
        self._ears.clear()
        self._lose()

    # --- publishing -------------------------------------------------------------------------------------------

    async def _publish(
        self, exchange: AbstractExchange | None, key: str, message: Message, *, routed: bool = False
    ) -> bool:
        """`routed`: there has to be a queue. An event that nobody wants is legal; a retry that goes nowhere is a loss."""
        if exchange is None:
            return False
        try:
            await exchange.publish(_outgoing(message), key, mandatory=routed, timeout=_TIMEOUT)
        except (*FAULTS, asyncio.CancelledError) as fault:
            _not_ours(fault)
            log.warning(
                "bus.unpublished",
                type=message.type,
                event_id=message.id,
                error=f"{type(fault).__name__}: {fault}",
            )
            return False
        return True

    # --- listening --------------------------------------------------------------------------------------------

    async def _attach_listener(self, channel: AbstractChannel, types: tuple[str, ...], hints: Hints) -> None:
        queue = await channel.declare_queue(exclusive=True, auto_delete=True, timeout=_TIMEOUT)
        for type in types:
            await queue.bind(topology.EXCHANGE, type, timeout=_TIMEOUT)

        async def heard(incoming: AbstractIncomingMessage) -> None:
            hints.heard(_incoming(incoming))

        await queue.consume(heard, no_ack=True, timeout=_TIMEOUT)
        self._read.append(queue.name)
        self._ears.append((channel, queue.name))
        hints.restored()

    # --- consuming --------------------------------------------------------------------------------------------

    async def _attach_consumer(self, channel: AbstractChannel, queue: Queue, handle: Handle) -> None:
        await channel.set_qos(prefetch_count=PREFETCH, timeout=_TIMEOUT)
        source = await channel.get_queue(queue.name, ensure=False)

        async def received(incoming: AbstractIncomingMessage) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._in_flight.add(task)
            try:
                await self._handle(queue, handle, incoming)
            finally:
                self._in_flight.discard(task)

        self._subscriptions.append((source, await source.consume(received, timeout=_TIMEOUT)))
        self._read.append(queue.name)

    async def _handle(self, queue: Queue, handle: Handle, incoming: AbstractIncomingMessage) -> None:
        """Handle and settle. A cancelled handler leaves the message unsettled, and so it comes again.

        While our own database is away the message is kept here and tried again: given back it would come round at
        once, and each round counts towards the delivery limit.
        """
        message = _incoming(incoming)
        verdict = await handle(message)
        while verdict.outcome is Outcome.HOLD:
            await asyncio.sleep(0.5 + random.random() / 2)  # noqa: S311 - jitter
            verdict = await handle(message)
        with suppress(*FAULTS):
            if await self._settled(queue, message, verdict):
                await incoming.ack()
            else:
                await incoming.nack(requeue=True)

    async def _settled(self, queue: Queue, message: Message, verdict: Verdict) -> bool:
        """Done, or safe in another queue."""
        if verdict.outcome is Outcome.DONE:
            return True
        moved = msgspec.structs.replace(message, attempt=message.attempt + 1, error=verdict.error)
        if verdict.outcome is Outcome.RETRY and message.attempt < len(self._tiers):
            key = topology.retry_queue(queue.name, self._tiers[message.attempt])
        else:
            key = topology.parked_queue(queue.name)
            log.error("bus.parked", queue=queue.name, type=message.type, event_id=message.id, error=verdict.error)
        return await self._publish(self._direct, key, moved, routed=True)


async def _ask(channel: AbstractChannel, queue: str) -> None:
    await channel.declare_queue(queue, passive=True, timeout=_TIMEOUT)


def _not_ours(fault: BaseException) -> None:
    """aiormq ends what waits on a connection that it found stuck with CancelledError, though nobody cancelled us."""
    task = asyncio.current_task()
    if isinstance(fault, asyncio.CancelledError) and task is not None and task.cancelling():
        raise fault


def _outgoing(message: Message) -> aio_pika.Message:
    # Only headers of our own: a message that still carries x-death is dropped silently on its next lap.
    return aio_pika.Message(
        message.body,
        message_id=message.id,
        type=message.type,
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers={"attempt": message.attempt, "error": message.error[:500]},
    )


def _incoming(incoming: AbstractIncomingMessage) -> Message:
    attempt = incoming.headers.get("attempt", 0)
    return Message(
        id=incoming.message_id or "",
        type=incoming.type or "",
        body=incoming.body,
        attempt=attempt if isinstance(attempt, int) else 0,
        error=str(incoming.headers.get("error", "")),
    )


class RabbitParked:
    """The parking lots, for the command line. Looking at a message takes it out and puts it back."""

    def __init__(self, channel: AbstractChannel, queues: Sequence[Queue] = topology.QUEUES) -> None:
        self._channel = channel
        self._queues = queues

    async def counts(self) -> dict[str, int]:
        return await parking.counted(self._channel, self._queues, _TIMEOUT)

    async def list(self, queue: str) -> Sequence[Message]:
        taken = await self._take(queue)
        for incoming in taken:
            await incoming.nack(requeue=True)
        return [_incoming(one) for one in taken]

    async def replay(self, queue: str, id: str | None) -> int:
        return await self._settle(queue, id, put_back=True)

    async def drop(self, queue: str, id: str | None) -> int:
        return await self._settle(queue, id, put_back=False)

    async def _settle(self, queue: str, id: str | None, *, put_back: bool) -> int:
        settled = 0
        for incoming in await self._take(queue):
            if id is not None and incoming.message_id != id:
                await incoming.nack(requeue=True)
                continue
            if put_back:
                fresh = msgspec.structs.replace(_incoming(incoming), attempt=0, error="")
                await self._channel.default_exchange.publish(_outgoing(fresh), queue, mandatory=True, timeout=_TIMEOUT)
            await incoming.ack()
            settled += 1
        return settled

    async def _take(self, queue: str) -> Sequence[AbstractIncomingMessage]:
        lot = await self._channel.get_queue(topology.parked_queue(queue), ensure=True)
        taken = []
        while (incoming := await lot.get(no_ack=False, fail=False, timeout=_TIMEOUT)) is not None:
            taken.append(incoming)
        return taken
