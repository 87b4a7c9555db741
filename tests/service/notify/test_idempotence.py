"""One promise, one message: whatever comes again, comes twice at once, or comes in the wrong order."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.service import Role
from staffgate.contracts.event import Event
from staffgate.contracts.identity import LinkPurpose
from tests.service.notify.conftest import IDS, Running, code_issued, link_issued, notice_issued, until
from tests.unit.notify.reports.samples import TOKENS


def one_of_each(notify: Running) -> list[tuple[Event, Any]]:
    clock = notify.clock
    code, sms = code_issued(clock, "email", to="luke@acme.example"), code_issued(clock)
    link, notice = link_issued(clock, to="han@acme.example"), notice_issued(clock)
    return [(code, code.code), (sms, sms.code), (link, link.link), (notice, notice.notice)]


async def all_handled(notify: Running, count: int) -> None:
    """So many events were handled or refused as seen, and nothing is left to be sent."""

    async def over() -> bool:
        query = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"
        return not await notify.owner.fetchval(query)

    await until(lambda: not any(queue.qsize() for queue in notify.bus._waiting.values()) and not notify.bus._in_flight)
    assert await notify.owner.fetchval("SELECT count(*) FROM inbox") == count
    await until(over)


@pytest.mark.checklist("M03")
async def test_an_event_that_comes_three_times_sends_one_message(notify: Running) -> None:
    each = one_of_each(notify)
    for event, _ in each:
        await notify.publish(event, times=3)
    await all_handled(notify, len(each))
    ids = [id for event, id in each if event.type != "identity.code.issued.v1" or event.channel == "email"]  # type: ignore[attr-defined]
    received = Counter(mail["Message-ID"] for mail in notify.mailbox.mails)
    assert received == {f"<{TOKENS.name(id)}@staffgate.example>": 1 for id in ids}
    assert len(notify.gateway.sent) == 1


@pytest.mark.checklist("M03")
async def test_an_event_that_comes_again_after_the_message_was_sent_sends_nothing(notify: Running) -> None:
    event = code_issued(notify.clock, "email")
    id = IDS.uuid()
    message = Message(id=str(id), type=event.type, body=encode(event, id, notify.clock.now()))
    await notify.bus.publish([message])
    await notify.row(event.code, "sent")
    await notify.bus.publish([message, message])
    await all_handled(notify, 1)
    assert len(notify.mailbox.mails) == 1


@pytest.mark.checklist("M03")
async def test_the_same_code_in_two_envelopes_is_one_message(notify: Running) -> None:
    """Told anew by somebody who replays an outbox: other ids around the same id of the message."""
    event = code_issued(notify.clock, "email")
    await notify.publish(event)
    await notify.publish(event)
    await notify.row(event.code, "sent")
    await notify.publish(event)
    await all_handled(notify, 3)
    assert len(notify.mailbox.mails) == 1
    assert [row["attempts"] for row in await notify.rows()] == [1]


@pytest.mark.checklist("M03")
async def test_two_processes_that_are_brought_the_same_event_at_once_send_one_message(surroundings: Running) -> None:
    await surroundings.start()
    await surroundings.start(Role.WORKER)
    events = [link_issued(surroundings.clock, staff=IDS.uuid(), to=f"jane{n}@acme.example") for n in range(40)]
    await asyncio.gather(*(surroundings.publish(event, times=3) for event in events))
    await all_handled(surroundings, 40)
    assert Counter(mail["X-RcptTo"] for mail in surroundings.mailbox.mails) == {
        f"jane{n}@acme.example": 1 for n in range(40)
    }


@pytest.mark.checklist("M03")
async def test_the_newest_link_arrives_whichever_event_came_first(surroundings: Running) -> None:
    """The older one, brought late and then again, neither arrives nor takes the newer one's place."""
    stop = await surroundings.start(Role.HTTP)
    clock = surroundings.clock
    older_at = clock.now()
    older = link_issued(clock, purpose=LinkPurpose.RESET)
    clock.advance(seconds=30)
    newer = link_issued(clock, purpose=LinkPurpose.RESET)
    await stop()
    await surroundings.start()
    surroundings.mailbox.hold = asyncio.Event()
    await surroundings.publish(newer)
    await surroundings.publish(older, times=2, at=older_at)
    assert (await surroundings.row(older.link, "expired"))["reason"] == "superseded"
    surroundings.mailbox.hold.set()
    await all_handled(surroundings, 2)
    assert [mail["Message-ID"] for mail in surroundings.mailbox.mails] == [
        f"<{TOKENS.name(newer.link)}@staffgate.example>"
    ]
