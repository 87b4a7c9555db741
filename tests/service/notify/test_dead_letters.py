"""After the last try a message is dead: it is listed with its reason, replayed once, or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio

from services.notify.delivery import deliveries
from services.notify.delivery.dead import DeadLetters
from services.notify.delivery.retention import Retention
from services.notify.store.dead import Among
from staffgate.contracts.caller import StaffType
from staffgate.contracts.envelope import decode, open_envelope
from staffgate.contracts.event import Event
from staffgate.contracts.identity import LinkIssued, LinkPurpose, NoticeKind
from staffgate.contracts.notify import MessageFailed, Reason
from tests.service.notify.conftest import (
    IDS,
    RAY,
    Running,
    code_issued,
    database_of,
    link_issued,
    notice_issued,
    until,
)
from tests.unit.notify.written import FACTS

REBELS, LAYA = IDS.uuid(), IDS.uuid()


@dataclass
class Office:
    """notify, as the console asks it."""

    notify: Running
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, token: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.request(method, self.notify.url + path, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def act(
        self, what: str, id: UUID, type: StaffType = StaffType.OWNER, *, fresh: bool = True
    ) -> tuple[int, str]:  # fmt: skip
        """The status, and the problem's type."""
        token = self.notify.token(RAY, type, fresh=fresh)
        status, said = await self.ask("POST", f"/v1/deliveries/{id}/{what}", token)
        return status, said["type"].rpartition(":")[2] if said else ""

    async def dead(self) -> list[dict[str, Any]]:
        _, said = await self.ask("GET", "/v1/deliveries?state=dead", self.notify.token(RAY, StaffType.OWNER))
        return said["deliveries"]  # type: ignore[no-any-return]

    async def link(self, **given: Any) -> LinkIssued:
        """One that is tried once, and then dead."""
        event = link_issued(self.notify.clock, **given)
        self.notify.mailbox.answers.setdefault("jane@acme.example", []).append("451 try later")
        await self.notify.publish(event)
        await self.notify.row(event.link, "dead")
        return event

    async def waits(self, event: Event, id: UUID) -> None:
        """For its second try."""
        deliveries.TRIES = 48  # the fixture puts it back
        self.notify.mailbox.answers["jane@acme.example"] = ["451 try later"]
        await self.notify.publish(event)
        await self.notify.tried(id)
        await self.notify.row(id, "queued")

    async def told(self) -> list[MessageFailed]:
        """Of failures, in their order."""
        rows = await self.notify.owner.fetch("SELECT body FROM outbox WHERE type = $1 ORDER BY id", MessageFailed.type)
        events = [decode(open_envelope(row["body"])) for row in rows]
        return [event for event in events if isinstance(event, MessageFailed)]


@pytest_asyncio.fixture
async def office(notify: Running, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(deliveries, "TRIES", 1)
    async with aiohttp.ClientSession() as session:
        yield Office(notify, session)


@pytest.mark.checklist("M07")
async def test_after_the_last_try_it_is_dead_with_its_reason_and_reported(office: Office) -> None:
    link = await office.link()
    (dead,) = await office.dead()
    assert (dead["id"], dead["state"], dead["reason"], dead["replayable"]) == (
        str(link.link), "dead", Reason.EXHAUSTED, True,
    )  # fmt: skip
    assert "451 try later" in dead["last_answer"]
    (event,) = await office.told()
    assert (event.message, event.reason, event.security, event.by) == (link.link, Reason.EXHAUSTED, True, None)


@pytest.mark.checklist("M07")
async def test_it_is_replayed_once(office: Office) -> None:
    link = await office.link()
    office.notify.mailbox.answers.clear()
    assert await office.act("replay", link.link) == (204, "")
    row = await office.notify.row(link.link, "sent")
    assert row["sealed"] is None
    (mail,) = office.notify.mailbox.mails
    assert str(link.link) in mail["Message-ID"], "the same id as before"
    assert await office.act("replay", link.link) == (409, "not_dead")
    assert len(office.notify.mailbox.mails) == 1


@pytest.mark.checklist("M07")
async def test_the_second_time_it_dies_it_stays_dead(office: Office) -> None:
    link = await office.link()
    office.notify.mailbox.answers["jane@acme.example"] = ["451 try later"] * 100
    assert await office.act("replay", link.link) == (204, "")
    await office.notify.owner.execute("UPDATE delivery SET last_attempt = attempts WHERE state <> 'dead'")

    async def again() -> bool:
        office.notify.clock.advance(minutes=11)
        row = await office.notify.row(link.link, "dead", "queued", "sending")
        return bool(row["state"] == "dead" and row["attempts"] > 1)

    await until(again)
    (dead,) = await office.dead()
    assert dead["replayable"] is False
    assert await office.act("replay", link.link) == (409, "already_replayed")
    assert [event.reason for event in await office.told()] == [Reason.EXHAUSTED] * 2


async def test_a_replay_has_as_many_tries_as_the_first_time(office: Office) -> None:
    link = await office.link()
    office.notify.mailbox.answers["jane@acme.example"] = ["451 try later"]
    await office.act("replay", link.link)
    await until(lambda: office.notify.mailbox.answers["jane@acme.example"] == [])
    row = await office.notify.row(link.link, "queued")
    assert (row["attempts"], row["last_attempt"]) == (2, 1 + 48)


async def test_past_its_deadline_nothing_is_replayed_and_nothing_of_it_is_kept(office: Office) -> None:
    link = await office.link(hours=1)
    office.notify.clock.advance(hours=1)
    assert await office.act("replay", link.link) == (409, "too_late")
    assert (await office.dead())[0]["replayable"] is False
    db = database_of(office.notify)
    async with db.opened():
        await Retention(db, keep_days=30).sweep()
    assert (await office.notify.row(link.link, "dead"))["sealed"] is None


async def test_a_link_that_a_newer_one_replaced_is_not_replayed(office: Office) -> None:
    old = await office.link()
    office.notify.clock.advance(seconds=1)
    office.notify.mailbox.answers.clear()
    new = link_issued(office.notify.clock)
    await office.notify.publish(new)
    await office.notify.row(new.link, "sent")
    assert await office.act("replay", old.link) == (409, "superseded")
    assert len(office.notify.mailbox.mails) == 1
    row = await office.notify.row(old.link, "dead")
    assert row["replayed_at"] is None


@pytest.mark.checklist("M07", "N10")
async def test_what_is_dropped_says_nothing_any_more(office: Office) -> None:
    link = await office.link()
    assert await office.act("drop", link.link) == (204, "")
    row = await office.notify.row(link.link, "dropped")
    assert (row["sealed"], row["reason"]) == (None, Reason.DROPPED)
    told = [(event.reason, event.by) for event in await office.told()]
    assert told == [(Reason.EXHAUSTED, None), (Reason.DROPPED, RAY)]
    assert await office.act("drop", link.link) == (409, "not_waiting")
    assert await office.act("replay", link.link) == (409, "not_dead")


async def test_what_still_waits_can_be_dropped_and_that_is_told_with_who_did(office: Office) -> None:
    link = link_issued(office.notify.clock)
    await office.waits(link, link.link)
    assert await office.act("drop", link.link) == (204, "")
    office.notify.clock.advance(minutes=30)
    (event,) = await office.told()
    assert (event.message, event.reason, event.security, event.by) == (link.link, Reason.DROPPED, True, RAY)
    assert office.notify.mailbox.mails == []


@pytest.mark.checklist("M12")
@pytest.mark.parametrize(
    ("kind", "dead"),
    [(NoticeKind.PASSWORD_CHANGED, False), (NoticeKind.FACTORS_RESET, True), (NoticeKind.UNDELIVERABLE, False)],
)
async def test_no_administrator_drops_what_warns_a_person(office: Office, kind: NoticeKind, dead: bool) -> None:
    """Jane's factors are taken off, and she is to hear of it whoever did it, with how fresh a factor ever."""
    notice = notice_issued(office.notify.clock, kind, facts=FACTS)
    await office.waits(notice, notice.notice)
    if dead:
        sql = "UPDATE delivery SET state = 'dead', reason = 'exhausted', finished_at = created_at WHERE id = $1"
        await office.notify.owner.execute(sql, notice.notice)
    before = await office.notify.rows()
    for type in (StaffType.OWNER, StaffType.ADMINISTRATOR):
        assert await office.act("drop", notice.notice, type) == (403, "warnings_stay")
    assert await office.notify.rows() == before
    assert await office.told() == []


@pytest.mark.checklist("M12")
async def test_to_drop_what_somebody_gets_in_with_takes_a_fresh_factor(office: Office) -> None:
    code = code_issued(office.notify.clock)
    office.notify.gateway.answers = [(503, {})]
    await office.notify.publish(code)
    await office.notify.tried(code.code)
    reset = link_issued(office.notify.clock, purpose=LinkPurpose.RESET)
    await office.waits(reset, reset.link)
    for id in (code.code, reset.link):
        await office.notify.row(id, "queued")
        assert await office.act("drop", id, fresh=False) == (401, "step_up_needed")
        await office.notify.row(id, "queued")
        assert await office.act("drop", id) == (204, "")


async def test_what_keeps_no_account_safe_is_dropped_without_one(office: Office) -> None:
    notice = notice_issued(office.notify.clock, NoticeKind.TEST)
    await office.waits(notice, notice.notice)
    assert await office.act("drop", notice.notice, fresh=False) == (204, "")


async def test_what_is_being_sent_is_not_dropped_under_the_senders_hands(office: Office) -> None:
    office.notify.mailbox.hold = asyncio.Event()
    link = link_issued(office.notify.clock)
    await office.notify.publish(link)
    await office.notify.row(link.link, "sending")
    assert await office.act("drop", link.link) == (409, "being_sent")
    office.notify.mailbox.hold.set()
    await office.notify.row(link.link, "sent")
    assert await office.act("drop", link.link) == (409, "not_waiting")


async def test_only_administrators_replay_and_drop(office: Office) -> None:
    link = await office.link()
    for what in ("replay", "drop"):
        assert await office.act(what, link.link, StaffType.STANDARD) == (403, "administrators_only")
        assert await office.act(what, IDS.uuid(), StaffType.ADMINISTRATOR) == (404, "not_found")
    assert (await office.notify.row(link.link, "dead"))["replayed_at"] is None
    office.notify.mailbox.answers.clear()
    assert await office.act("replay", link.link, StaffType.ADMINISTRATOR) == (204, "")


async def test_what_products_are_told_is_not_an_administrators_to_drop(office: Office) -> None:
    """Else whoever is suspended could keep it from them."""
    link = await office.link()
    await office.notify.owner.execute(
        "UPDATE delivery SET channel = 'webhook', provider = 'sms-inbox', staff = NULL WHERE id = $1", link.link
    )
    assert await office.act("drop", link.link) == (403, "operators_only")
    assert await office.act("replay", link.link) == (204, "")


# --- an operator, in every organisation -------------------------------------------------------------------------


async def test_after_a_providers_mistake_an_operator_replays_all_that_it_killed(office: Office) -> None:
    """Of both organisations, through the one provider, since then; what can't be replayed is left alone."""
    before = await office.link(staff=IDS.uuid())
    office.notify.clock.advance(minutes=5)
    since = office.notify.clock.now()
    killed = [await office.link(staff=IDS.uuid()), await office.link(org=REBELS, staff=LAYA)]
    overdue = await office.link(staff=IDS.uuid(), hours=0.5)
    office.notify.clock.advance(minutes=40)
    office.notify.mailbox.answers.clear()
    db = database_of(office.notify)
    async with db.opened():
        dead, among = DeadLetters(db), Among(provider="mail", since=since)
        assert {one.id for one in await dead.list(among)} == {*(link.link for link in killed), overdue.link}
        assert await dead.replay_all(Among(provider="sms", since=since)) == 0
        assert await dead.replay_all(among) == 2
        for link in killed:
            await office.notify.row(link.link, "sent")
        assert await dead.replay_all(among) == 0, "once"
        assert await dead.drop_all(Among(id=overdue.link)) == 1
        assert [one.id for one in await dead.list(Among())] == [before.link]


async def test_codes_never_die(office: Office) -> None:
    """Somebody waits: they are tried until they are too late, and then nobody wants them."""
    code = code_issued(office.notify.clock, minutes=10)
    office.notify.gateway.answers = [(503, {})] * 500
    await office.notify.publish(code)

    async def over() -> bool:
        office.notify.clock.advance(seconds=30)
        row = await office.notify.row(code.code, "queued", "sending", "expired", "dead")
        return bool(row["state"] == "expired")

    await until(over)
    assert await office.act("replay", code.code) == (409, "not_dead")


async def test_nothing_dead_says_where_it_was_to_go(office: Office) -> None:
    link = await office.link()
    _, said = await office.ask("GET", "/v1/deliveries", office.notify.token(RAY, StaffType.OWNER))
    assert "acme.example" not in str(said)
    assert str(link.link) in str(said)
