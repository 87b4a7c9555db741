"""What notify does when it hears of something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.notify import deliveries
from shared.bus.consumer import Consumer, Handler
from shared.bus.port import Handle, Message, Outcome, Verdict
from staffgate.contracts.event import Event
from staffgate.contracts.identity import CodeIssued, LinkIssued, NoticeIssued

HANDLERS: Mapping[type[Event], Handler] = {
    LinkIssued: deliveries.queue_link,
    CodeIssued: deliveries.queue_code,
    NoticeIssued: deliveries.queue_notice,
}


def waking(consumer: Consumer, wake: Sequence[Callable[[], None]]) -> Handle:
    """Handle, and once that is committed wake those who send."""

    async def handle(message: Message) -> Verdict:
        verdict = await consumer.handle(message)
        if verdict.outcome is Outcome.DONE:
            for each in wake:
                each()
        return verdict

    return handle
