"""The bus where there is no RabbitMQ: one process, and gone with it. Passes the same tests.

The outbox stays in PostgreSQL, so an event that was never handled because the process died is the one thing that this
bus can lose; the start banner says so.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from shared.bus import parking, topology
from shared.bus.port import TIERS, Handle, Hints, Message, Outcome, Queue, Verdict

_GRACE = 20.0


class MemoryBus:
    """Shared by every service of the process."""

    def __init__(self, *, queues: Sequence[Queue] = topology.QUEUES, tiers: Sequence[float] = TIERS) -> None:
        self._queues = queues
        self._tiers = tiers
        self._waiting: dict[str, asyncio.Queue[Message]] = {queue.name: asyncio.Queue() for queue in queues}
        self._parked: dict[str, list[Message]] = defaultdict(list)
        self._consumers: list[tuple[Queue, Handle]] = []
        self._listeners: list[tuple[tuple[str, ...], Hints]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self.connected = False

    def consume(self, queue: Queue, handle: Handle) -> None:
        self._consumers.append((queue, handle))

    def listen(self, types: Sequence[str], hints: Hints) -> None:
        self._listeners.append((tuple(types), hints))

    async def start(self) -> None:
        """Once for each service of the process: each time what was added since begins."""
        self.connected = True
        for queue, handle in self._consumers[len(self._readers) :]:
            self._count(queue.name)
            self._readers.append(asyncio.create_task(self._read(queue, handle), name=queue.name))
        for _, hints in self._listeners:
            hints.restored()

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        if not self.connected:
            return [False] * len(messages)
        for message in messages:
            for queue in self._queues:
                if message.type in queue.types:
                    self._waiting[queue.name].put_nowait(message)
            for types, hints in self._listeners:
                if message.type in types:
                    hints.heard(message)
        return [True] * len(messages)

    async def drain(self) -> None:
        for reader in self._readers:
            reader.cancel()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=_GRACE)

    async def close(self) -> None:
        self.connected = False
        for reader in self._readers:
            reader.cancel()
        for _, hints in self._listeners:
            hints.lost()

    async def _read(self, queue: Queue, handle: Handle) -> None:
        while True:
            message = await self._waiting[queue.name].get()
            task = asyncio.create_task(self._handle(queue, handle, message))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _handle(self, queue: Queue, handle: Handle, message: Message) -> None:
        verdict = await handle(message)
        while verdict.outcome is Outcome.HOLD:
            await asyncio.sleep(0.2)
            verdict = await handle(message)
        if verdict.outcome is not Outcome.DONE:
            self._move(queue, message, verdict)

    def _move(self, queue: Queue, message: Message, verdict: Verdict) -> None:
        moved = msgspec.structs.replace(message, attempt=message.attempt + 1, error=verdict.error)
        if verdict.outcome is Outcome.RETRY and message.attempt < len(self._tiers):
            delay = self._tiers[message.attempt]
            asyncio.get_running_loop().call_later(delay, self._waiting[queue.name].put_nowait, moved)
        else:
            self._parked[queue.name].append(moved)
            self._count(queue.name)

    # --- the parking lots -------------------------------------------------------------------------------------

    async def counts(self) -> dict[str, int]:
        return {queue.name: len(self._parked[queue.name]) for queue in self._queues}

    async def list(self, queue: str) -> Sequence[Message]:
        return list(self._parked[queue])

    async def replay(self, queue: str, id: str | None) -> int:
        taken = self._take(queue, id)
        for message in taken:
            self._waiting[queue].put_nowait(msgspec.structs.replace(message, attempt=0, error=""))
        return len(taken)

    async def drop(self, queue: str, id: str | None) -> int:
        return len(self._take(queue, id))

    def _take(self, queue: str, id: str | None) -> Sequence[Message]:
        taken = [message for message in self._parked[queue] if id in (None, message.id)]
        self._parked[queue] = [message for message in self._parked[queue] if message not in taken]
        self._count(queue)
        return taken

    def _count(self, queue: str) -> None:
        parking.show({queue: len(self._parked[queue])})
