"""A new link kills the old one, so the old one need not arrive; and that whatever the order they come in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from services.notify.delivery.deliveries import queue_link
from shared.bus.envelope import Envelope, encode, open_envelope
from shared.service import Role
from staffgate.contracts.identity import LinkIssued, LinkPurpose
from tests.locks import until_held_up
from tests.service.notify.conftest import ACME, IDS, RAY, Running, code_issued, database_of, link_issued, until
from tests.unit.notify.reports.samples import TOKENS


async def test_of_links_that_wait_only_the_newest_is_sent(notify: Running) -> None:
    notify.mailbox.answers["jane@acme.example"] = ["451 later"]
    old = link_issued(notify.clock)
    await notify.publish(old)
    await until(lambda: notify.mailbox.tried)
    await notify.row(old.link, "queued")
    notify.clock.advance(milliseconds=1)
    new = link_issued(notify.clock)
    await notify.publish(new)
    await notify.row(new.link, "sent")
    row = await notify.row(old.link, "expired")
    assert (row["last_answer"], row["sealed"]) == ("superseded", None)
    notify.clock.advance(minutes=1)
    other = link_issued(notify.clock, staff=RAY)
    await notify.publish(other)
    await notify.row(other.link, "sent")
    assert [mail["Message-ID"] for mail in notify.mailbox.mails] == [
        f"<{TOKENS.name(event.link)}@staffgate.example>" for event in (new, other)
    ]


async def test_an_older_link_that_comes_later_is_not_sent(notify: Running) -> None:
    old, at = link_issued(notify.clock), notify.clock.now()
    notify.clock.advance(seconds=1)
    new = link_issued(notify.clock)
    await notify.publish(new)
    await notify.row(new.link, "sent")
    await notify.publish(old, at=at)
    assert (await notify.row(old.link, "expired"))["last_answer"] == "superseded"
    assert len(notify.mailbox.mails) == 1


async def test_many_at_once_leave_one(surroundings: Running) -> None:
    """Handled side by side, in any order, and by two processes."""
    events = [link_issued(surroundings.clock) for _ in range(20)]
    await surroundings.start(Role.HTTP)  # only to have the tables
    start = surroundings.clock.now()
    await asyncio.gather(
        *(
            surroundings.publish(event, at=start + timedelta(milliseconds=number))
            for number, event in reversed(list(enumerate(events)))
        )
    )
    surroundings.mailbox.hold = asyncio.Event()
    await surroundings.start(Role.WORKER)

    async def all_there() -> bool:
        return len(await surroundings.rows()) == 20

    await until(all_there)
    surroundings.mailbox.hold.set()
    await surroundings.row(events[-1].link, "sent")

    async def over() -> bool:
        return all(row["finished_at"] for row in await surroundings.rows())

    await until(over)
    newest = [row["id"] for row in await surroundings.rows() if not row["superseded"]]
    assert newest == [events[-1].link]


async def test_two_at_once_see_each_other(surroundings: Running) -> None:
    """The second waits for the first to be committed: else neither would see the other, and both would be sent."""
    await surroundings.start(Role.HTTP)
    old = link_issued(surroundings.clock)
    surroundings.clock.advance(seconds=1)
    new = link_issued(surroundings.clock)
    db = database_of(surroundings)

    async def queue(event: LinkIssued) -> None:
        async with db.begin(ACME) as tx:
            await queue_link(tx, event, envelope(event))

    async with db.opened():
        async with db.begin(ACME) as first:
            await queue_link(first, new, envelope(new))
            second = asyncio.create_task(queue(old), name="second")
            await until_held_up(surroundings.owner, unless=second.done)
        await second
    assert {row["id"]: row["state"] for row in await surroundings.rows()} == {old.link: "expired", new.link: "queued"}


def envelope(event: LinkIssued) -> Envelope:
    """The old link's is older, whenever it is handled."""
    return open_envelope(encode(event, IDS.uuid(), event.expires_at - timedelta(days=1)))


async def test_one_that_is_being_sent_is_not_tried_again(notify: Running) -> None:
    notify.mailbox.hold = asyncio.Event()
    old = link_issued(notify.clock)
    await notify.publish(old)
    await until(lambda: notify.mailbox.tried)
    notify.clock.advance(milliseconds=1)
    new = link_issued(notify.clock)
    await notify.publish(new)

    async def marked() -> bool:
        row = await notify.row(old.link, "sending")
        return bool(row["superseded"]) and row["sealed"] is not None

    await until(marked)
    notify.mailbox.refuse_data = "451 try later"
    notify.mailbox.hold.set()
    assert (await notify.row(old.link, "expired"))["last_answer"] == "superseded"
    notify.mailbox.refuse_data = ""
    notify.clock.advance(seconds=2)
    await notify.row(new.link, "sent")
    assert len(notify.mailbox.mails) == 1


async def test_other_purposes_people_and_codes_are_left_alone(notify: Running) -> None:
    events = [
        link_issued(notify.clock),
        link_issued(notify.clock, purpose=LinkPurpose.CONFIRM),
        link_issued(notify.clock, staff=RAY),
        link_issued(notify.clock, org=IDS.uuid()),
    ]
    codes = [code_issued(notify.clock), code_issued(notify.clock)]
    for event in [*events, *codes]:
        await notify.publish(event)
    for id in [*(event.link for event in events), *(code.code for code in codes)]:
        await notify.row(id, "sent")
    assert len(notify.mailbox.mails) == 4
    assert len(notify.gateway.sent) == 2
