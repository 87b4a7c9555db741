"""At a stop what sends ends first, and what came of its last messages is told before notify is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.notify.delivery.dispatcher import Dispatcher
from tests.service.notify.conftest import Running, link_issued


async def test_what_came_of_the_last_message_is_told_before_notify_is_gone(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers only when the dispatchers have been told to end: who carries what they emit must be there yet."""
    stopping = asyncio.Event()
    stop = Dispatcher.stop

    def stopped(dispatcher: Dispatcher) -> None:
        stop(dispatcher)
        stopping.set()

    monkeypatch.setattr(Dispatcher, "stop", stopped)
    end = await surroundings.start()
    surroundings.mailbox.hold, surroundings.mailbox.refuse_data = asyncio.Event(), "550 5.7.1 not from you"
    link = link_issued(surroundings.clock)
    await surroundings.publish(link)
    await surroundings.row(link.link, "sending")
    ending = asyncio.ensure_future(end())
    async with asyncio.timeout(30):
        await stopping.wait()
        surroundings.mailbox.hold.set()
        await ending
    await surroundings.row(link.link, "failed")
    rows: list[Any] = await surroundings.owner.fetch("SELECT type, published_at FROM outbox")
    assert [row["type"] for row in rows] == ["notify.message.failed.v1"]
    assert all(row["published_at"] for row in rows)
