"""What notify does when it hears of something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from services.notify.delivery import deliveries
from services.notify.limit import conversion
from shared.bus.consumer import Consumer, Handler
from shared.bus.port import Handle, Message, Outcome, Queue, Verdict
from shared.bus.topology import NOTIFY_CODES, NOTIFY_MESSAGES
from staffgate.contracts.event import Event
from staffgate.contracts.identity import CodeIssued, CodeUsed, LinkIssued, NoticeIssued

HANDLERS: Mapping[Queue, Mapping[type[Event], Handler]] = {
    NOTIFY_CODES: {CodeIssued: deliveries.queue_code, CodeUsed: conversion.note_used},
    NOTIFY_MESSAGES: {LinkIssued: deliveries.queue_link, NoticeIssued: deliveries.queue_notice},
}

_AT_ONCE = 3  # of each queue: more are no quicker, and a code would wait among them


def waking(consumer: Consumer, wake: Sequence[Callable[[], None]]) -> Handle:
    """Handle, and once that is committed wake those who send."""

    room = asyncio.Semaphore(_AT_ONCE)

    async def handle(message: Message) -> Verdict:
        async with room:
            verdict = await consumer.handle(message)
        if verdict.outcome is Outcome.DONE:
            for each in wake:
                each()
        return verdict

    return handle
