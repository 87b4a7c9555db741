"""Events posted to products that hear no bus."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import asyncpg
import msgspec
import pytest

from services.notify.app import build
from shared.bus.memory import MemoryBus
from shared.bus.topology import NOTIFY_WEBHOOKS
from shared.service import Role
from staffgate.contracts import identity
from staffgate.contracts.caller import StaffType
from staffgate.contracts.envelope import decode
from staffgate.contracts.identity import StaffDeleted, StaffState, StaffStatus, StaffSuspended
from staffgate.contracts.level import Level
from staffgate.contracts.notify import MessageFailed, Reason
from tests.service.notify.conftest import ACME, JANE, RAY, Running, link_issued, until
from tests.service.notify.endpoints import Product, posting, product


def state(version: int = 3, status: StaffStatus = StaffStatus.SUSPENDED) -> StaffState:
    return StaffState(
        staff=JANE,
        type=StaffType.STANDARD,
        status=status,
        default_level=Level.READ,
        route_anywhere=False,
        version=version,
    )


def suspended(version: int = 3) -> StaffSuspended:
    return StaffSuspended(org=ACME, state=state(version), handover_to=RAY)


async def webhooks(notify: Running, *states: str) -> list[asyncpg.Record]:
    return await notify.owner.fetch(
        "SELECT * FROM delivery WHERE channel = 'webhook' AND state = ANY($1) ORDER BY created_at, id", states
    )


async def test_an_event_is_posted_whole_and_signed_to_those_that_want_it(surroundings: Running) -> None:
    notify, event = surroundings, suspended()
    async with product(notify, "sms-inbox") as inbox, product(notify, "live-chat") as chat:
        notify.settings = posting(notify.settings, inbox, events=(StaffSuspended.type,))
        more = json.loads(posting(notify.settings, chat, events=(StaffDeleted.type,)).webhooks)
        both = json.dumps(json.loads(notify.settings.webhooks) + more)
        notify.settings = msgspec.structs.replace(notify.settings, webhooks=both)
        await notify.start()
        await notify.publish(event)
        (row,) = await until(lambda: webhooks(notify, "sent"))
        ((id, envelope),) = inbox.posts
        assert decode(envelope) == event
        assert (envelope.org, envelope.sequence, id) == (ACME, 3, str(row["id"]))
        assert (row["provider"], row["template"], row["staff"], row["last_answer"]) == (
            "sms-inbox", StaffSuspended.type, None, "204",
        )  # fmt: skip
        await notify.publish(StaffDeleted(org=ACME, state=state(4)))
        await until(lambda: chat.posts)
        assert (chat.heard, inbox.heard) == ([StaffDeleted.type], [StaffSuspended.type])


@pytest.mark.checklist("M03", "N10")
async def test_the_same_event_three_times_is_one_post_and_nothing_of_it_rests_in_clear(surroundings: Running) -> None:
    notify = surroundings
    async with product(notify, "sms-inbox") as inbox:
        notify.settings = posting(notify.settings, inbox)
        inbox.hold = asyncio.Event()
        await notify.start()
        await notify.publish(suspended(), times=3)
        (row,) = await until(lambda: webhooks(notify, "sending"))
        assert str(RAY) not in str(dict(row)), "what it says is sealed"
        inbox.hold.set()
        (row,) = await until(lambda: webhooks(notify, "sent"))
        assert row["sealed"] is None
        # By way of another queue delivery or another process: the delivery's id is of the endpoint and the event.
        await notify.owner.execute("DELETE FROM inbox")
        after = suspended(version=4)
        await notify.publish(after)
        await until(lambda: len(inbox.posts) == 2)
        assert [decode(envelope) for _, envelope in inbox.posts] == [suspended(), after]


async def test_the_same_event_by_another_way_makes_no_second_delivery(surroundings: Running) -> None:
    notify, bodies = surroundings, []
    async with product(notify, "sms-inbox") as inbox:
        notify.settings = posting(notify.settings, inbox)
        await notify.start()
        publish = notify.bus.publish

        async def keeping(messages):  # type: ignore[no-untyped-def]
            bodies.extend(messages)
            return await publish(messages)

        notify.bus.publish = keeping  # type: ignore[method-assign]
        await notify.publish(suspended())
        await until(lambda: webhooks(notify, "sent"))
        await notify.owner.execute("DELETE FROM inbox")
        await publish(bodies)

        async def seen_again() -> bool:
            return bool(await notify.owner.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'notify.webhooks'"))

        await until(seen_again)
        assert len(inbox.posts) == len(await webhooks(notify, "sent", "queued", "sending")) == 1


def _posted(inbox: Product, times: int) -> bool:
    return len(inbox.posts) == times


@pytest.mark.checklist("M06")
async def test_what_was_not_taken_is_posted_again_under_the_same_id_and_a_new_signature(surroundings: Running) -> None:
    notify = surroundings
    async with product(notify, "sms-inbox", 500, 422) as inbox:
        notify.settings = posting(notify.settings, inbox)
        await notify.start()
        await notify.publish(suspended())
        for tries in (1, 2):
            await until(partial(_posted, inbox, tries))
            await until(lambda: webhooks(notify, "queued"))
            notify.clock.advance(minutes=10)  # older than a signature may be: each attempt is signed anew
        (row,) = await until(lambda: webhooks(notify, "sent"))
        assert {id for id, _ in inbox.posts} == {str(row["id"])}
        assert (len(inbox.posts), row["attempts"]) == (3, 3)


async def test_who_says_that_it_is_gone_is_not_asked_again(surroundings: Running) -> None:
    notify = surroundings
    async with product(notify, "sms-inbox", 410) as inbox:
        notify.settings = posting(notify.settings, inbox)
        await notify.start()
        await notify.publish(suspended())
        (row,) = await until(lambda: webhooks(notify, "failed"))
        assert (row["reason"], row["last_answer"], len(inbox.posts)) == (Reason.REJECTED, "410", 1)


@pytest.mark.checklist("M08")
async def test_an_endpoint_that_hangs_holds_up_nobody(surroundings: Running) -> None:
    """A hundred events wait for one that never answers; the other gets all of them, and Jane her mail."""
    notify = surroundings
    async with product(notify, "hanging") as hanging, product(notify, "sms-inbox") as inbox:
        notify.settings = posting(notify.settings, hanging, inbox)
        hanging.hold = asyncio.Event()
        await notify.start()
        for version in range(100):
            await notify.publish(suspended(version))
        await until(lambda: len(inbox.posts) == 100)
        link = link_issued(notify.clock)
        await notify.publish(link)
        await notify.row(link.link, "sent")
        assert {row["provider"] for row in await webhooks(notify, "queued", "sending")} == {"hanging"}
        assert len(inbox.posts) == 100


async def test_an_endpoint_is_never_posted_what_is_anothers(surroundings: Running) -> None:
    """One is taken out of the settings while something waits for it: nobody else gets it, and it ends in three days."""
    notify = surroundings
    async with product(notify, "gone", *[500] * 9) as gone, product(notify, "sms-inbox") as inbox:
        notify.settings = posting(notify.settings, gone)
        stop = await notify.start()
        await notify.publish(suspended())
        await until(lambda: webhooks(notify, "queued") if gone.posts else None)
        await stop()
        notify.settings, notify.bus = posting(notify.settings, inbox), MemoryBus()
        notify.clock.advance(days=2)
        stop = await notify.start()
        await notify.publish(suspended(4))
        await until(lambda: webhooks(notify, "sent"))
        assert [row["provider"] for row in await webhooks(notify, "queued")] == ["gone"]
        await stop()
        notify.settings, notify.bus = msgspec.structs.replace(notify.settings, webhooks=""), MemoryBus()
        notify.clock.advance(days=2)
        await notify.start()
        (row,) = await until(lambda: webhooks(notify, "expired"))
        assert (row["reason"], len(inbox.posts), len(gone.posts)) == ("too_late", 1, 1)


async def test_what_becomes_of_messages_is_posted_and_nothing_of_posts(surroundings: Running) -> None:
    """Jane's mail can't be sent, and the product hears of it; what the product answers is told to nobody."""
    notify = surroundings
    async with product(notify, "sms-inbox", 410) as inbox:
        notify.settings = posting(notify.settings, inbox)
        notify.mailbox.answers["jane@acme.example"] = ["550 no such person"]
        await notify.start()
        link = link_issued(notify.clock)
        await notify.publish(link)
        (row,) = await until(lambda: webhooks(notify, "failed"))
        event = decode(inbox.posts[0][1])
        assert isinstance(event, MessageFailed)
        assert (event.message, event.reason) == (link.link, Reason.REJECTED)
        told = await notify.owner.fetch("SELECT type FROM outbox")
        assert [one["type"] for one in told] == [MessageFailed.type], "of the mail, and not of the post"
        assert row["staff"] is None


async def test_without_endpoints_events_leave_nothing_behind(notify: Running) -> None:
    await notify.publish(suspended())

    async def seen() -> bool:
        return bool(await notify.owner.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'notify.webhooks'"))

    await until(seen)
    assert await notify.rows() == []


@pytest.mark.parametrize(
    "webhooks", ["nonsense", '[{"name": "mail", "url": "https://a.example", "secrets": ["x"], "events": ["*"]}]']
)
async def test_bad_endpoints_are_said_when_it_starts(surroundings: Running, webhooks: str) -> None:
    settings = msgspec.structs.replace(surroundings.settings, webhooks=webhooks)
    with pytest.raises(ValueError, match=r"."):
        build(settings, surroundings.bus, Role.ALL)


def test_products_hear_of_every_change_to_staff() -> None:
    """What they have to act upon: who comes, goes, and may be given work."""
    staff = {kind.type for kind in identity.StaffEvent.__subclasses__()}
    assert staff <= set(NOTIFY_WEBHOOKS.types)
    assert identity.AvailabilityChanged.type in NOTIFY_WEBHOOKS.types
