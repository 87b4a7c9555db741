"""What providers tell of messages: believed if it is theirs, once, in any order, and it settles the message."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.service.notify.conftest import IDS, Running, code_issued, link_issued
from tests.service.notify.telling import (
    MAIL_SECRET,
    OTHER_SECRET,
    events,
    post,
    says,
    state,
    suppressions,
    tell,
    telling,
    twilio_says,
)
from tests.unit.notify.reports import samples
from tests.unit.notify.reports.samples import about

__all__ = ["telling"]


async def sent(notify: Running) -> UUID:
    """A link that the mail provider has taken; to an address of its own, for those that came back get no more."""
    event = link_issued(notify.clock, to=f"{IDS.uuid().hex}@acme.example")
    await notify.publish(event)
    await notify.row(event.link, "sent")
    return event.link


async def texted(notify: Running) -> UUID:
    event = code_issued(notify.clock)
    await notify.publish(event)
    await notify.row(event.code, "sent")
    return event.code


# --- what it changes --------------------------------------------------------------------------------------------


async def test_a_message_that_arrived_is_delivered_and_told_once(telling: Running) -> None:
    id = await sent(telling)
    left = telling.clock.now()
    telling.clock.advance(seconds=30)
    for _ in range(3):
        assert await says(telling, "delivered", id, reason="250 OK") == 204
    row = await telling.row(id, "delivered")
    assert (row["settled_at"], row["last_answer"]) == (telling.clock.now(), "250 OK")
    (told,) = await events(telling, id)
    assert told[0] == "delivered"
    assert told[1]["template"] == "activate"
    assert told[1]["security"] is True
    assert datetime.fromisoformat(told[1]["at"]) == left, (
        "what is told of an address stands in the order of its messages"
    )
    assert await suppressions(telling) == []


async def test_a_delay_decides_nothing(telling: Running) -> None:
    id = await sent(telling)
    assert await says(telling, "delayed", id) == 204
    assert await state(telling, id) == ("sent", None)
    assert await events(telling, id) == []


async def test_what_comes_back_is_bounced_and_told_once(telling: Running) -> None:
    id = await sent(telling)
    for _ in range(3):
        assert await says(telling, "bounced", id, permanent=True, reason="550 5.1.1 no jane@acme.example here") == 204
    row = await telling.row(id, "bounced")
    assert (row["reason"], row["last_answer"]) == ("bounced", "550 5.1.1 no *** here")
    ((type, data),) = await events(telling, id)
    assert (type, data["reason"]) == ("bounced", "bounced")


@pytest.mark.checklist("M10")
async def test_receipts_in_any_order_and_however_often_end_the_same(telling: Running) -> None:
    """Delivered, delayed, complained, bounced: a message only moves on, and of each step there is one event."""
    words = ("delivered", "delayed", "complained", "delivered")
    for order in itertools.permutations(words):
        id = await sent(telling)
        seen = []
        for word in order:
            assert await says(telling, word, id) == 204
            seen.append((await state(telling, id))[0])
        rank = {"sent": 0, "delivered": 1, "bounced": 2}
        assert [rank[one] for one in seen] == sorted(rank[one] for one in seen), order
        assert await state(telling, id) == ("bounced", "complained"), order
        told = [type for type, _ in await events(telling, id)]
        assert told in (["bounced"], ["delivered", "bounced"]), order


@pytest.mark.checklist("M10")
async def test_of_many_at_once_one_counts(telling: Running) -> None:
    id = await sent(telling)
    assert await asyncio.gather(*(says(telling, word, id) for word in ["delivered", "bounced"] * 10)) == [204] * 20
    assert (await state(telling, id))[0] == "bounced"
    told = [type for type, _ in await events(telling, id)]
    assert told in (["bounced"], ["delivered", "bounced"])


@pytest.mark.checklist("M10")
async def test_what_failed_stays_failed(telling: Running) -> None:
    telling.mailbox.answers["jane@acme.example"] = ["550 5.7.1 no"]
    event = link_issued(telling.clock)
    await telling.publish(event)
    await telling.row(event.link, "failed")
    for word in ("delivered", "bounced", "complained"):
        assert await says(telling, word, event.link, permanent=True) == 204
    assert await state(telling, event.link) == ("failed", "rejected")
    assert [type for type, _ in await events(telling, event.link)] == ["failed"]


# --- whose word it is -------------------------------------------------------------------------------------------


@pytest.mark.checklist("M10")
async def test_what_is_not_signed_changes_nothing_and_gets_one_answer(telling: Running) -> None:
    id = await sent(telling)
    content = b'{"status":"bounced","permanent":true,"delivery":"%s"}' % str(id).encode()
    json = {"Content_Type": "application/json"}
    answers = [
        await post(telling, "/v1/receipts/mail", content, **json),
        await post(telling, "/v1/receipts/mail", content, **json, Receipt_Signature="t=1,v1=00"),
        await tell(telling, content, secret="another-secret-of-sixteen"),
        await tell(telling, content, secret=OTHER_SECRET),
        await tell(telling, content, age=301),
        await tell(telling, content, age=-301),
        await tell(telling, content, provider="nobody"),
        await tell(telling, content, provider="sms"),
    ]
    assert {status for status, _ in answers} == {401}
    said = {(problem["type"], problem["detail"]) for _, problem in answers}
    assert len(said) == 1
    assert await state(telling, id) == ("sent", None)
    assert await suppressions(telling) == []


@pytest.mark.checklist("M10")
async def test_a_provider_settles_its_own_messages_only(telling: Running) -> None:
    """`other` is a provider too, and its signature is good."""
    id = await sent(telling)
    assert await says(telling, "bounced", id, provider="other", secret=OTHER_SECRET, permanent=True) == 204
    code = await texted(telling)
    assert await says(telling, "bounced", code, permanent=True) == 204
    assert await says(telling, "bounced", reference="SM1", permanent=True) == 204
    assert (await state(telling, id), await state(telling, code)) == (("sent", None), ("sent", None))
    assert await suppressions(telling) == []
    assert await says(telling, "delivered", IDS.uuid()) == 204, "nobody's message"


@pytest.mark.parametrize(
    "content",
    [
        b"{}", b"[]", b"{", b"\xff", b"null", b'{"status":"delivered"}', b'{"status":"lost","reference":"x"}',
        b'{"status":"delivered","delivery":"jane"}', b'{"status":"delivered","reference":"%s"}' % (b"x" * 201),
        b'{"status":"delivered","reference":"x","more":1}', b"[" * 100_000,
    ],
)  # fmt: skip
async def test_what_is_signed_and_makes_no_sense_is_refused(telling: Running, content: bytes) -> None:
    status, problem = await tell(telling, content)
    assert status in (400, 422)
    assert problem["type"].startswith("urn:staffgate:problem:")


async def test_what_can_not_be_stored_in_a_reference_is_no_fault_of_ours(telling: Running) -> None:
    for reference in ("\\u0000", "a\\u0000b", "\\ud800", "\N{BUG}", "'; --"):
        content = b'{"status":"delivered","reference":"%s","reason":"%s"}' % ((reference.encode(),) * 2)
        assert (await tell(telling, content))[0] in (204, 400, 422), reference


async def test_only_the_provider_that_sends_mail_passes_bounces_on(telling: Running) -> None:
    code = await texted(telling)
    for type, content in (("application/json", b"{}"), ("message/rfc822", about(code, samples.POSTFIX_UNKNOWN))):
        headers = {"Content_Type": type, "X_Twilio_Signature": "x"}
        assert (await post(telling, "/v1/receipts/sms", content, **headers))[0] == 401


# --- Twilio, and mail servers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "becomes"),
    [
        ("delivered", "", ("delivered", None)),
        ("undelivered", "30003", ("bounced", "bounced")),
        ("failed", "30006", ("bounced", "bounced")),
        ("undelivered", "21610", ("bounced", "complained")),
        ("sent", "", ("sent", None)),
        ("queued", "", ("sent", None)),
        ("anything", "", ("sent", None)),
    ],
)
async def test_twilio_tells(telling: Running, status: str, error: str, becomes: Any) -> None:
    id = await texted(telling)
    fields = {"MessageSid": "SM1", "MessageStatus": status, "To": "+61400000000"} | (
        {"ErrorCode": error} if error else {}
    )
    assert await twilio_says(telling, id, **fields) == 204
    assert await state(telling, id) == becomes
    dead = {"30006": "bounced", "21610": "complained"}.get(error)
    assert [row["reason"] for row in await suppressions(telling)] == ([dead] if dead else [])


async def test_twilio_may_name_the_message_by_its_own_reference(telling: Running) -> None:
    id = await texted(telling)
    row = await telling.row(id, "sent")
    assert await twilio_says(telling, None, SmsSid=row["reference"], SmsStatus="delivered") == 204
    assert await state(telling, id) == ("delivered", None)
    assert await twilio_says(telling, None, MessageStatus="delivered") == 422, "of which message?"


async def test_twilio_signs_which_message_it_is(telling: Running) -> None:
    """The id is in the address, and the address is signed."""
    mine, other = await texted(telling), await texted(telling)
    path = f"/v1/receipts/sms?delivery={mine}"
    good = await twilio_says(telling, mine, MessageStatus="undelivered", ErrorCode="30006", token="wrong")
    assert good == 401
    status, _ = await post(
        telling, path.replace(str(mine), str(other)), b"MessageStatus=failed",
        Content_Type="application/x-www-form-urlencoded", X_Twilio_Signature="AAAA",
    )  # fmt: skip
    assert status == 401
    assert await state(telling, other) == ("sent", None)


@pytest.mark.parametrize(
    ("sample", "becomes", "suppressed"),
    [
        (samples.POSTFIX_UNKNOWN, ("bounced", "bounced"), ["bounced"]),
        (samples.EXCHANGE_UNKNOWN, ("bounced", "bounced"), ["bounced"]),
        (samples.EXIM_FULL, ("bounced", "bounced"), []),
        (samples.COMPLAINT, ("bounced", "complained"), ["complained"]),
        (samples.ARRIVED, ("delivered", None), []),
        (samples.DELAYED, ("sent", None), []),
        (samples.HOLIDAY, ("sent", None), []),
    ],
)
async def test_a_mail_server_tells(telling: Running, sample: str, becomes: Any, suppressed: list[str]) -> None:
    id = await sent(telling)
    status, said = await tell(telling, about(id, sample), type="message/rfc822")
    assert (status, said) == (204, None)
    assert await state(telling, id) == becomes
    assert [row["reason"] for row in await suppressions(telling)] == suppressed


@pytest.mark.parametrize("sample", [samples.POSTFIX_UNKNOWN, samples.COMPLAINT, samples.ARRIVED])
async def test_a_report_with_the_id_alone_is_nobodys(telling: Running, sample: str) -> None:
    """The list of deliveries shows it; the mail server signs whatever comes to the address for bounces."""
    id = await sent(telling)
    assert await tell(telling, about(str(id), sample), type="message/rfc822") == (204, None)
    assert await state(telling, id) == ("sent", None)
    assert await suppressions(telling) == []


async def test_a_report_is_bounded(telling: Running) -> None:
    status, problem = await tell(telling, about(IDS.uuid(), samples.HOLIDAY) + b"x" * (1 << 20), type="message/rfc822")
    assert (status, problem["type"]) == (413, "urn:staffgate:problem:too_large")


# --- what is kept out, and what goes along --------------------------------------------------------------------------


async def test_nothing_private_is_in_the_log(telling: Running, capsys: pytest.CaptureFixture[str]) -> None:
    id = await sent(telling)
    await tell(telling, about(id, samples.POSTFIX_UNKNOWN), type="message/rfc822")
    await tell(telling, b"jane@acme.example", type="message/rfc822", secret="a-secret-that-is-wrong")
    said = capsys.readouterr().out
    assert "receipt.bounced" in said
    assert "suppression.added" in said
    for private in ("jane@", "acme.example>", MAIL_SECRET):
        assert private not in said


async def test_what_became_of_a_message_is_told_with_the_name_of_its_address(telling: Running) -> None:
    """However it ends: delivered, refused, or too late. Whoever promised it knows by that which address it was."""
    telling.mailbox.answers["luke@acme.example"] = ["554 5.7.1 no"]
    telling.mailbox.answers["han@acme.example"] = ["451 4.7.1 later"] * 9
    links = [
        link_issued(telling.clock, to=f"{name}@acme.example", staff=IDS.uuid()) for name in ("jane", "luke", "han")
    ]
    links = [msgspec.structs.replace(link, contact=f"c0ffee{number}") for number, link in enumerate(links)]
    for link in links:
        await telling.publish(link)
    arrived, refused, late = links
    await telling.row(arrived.link, "sent")
    assert await says(telling, "delivered", arrived.link) == 204
    await telling.row(refused.link, "failed")
    await telling.tried(late.link)
    telling.clock.advance(hours=25)
    await telling.row(late.link, "expired")
    told = [[(type, data["contact"]) for type, data in await events(telling, link.link)] for link in links]
    assert told == [[("delivered", "c0ffee0")], [("failed", "c0ffee1")], [("failed", "c0ffee2")]]


async def test_whatever_is_signed_is_no_fault_of_ours(telling: Running) -> None:
    """What providers pass on was written by strangers."""
    id, chance = await sent(telling), random.Random(7)  # noqa: S311 - the same each time
    bodies = [about(id, sample) for sample in samples.EVERY.values()]
    bodies.append(
        b'{"status":"bounced","delivery":"%s","reference":"R","reason":"x","permanent":true}' % str(id).encode()
    )
    for _ in range(150):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(body))
            body[at : at + chance.choice((0, 1, 5, 60))] = chance.randbytes(chance.choice((0, 1, 4)))
        type = chance.choice(("message/rfc822", "application/json"))
        status, _ = await tell(telling, bytes(body), type=type)
        assert status in (204, 400, 422), bytes(body)
