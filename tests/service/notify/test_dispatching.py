"""Several dispatchers, and what happens when one dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.notify.delivery import dispatcher
from services.notify.limit.admission import Admission, Verdict
from services.notify.store import deliveries as store
from shared import log as logging
from shared.db import Tx
from shared.errors import Unavailable
from shared.service import Role
from staffgate.contracts.notify import DeliveryState
from tests.service.notify.conftest import IDS, Running, code_issued, database_of, link_issued, until
from tests.unit.notify.reports.samples import TOKENS


async def test_a_message_that_was_claimed_by_one_who_died_is_taken_over(surroundings: Running) -> None:
    """Dead between the claim and the sending: nothing has left, and it does when the lease has run out."""
    stop = await surroundings.start(Role.HTTP)
    event = link_issued(surroundings.clock)
    await queued_by_hand(surroundings, event.link)
    await surroundings.owner.execute("UPDATE delivery SET sealed = $1", event.sealed)
    now = surroundings.clock.now()
    await surroundings.owner.execute(
        "UPDATE delivery SET state = 'sending', attempts = 1, next_attempt_at = $1", now + timedelta(seconds=30)
    )
    await stop()
    await surroundings.start()
    other = link_issued(surroundings.clock, staff=IDS.uuid())
    await surroundings.publish(other)
    await surroundings.row(other.link, "sent")
    assert not [mail for mail in surroundings.mailbox.mails if str(event.link) in mail["Message-ID"]]
    surroundings.clock.advance(seconds=30)
    assert (await surroundings.row(event.link, "sent"))["attempts"] == 2
    assert len(surroundings.mailbox.mails) == 2


async def queued_by_hand(notify: Running, id: object) -> None:
    now = notify.clock.now()
    await notify.owner.execute(
        "INSERT INTO delivery (org, id, staff, channel, template, priority, state, sealed, next_attempt_at, issued_at,"
        " created_at, deadline, traceparent)"
        " VALUES ($1, $2, $1, 'email', 'activate', 10, 'queued', '', $3, $3, $3, $4, '')",
        IDS.uuid(), id, now, now + timedelta(hours=1),
    )  # fmt: skip


async def test_one_who_dies_before_the_answer_is_recorded_doubles_with_the_same_message_id(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one window that can't be closed: the server has it, and nobody wrote that down."""
    finish, died = store.finish_anywhere, asyncio.Event()

    async def die(*_arguments: object) -> bool:
        died.set()
        raise asyncio.CancelledError

    monkeypatch.setattr(store, "finish_anywhere", die)
    stop = await surroundings.start()
    event = link_issued(surroundings.clock)
    await surroundings.publish(event)
    await until(died.is_set)
    await stop()
    monkeypatch.setattr(store, "finish_anywhere", finish)
    row = await surroundings.row(event.link, "sending")
    assert row["attempts"] == 1
    surroundings.clock.advance(seconds=31)
    await surroundings.start(Role.WORKER)
    assert (await surroundings.row(event.link, "sent"))["attempts"] == 2
    first, second = surroundings.mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{TOKENS.name(event.link)}@staffgate.example>"


async def test_one_who_was_overtaken_writes_nothing_over(notify: Running) -> None:
    """It hung until its lease ran out; what the other one recorded stands."""
    notify.mailbox.hold = asyncio.Event()
    event = link_issued(notify.clock)
    await notify.publish(event)
    await until(lambda: notify.mailbox.tried)
    await notify.owner.execute(
        "UPDATE delivery SET attempts = 2, state = 'failed', sealed = NULL, reason = 'rejected', finished_at = now(),"
        " last_answer = 'by another'"
    )
    notify.mailbox.hold.set()
    await until(lambda: notify.mailbox.mails)
    after = link_issued(notify.clock, staff=IDS.uuid())
    await notify.publish(after)
    await notify.row(after.link, "sent")
    row = await notify.row(event.link, "failed")
    assert row["last_answer"] == "by another"


@pytest.mark.checklist("M04")
async def test_one_who_was_overtaken_before_it_asked_asks_nobody(
    notify: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, composed, go_on = Admission.judge, asyncio.Event(), asyncio.Event()

    async def hang(*arguments: Any) -> Verdict:
        composed.set()
        await go_on.wait()
        return await judge(*arguments)

    monkeypatch.setattr(Admission, "judge", hang)
    event = link_issued(notify.clock)
    await notify.publish(event)
    await composed.wait()
    until_then = notify.clock.now() + timedelta(seconds=30)
    await notify.owner.execute("UPDATE delivery SET attempts = 2, next_attempt_at = $1", until_then)
    go_on.set()
    monkeypatch.undo()
    after = link_issued(notify.clock, staff=IDS.uuid())
    await notify.publish(after)
    await notify.row(after.link, "sent")
    assert [mail["Message-ID"] for mail in notify.mailbox.mails] == [f"<{TOKENS.name(after.link)}@staffgate.example>"]
    row = await notify.row(event.link, "sending")
    assert (row["attempts"], row["provider"]) == (2, None)


async def test_two_processes_send_each_of_200_once(surroundings: Running) -> None:
    await surroundings.start(Role.HTTP)
    events = [link_issued(surroundings.clock, staff=IDS.uuid(), to=f"jane{n}@acme.example") for n in range(200)]
    for event in events:
        await surroundings.publish(event)
    await surroundings.start(Role.WORKER)
    await surroundings.start(Role.WORKER)

    async def over() -> bool:
        query = "SELECT count(*) FROM delivery WHERE state = 'sent'"
        return int(await surroundings.owner.fetchval(query)) == 200

    await until(over, 30)
    received = Counter(mail["X-RcptTo"] for mail in surroundings.mailbox.mails)
    assert received == {f"jane{n}@acme.example": 1 for n in range(200)}
    assert {row["attempts"] for row in await surroundings.rows()} == {1}


async def test_both_of_two_processes_claim_but_never_the_same(surroundings: Running) -> None:
    stop = await surroundings.start(Role.HTTP)
    await stop()
    for _ in range(50):
        await queued_by_hand(surroundings, IDS.uuid())
    await surroundings.owner.execute("UPDATE delivery SET sealed = 'x'")
    db = database_of(surroundings)
    async with db.opened(), db.begin_anywhere() as one, db.begin_anywhere() as two:
        ours, theirs = await claim(one, 30), await claim(two, 30)
    assert (len(ours), len(theirs)) == (30, 20)
    assert not {row.id for row in ours} & {row.id for row in theirs}


async def claim(tx: Tx, count: int) -> list[store.Claim]:
    now = tx.database.clock.now()
    return await store.claim_anywhere(
        tx, store.Lane(channel="email", first=0, last=99), now, now + timedelta(seconds=30), count
    )


async def test_the_most_urgent_is_claimed_first_and_what_is_over_never(surroundings: Running) -> None:
    stop = await surroundings.start(Role.HTTP)
    await stop()
    late, superseded, link, code = (IDS.uuid() for _ in range(4))
    for id in (late, superseded, link, code):
        await queued_by_hand(surroundings, id)
        surroundings.clock.advance(seconds=1)
    now = surroundings.clock.now()
    await surroundings.owner.execute("UPDATE delivery SET priority = 0 WHERE id = $1", code)
    await surroundings.owner.execute("UPDATE delivery SET deadline = $2 WHERE id = $1", late, now)
    await surroundings.owner.execute("UPDATE delivery SET superseded = true WHERE id = $1", superseded)
    db = database_of(surroundings)
    async with db.opened(), db.begin_anywhere() as tx:
        first = await claim(tx, 1)
        rest = await claim(tx, 10)
    assert [row.id for row in [*first, *rest]] == [code, link]


@pytest.mark.checklist("M08")
async def test_what_a_provider_that_is_not_asked_may_have_is_not_touched(surroundings: Running) -> None:
    stop = await surroundings.start(Role.HTTP)
    await stop()
    unsure, waiting = IDS.uuid(), IDS.uuid()
    for id in (unsure, waiting):
        await queued_by_hand(surroundings, id)
    await surroundings.owner.execute("UPDATE delivery SET provider = 'one', unsure = (id = $1), sealed = 'x'", unsure)
    lane, now = store.Lane(channel="email", first=0, last=99), surroundings.clock.now()
    db = database_of(surroundings)
    async with db.opened(), db.begin_anywhere() as tx:
        later = now + timedelta(seconds=30)
        claims = await store.claim_anywhere(tx, lane, now, later, 10, ["one"])
        assert [claim.id for claim in claims] == [waiting]
        assert await store.next_due_anywhere(tx, lane, ["one"]) == later, "nor is it what is waited for"
        assert [claim.id for claim in await store.claim_anywhere(tx, lane, now, later, 10, ["two"])] == [unsure]


async def test_nobody_waits_for_the_poll(surroundings: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed here is sent at once, and as soon as one is done the next one goes."""
    monkeypatch.setattr(dispatcher, "_POLL", 3600.0)
    stop = await surroundings.start()
    events = [link_issued(surroundings.clock, staff=IDS.uuid()) for _ in range(40)]
    surroundings.mailbox.hold = asyncio.Event()
    for event in events:
        await surroundings.publish(event)
    await until(lambda: len(surroundings.mailbox.tried) == dispatcher._SLOTS)
    surroundings.mailbox.hold.set()
    await until(lambda: len(surroundings.mailbox.mails) == 40)
    await stop()


async def test_an_answer_is_written_down_when_the_database_is_back(
    notify: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = store.finish_anywhere
    refused: list[object] = []

    async def away_at_first(*arguments: Any) -> bool:
        if len(refused) < 2:
            refused.append(arguments)
            raise Unavailable("database_away", "away")
        return await finish(*arguments)

    monkeypatch.setattr(store, "finish_anywhere", away_at_first)
    event = link_issued(notify.clock)
    await notify.publish(event)
    assert (await notify.row(event.link, "sent"))["attempts"] == 1
    assert len(refused) == 2
    assert len(notify.mailbox.mails) == 1


async def test_one_channel_that_hangs_does_not_hold_up_the_other(notify: Running) -> None:
    notify.mailbox.hold = asyncio.Event()
    for _ in range(20):
        await notify.publish(link_issued(notify.clock, staff=IDS.uuid()))
    await until(lambda: len(notify.mailbox.tried) == dispatcher._SLOTS)
    code = code_issued(notify.clock)
    await notify.publish(code)
    await notify.row(code.code, "sent")
    notify.mailbox.hold.set()
    await until(lambda: len(notify.mailbox.mails) == 20)


async def test_what_can_not_be_finished_when_it_stops_is_left_to_its_lease(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_GRACE", 0.1)
    stop = await surroundings.start()
    surroundings.mailbox.hold = asyncio.Event()
    event = link_issued(surroundings.clock)
    await surroundings.publish(event)
    await until(lambda: surroundings.mailbox.tried)
    await stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("delivery ")]
    row = await surroundings.row(event.link, "sending")
    assert (row["unsure"], row["provider"]) == (True, "mail")
    surroundings.mailbox.hold.set()


async def test_one_that_was_superseded_while_it_was_composed_is_not_sent(
    notify: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Admission.judge

    async def superseded_just_now(*arguments: Any) -> Verdict:
        elsewhere = await asyncpg.connect(notify.settings.migration_url)
        await elsewhere.execute("UPDATE delivery SET superseded = true")
        await elsewhere.close()
        return await judge(*arguments)

    monkeypatch.setattr(Admission, "judge", superseded_just_now)
    event = link_issued(notify.clock)
    await notify.publish(event)
    notify.clock.advance(seconds=2)
    assert (await notify.row(event.link, "expired"))["reason"] == "superseded"
    assert not notify.mailbox.mails


async def test_what_a_provider_told_before_we_had_written_it_down_stands(
    notify: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A receipt may overtake the answer; what the provider calls the message is noted all the same."""
    finish = store.finish_anywhere

    async def told_just_now(tx: Tx, *arguments: Any) -> bool:
        await tx.run(
            "UPDATE delivery SET state = 'delivered', sealed = NULL, finished_at = now(), settled_at = now(),"
            " last_answer = 'told'"
        )
        return await finish(tx, *arguments)

    monkeypatch.setattr(store, "finish_anywhere", told_just_now)
    event = code_issued(notify.clock)
    await notify.publish(event)
    row = await until(lambda: notify.owner.fetchrow("SELECT * FROM delivery WHERE reference IS NOT NULL"))
    assert (row["state"], row["last_answer"], row["reference"], row["segments"]) == ("delivered", "told", "SM1", 1)
    await until(lambda: "delivery.sent" in capsys.readouterr().out)


async def test_a_database_that_goes_away_kills_nobody(notify: Running, postgres: str) -> None:
    """Every connection cut, again and again, while messages come and go."""
    admin, name = await asyncpg.connect(postgres), await notify.owner.fetchval("SELECT current_database()")
    events = [link_issued(notify.clock, staff=IDS.uuid()) for _ in range(60)]
    for first in range(0, 60, 10):
        before = len(notify.mailbox.mails)
        for event in events[first : first + 10]:
            await notify.publish(event)
        await notify.mailbox.more_than(before)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'notify'", name
        )
    await admin.close()

    async def recorded() -> bool:
        notify.clock.advance(seconds=1)  # a claim whose commit was cut off runs out like any other
        states = [row["state"] for row in await notify.rows()]
        return len(states) == 60 and set(states) == {"sent"}

    await until(recorded, 30)
    received_ids = {mail["Message-ID"] for mail in notify.mailbox.mails}
    assert received_ids == {f"<{TOKENS.name(event.link)}@staffgate.example>" for event in events}


async def test_a_seal_that_does_not_open_is_reported_and_nobody_else_suffers(notify: Running) -> None:
    """It may be our key that is wrong: nothing is thrown away before its time."""
    strange = link_issued(notify.clock, seal_for=IDS.uuid())
    good = link_issued(notify.clock, staff=IDS.uuid())
    await notify.publish(strange)
    await notify.publish(good)
    await notify.row(good.link, "sent")
    row = await notify.tried(strange.link)
    assert (row["state"], row["last_answer"]) == ("queued", "the seal was made for something else")
    notify.clock.advance(hours=24)
    assert (await notify.row(strange.link, "expired"))["sealed"] is None


async def test_faults_of_ours_tell_no_secret(
    notify: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.configure("notify", "debug")

    def broken(*_arguments: object) -> None:
        raise RuntimeError("jane@acme.example 82461937")

    monkeypatch.setattr("services.notify.content.contents.Contents.link", broken)
    event = link_issued(notify.clock)
    await notify.publish(event)
    row = await until(
        lambda: notify.owner.fetchrow("SELECT * FROM delivery WHERE attempts = 1 AND state = $1", DeliveryState.QUEUED)
    )
    assert row["last_answer"] == "our fault: RuntimeError"
    logged = capsys.readouterr().out
    assert "delivery.fault" in logged
    assert "jane@" not in logged
    monkeypatch.undo()
    notify.clock.advance(seconds=2)
    await notify.row(event.link, "sent")


async def test_all_lanes_stop_taking_before_any_is_waited_for() -> None:
    """One after the other, what one has under way would hold up the stop while the others went on taking."""
    done: list[str] = []

    class Lane:
        def start(self) -> None:
            done.append("start")

        def stop(self) -> None:
            done.append("stop")

        async def stopped(self) -> None:
            done.append("stopped")

    lanes: list[Any] = [Lane(), Lane()]
    async with dispatcher.running(lanes):
        pass
    assert done == ["start"] * 2 + ["stop"] * 2 + ["stopped"] * 2
