"""At a stop what sends ends first, and what came of its last messages is told before notify is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.service.notify.conftest import Running, link_issued, until


def nobody_takes_more() -> bool:
    """Dispatchers wait for nothing but what is being sent. The bus goes after them, so it is no sign of that."""
    return not [task for task in asyncio.all_tasks() if task.get_name().startswith("dispatcher.")]


async def answered_late(notify: Running, end: Callable[[], Awaitable[None]]) -> None:
    """notify is stopped, and the server answers only then."""
    assert notify.mailbox.hold is not None
    ending = asyncio.ensure_future(end())
    await until(nobody_takes_more)
    notify.mailbox.hold.set()
    async with asyncio.timeout(30):
        await ending


async def test_stopping_finishes_what_is_on_its_way(surroundings: Running) -> None:
    end = await surroundings.start()
    surroundings.mailbox.hold = asyncio.Event()
    link = link_issued(surroundings.clock)
    await surroundings.publish(link)
    await until(lambda: surroundings.mailbox.tried)
    await answered_late(surroundings, end)
    row = await surroundings.owner.fetchrow("SELECT state, attempts FROM delivery WHERE id = $1", link.link)
    assert row is not None
    assert tuple(row) == ("sent", 1)


async def test_what_came_of_the_last_message_is_told_before_notify_is_gone(surroundings: Running) -> None:
    """Who carries what the dispatchers emit must be there yet."""
    end = await surroundings.start()
    surroundings.mailbox.hold, surroundings.mailbox.refuse_data = asyncio.Event(), "550 5.7.1 not from you"
    link = link_issued(surroundings.clock)
    await surroundings.publish(link)
    await surroundings.row(link.link, "sending")
    await answered_late(surroundings, end)
    await surroundings.row(link.link, "failed")
    rows: list[Any] = await surroundings.owner.fetch("SELECT type, published_at FROM outbox")
    assert [row["type"] for row in rows] == ["notify.message.failed.v1"]
    assert all(row["published_at"] for row in rows)
