"""How many messages lie parked: asked of the broker, and shown as a metric by whoever reads the queue that they come from."""

from __future__ import annotations

from collections.abc import Sequence

from aio_pika.abc import AbstractChannel
from prometheus_client import Gauge

from shared.bus import topology
from shared.bus.port import Queue

parked_messages = Gauge(
    "bus_parked_messages", "Messages that nobody could handle and that wait for a person, by queue", ["queue"]
)


async def counted(channel: AbstractChannel, queues: Sequence[Queue], timeout: float) -> dict[str, int]:
    """By the name of the queue that they belong to."""
    found = {}
    for queue in queues:
        lot = await channel.declare_queue(topology.parked_queue(queue.name), passive=True, timeout=timeout)
        found[queue.name] = lot.declaration_result.message_count or 0
    return found


def show(found: dict[str, int]) -> None:
    for queue, count in found.items():
        parked_messages.labels(queue).set(count)
