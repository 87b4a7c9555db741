"""Addresses that nothing is sent to: put there by what comes back or by an administrator, asked when a message is sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import LinkPurpose, NoticeKind
from tests.service.notify.conftest import ACME, IDS, JANE, RAY, Running, code_issued, link_issued, notice_issued, until
from tests.service.notify.telling import events, says, suppressions, telling, twilio_says
from tests.unit.notify.written import FACTS

__all__ = ["telling"]

REBELS, LAYA = IDS.uuid(), IDS.uuid()
DEAD = "Jane.Doe@Acme.example"


async def ask(notify: Running, method: str, path: str, *, token: str = "", **body: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token or notify.token(RAY, StaffType.OWNER, fresh=True)}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{notify.url}{path}", headers=headers, json=body or None) as response,
    ):
        said = await response.read()
        return response.status, json.loads(said) if said else None


async def listed(notify: Running, query: str = "", token: str = "") -> list[Any]:
    status, said = await ask(notify, "GET", f"/v1/suppressions{query}", token=token)
    assert status == 200, said
    return list(said["suppressions"])


async def ready(notify: Running) -> None:
    """Whoever asks is let in once notify knows whose sessions have ended."""

    async def asked() -> bool:
        return (await ask(notify, "GET", "/v1/suppressions"))[0] == 200

    await until(asked)


async def send(notify: Running, state: str, *, to: str = DEAD, org: UUID = ACME, **more: Any) -> UUID:
    event = link_issued(notify.clock, to=to, org=org, **more)
    await notify.publish(event)
    await notify.row(event.link, state)
    return event.link


async def bounce(notify: Running, *, permanent: bool = False, to: str = DEAD) -> None:
    assert await says(notify, "bounced", await send(notify, "sent", to=to), permanent=permanent) == 204


async def told_of_the_list(notify: Running) -> list[tuple[str | None, str, bool, str | None]]:
    """Who changed what, with which reason, and of whom."""
    rows = await notify.owner.fetch("SELECT body FROM outbox WHERE type = 'notify.suppression.changed.v1' ORDER BY id")
    told = [json.loads(row["body"])["data"] for row in rows]
    return [(one.get("by"), one["reason"], one.get("removed", False), one.get("staff")) for one in told]


# --- how an address gets there ----------------------------------------------------------------------------------


@pytest.mark.checklist("M11")
@pytest.mark.parametrize("word", ["bounced", "complained"])
async def test_a_hard_bounce_and_a_complaint_suppress_at_once(telling: Running, word: str) -> None:
    first = await send(telling, "sent")
    assert await says(telling, word, first, permanent=word == "bounced") == 204
    (row,) = await suppressions(telling)
    assert (row["org"], row["channel"], row["reason"], row["staff"]) == (ACME, "email", word, JANE)
    before = len(telling.mailbox.mails)
    second = await send(telling, "failed", to="jane.doe@ACME.example")
    assert len(telling.mailbox.mails) == before
    ((type, told),) = await events(telling, second)
    assert (type, told["reason"], told["security"]) == ("failed", "suppressed", True)


@pytest.mark.checklist("M11")
async def test_it_is_asked_when_a_message_is_sent_and_not_when_it_was_queued(telling: Running) -> None:
    """The address dies while the message waits for its next try."""
    telling.mailbox.answers[DEAD] = ["451 4.7.1 come again"]
    waiting = link_issued(telling.clock, to=DEAD, purpose=LinkPurpose.RESET)
    await telling.publish(waiting)
    await telling.tried(waiting.link)
    await bounce(telling, permanent=True)
    telling.clock.advance(minutes=5)
    row = await telling.row(waiting.link, "failed")
    assert (row["reason"], row["attempts"]) == ("suppressed", 2)


@pytest.mark.checklist("M11")
async def test_what_a_server_refuses_at_once_as_nobodys_is_not_tried_with_the_next_message(telling: Running) -> None:
    """Not every dead address comes back as a bounce: some servers know theirs."""
    telling.mailbox.answers[DEAD] = ["550 5.7.1 not from you", "550 5.1.1 no such mailbox"]
    assert await suppressions(telling) == []
    await send(telling, "failed")
    assert await suppressions(telling) == [], "that says nothing of the address"
    await send(telling, "failed")
    (row,) = await suppressions(telling)
    assert (row["reason"], row["staff"]) == ("bounced", JANE)
    third = await send(telling, "failed")
    assert [data["reason"] for _, data in await events(telling, third)] == ["suppressed"]
    assert telling.mailbox.tried.count(DEAD) == 2


async def test_a_gateway_may_know_it_at_once_too(telling: Running) -> None:
    telling.gateway.answers = [(400, {"code": 21610, "message": "opted out"})]
    for reason in ("rejected", "suppressed"):
        code = code_issued(telling.clock, to="+61 491 570 006")
        await telling.publish(code)
        assert (await telling.row(code.code, "failed"))["reason"] == reason


async def test_an_address_is_suppressed_by_itself(telling: Running) -> None:
    """Not the person, not what looks like it, and not for another organisation."""
    await bounce(telling, permanent=True)
    for to in ("jane.doe+x@acme.example", "janedoe@acme.example", "jane.doe@rebels.example"):
        await send(telling, "sent", to=to)
    await send(telling, "sent", org=REBELS)
    await send(telling, "failed", to="JANE.DOE@acme.EXAMPLE", purpose=LinkPurpose.RESET)
    code = code_issued(telling.clock, "email", to=DEAD)
    await telling.publish(code)
    assert (await telling.row(code.code, "failed"))["reason"] == "suppressed"


async def test_a_number_is_the_same_number_however_it_is_written(telling: Running) -> None:
    code = code_issued(telling.clock, to="+61 491 570 006")
    await telling.publish(code)
    await telling.row(code.code, "sent")
    assert await twilio_says(telling, code.code, MessageStatus="undelivered", ErrorCode="30005") == 204
    again = code_issued(telling.clock, to="+61-491-570 (006)")
    await telling.publish(again)
    assert (await telling.row(again.code, "failed"))["reason"] == "suppressed"
    assert (await suppressions(telling))[0]["masked"] == "+61***06"


@pytest.mark.checklist("M11")
async def test_three_soft_bounces_within_a_week_suppress(telling: Running) -> None:
    for _ in range(2):
        await bounce(telling)
    assert await suppressions(telling) == []
    telling.clock.advance(days=7.1)
    await bounce(telling)
    await bounce(telling)
    assert await suppressions(telling) == []
    await bounce(telling)
    (row,) = await suppressions(telling)
    assert row["reason"] == "bounced"


async def test_what_arrives_in_between_begins_the_count_anew(telling: Running) -> None:
    for arrives in (False, False, True, False, False):
        telling.clock.advance(minutes=1)
        if arrives:
            assert await says(telling, "delivered", await send(telling, "sent")) == 204
        else:
            await bounce(telling)
    assert await suppressions(telling) == []


@pytest.mark.checklist("M10")
async def test_what_is_told_late_of_an_earlier_message_does_not(telling: Running) -> None:
    """It arrived before the others came back; its receipt was lost, and the provider tells it again."""
    earlier = await send(telling, "sent")
    for _ in range(2):
        telling.clock.advance(minutes=1)
        await bounce(telling)
    telling.clock.advance(minutes=1)
    assert await says(telling, "delivered", earlier) == 204
    assert await suppressions(telling) == []
    telling.clock.advance(minutes=1)
    await bounce(telling)
    (row,) = await suppressions(telling)
    assert row["reason"] == "bounced"


async def test_one_address_is_on_the_list_once(telling: Running) -> None:
    first, second = await send(telling, "sent"), await send(telling, "sent")
    for id in (first, second):
        assert await says(telling, "bounced", id, permanent=True) == 204
    assert len(await suppressions(telling)) == 1
    with pytest.raises(asyncpg.UniqueViolationError):
        await telling.owner.execute(
            "INSERT INTO suppression SELECT org, gen_random_uuid(), channel, address, masked, 'added', NULL, $1, added_at"
            " FROM suppression",
            RAY,
        )


# --- administrators ---------------------------------------------------------------------------------------------


@pytest.mark.checklist("M11")
async def test_administrators_list_add_and_remove(telling: Running) -> None:
    await ready(telling)
    await bounce(telling, permanent=True, to="luke@acme.example")
    telling.clock.advance(seconds=1)
    status, added = await ask(telling, "POST", "/v1/suppressions", channel="email", address=f" {DEAD} ")
    assert status == 201
    assert {**added, "id": "", "added_at": ""} == {
        "id": "", "channel": "email", "address": "j***@acme.example", "reason": "added", "staff": None,
        "added_by": str(RAY), "added_at": "",
    }  # fmt: skip
    newest, oldest = await listed(telling)
    assert newest == added
    assert (oldest["address"], oldest["reason"], oldest["staff"], oldest["added_by"]) == (
        "l***@acme.example",
        "bounced",
        str(JANE),
        None,
    )
    await send(telling, "failed")
    assert await ask(telling, "DELETE", f"/v1/suppressions/{added['id']}") == (204, None)
    await send(telling, "sent")
    assert await listed(telling) == [oldest]
    status, _problem = await ask(telling, "DELETE", f"/v1/suppressions/{added['id']}")
    assert status == 404


@pytest.mark.checklist("M12")
async def test_what_an_administrator_puts_there_takes_a_fresh_factor(telling: Running) -> None:
    """A stolen session is not enough. To take one off again is no such thing."""
    await ready(telling)
    stale = telling.token(RAY, StaffType.OWNER)
    status, problem = await ask(telling, "POST", "/v1/suppressions", token=stale, channel="email", address=DEAD)
    assert (status, problem["type"]) == (401, "urn:staffgate:problem:step_up_needed")
    assert await suppressions(telling) == []
    _, added = await ask(telling, "POST", "/v1/suppressions", channel="email", address=DEAD)
    assert (await ask(telling, "DELETE", f"/v1/suppressions/{added['id']}", token=stale))[0] == 204


@pytest.mark.checklist("M12")
async def test_what_an_administrator_puts_there_holds_back_no_warning(telling: Running) -> None:
    """Else whoever takes over Jane's account would first see to it that she does not hear of it."""
    await ready(telling)
    assert (await ask(telling, "POST", "/v1/suppressions", channel="email", address="jane@acme.example"))[0] == 201
    notices, link = [notice_issued(telling.clock, kind, facts=FACTS) for kind in NoticeKind], link_issued(telling.clock)
    for event in (*notices, link):
        await telling.publish(event)
    held_back = {NoticeKind.TEST, NoticeKind.IMPORT_FINISHED}
    for notice in notices:
        row = await telling.row(notice.notice, "failed" if notice.kind in held_back else "sent")
        assert row["reason"] == ("suppressed" if notice.kind in held_back else None)
    assert (await telling.row(link.link, "failed"))["reason"] == "suppressed"


@pytest.mark.checklist("M11")
@pytest.mark.parametrize("word", ["bounced", "complained"])
async def test_what_comes_back_from_there_holds_back_warnings_too(telling: Running, word: str) -> None:
    """The provider's word takes the place of the administrator's: a dead address is dead, whatever is sent to it."""
    await ready(telling)
    assert (await ask(telling, "POST", "/v1/suppressions", channel="email", address="jane@acme.example"))[0] == 201
    first, second = notice_issued(telling.clock), notice_issued(telling.clock)
    await telling.publish(first)
    await telling.row(first.notice, "sent")
    assert await says(telling, word, first.notice, permanent=True) == 204
    (row,) = await suppressions(telling)
    assert (row["reason"], row["staff"], row["added_by"]) == (word, JANE, None)
    assert await told_of_the_list(telling) == [
        (str(RAY), "added", False, None), (None, "added", True, None), (None, word, False, str(JANE)),
    ]  # fmt: skip
    await telling.publish(second)
    assert (await telling.row(second.notice, "failed"))["reason"] == "suppressed"
    status, _problem = await ask(telling, "POST", "/v1/suppressions", channel="email", address="jane@acme.example")
    assert status == 409, "and the administrator's does not take the place of that"


async def test_who_changed_the_list_is_told(telling: Running) -> None:
    """identity writes it into the organisation's log; no address is in it."""
    await ready(telling)
    await bounce(telling, permanent=True)
    _, added = await ask(telling, "POST", "/v1/suppressions", channel="sms", address="+61 491 570 006")
    await ask(telling, "DELETE", f"/v1/suppressions/{added['id']}")
    assert await told_of_the_list(telling) == [
        (None, "bounced", False, str(JANE)),
        (str(RAY), "added", False, None),
        (str(RAY), "added", True, None),
    ]
    rows = await telling.owner.fetch("SELECT body FROM outbox")
    assert not [row for row in rows if b"acme.example" in row["body"] or b"570006" in row["body"].replace(b" ", b"")]


async def test_the_same_address_twice_is_a_conflict(telling: Running) -> None:
    await ready(telling)
    assert (await ask(telling, "POST", "/v1/suppressions", channel="email", address=DEAD))[0] == 201
    status, problem = await ask(telling, "POST", "/v1/suppressions", channel="email", address=DEAD.upper())
    assert (status, problem["type"]) == (409, "urn:staffgate:problem:already_suppressed")


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "jane"), ("email", ""), ("email", "jane@acme"), ("email", "j@a.b\r\nBcc: x@y.z"), ("email", "a\0@b.c"),
        ("sms", "61491570006"), ("sms", "+61"), ("sms", "+0 000 000"), ("sms", "+(((((-"), ("sms", DEAD), ("email", "+61491570006"),
        ("sms", "+1234567890123456"), ("webhook", "https://x"), ("", ""),
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused(telling: Running, channel: str, address: str) -> None:
    await ready(telling)
    status, _problem = await ask(telling, "POST", "/v1/suppressions", channel=channel, address=address)
    assert status == 422
    assert await suppressions(telling) == []


async def test_the_list_has_pages(telling: Running) -> None:
    await ready(telling)
    for number in range(5):
        await ask(telling, "POST", "/v1/suppressions", channel="email", address=f"{number}@acme.example")
    await ask(telling, "POST", "/v1/suppressions", channel="sms", address="+61491570006")
    seen, before = [], ""
    while True:
        _, page = await ask(telling, "GET", f"/v1/suppressions?limit=2&channel=email{before}")
        seen += [one["address"][0] for one in page["suppressions"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == ["4", "3", "2", "1", "0"]


async def test_nobody_else_sees_or_changes_it(telling: Running) -> None:
    await ready(telling)
    _, added = await ask(telling, "POST", "/v1/suppressions", channel="email", address=DEAD)
    jane = telling.token(JANE, StaffType.STANDARD)
    for method, path, body in (
        ("GET", "/v1/suppressions", {}),
        ("POST", "/v1/suppressions", {"channel": "email", "address": "x@acme.example"}),
        ("DELETE", f"/v1/suppressions/{added['id']}", {}),
    ):
        status, problem = await ask(telling, method, path, token=jane, **body)
        assert (status, problem["type"]) == (403, "urn:staffgate:problem:administrators_only")
    laya = telling.token(LAYA, StaffType.OWNER, REBELS)
    assert await listed(telling, token=laya) == []
    assert (await ask(telling, "DELETE", f"/v1/suppressions/{added['id']}", token=laya))[0] == 404
    assert len(await suppressions(telling)) == 1


async def test_the_wall_stands_behind_the_list(telling: Running, database: Any) -> None:
    await ready(telling)
    await ask(telling, "POST", "/v1/suppressions", channel="email", address=DEAD)
    app = await asyncpg.connect(database.app)
    async with app.transaction():
        assert await app.fetchval("SELECT count(*) FROM suppression") == 0
        await app.execute(f"SET LOCAL app.org = '{REBELS}'")
        assert await app.fetchval("SELECT count(*) FROM suppression") == 0
        await app.execute(f"SET LOCAL app.org = '{ACME}'")
        assert await app.fetchval("SELECT count(*) FROM suppression") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("UPDATE suppression SET org = $1", REBELS)
    await app.close()


async def test_no_address_is_kept(telling: Running) -> None:
    """Not in the message that was sent, not on the list: an HMAC, and so much that its people know whose it is."""
    await bounce(telling, permanent=True)
    notice = notice_issued(telling.clock)
    await telling.publish(notice)
    await telling.row(notice.notice, "sent")
    for table in ("delivery", "suppression", "outbox", "early_receipt"):
        for row in await telling.owner.fetch(f"SELECT t::text AS whole FROM {table} t"):
            assert "jane" not in row["whole"].lower(), table
            assert b"jane".hex() not in row["whole"], table
