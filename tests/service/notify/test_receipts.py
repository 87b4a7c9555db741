"""What providers tell of messages: believed if it is theirs, once, in any order, and it settles the message."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any
from uuid import UUID

import pytest

from services.notify.channels.port import Told
from services.notify.receipt.receipts import Receipts
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Finished, Lane
from services.notify.suppression.addresses import Addresses
from services.notify.suppression.suppressions import Suppressions
from staffgate.contracts.notify import DeliveryState, Reason
from tests.service.notify.conftest import IDS, Running, code_issued, database_of, link_issued, until
from tests.service.notify.telling import (
    MAIL_SECRET,
    OTHER_SECRET,
    events,
    post,
    says,
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


async def state(notify: Running, id: UUID) -> tuple[str, str | None]:
    row = await notify.owner.fetchrow("SELECT state, reason FROM delivery WHERE id = $1", id)
    return row["state"], row["reason"]


# --- what it changes --------------------------------------------------------------------------------------------


async def test_a_message_that_arrived_is_delivered_and_told_once(telling: Running) -> None:
    id = await sent(telling)
    telling.clock.advance(seconds=30)
    for _ in range(3):
        assert await says(telling, "delivered", id, reason="250 OK") == 204
    row = await telling.row(id, "delivered")
    assert (row["settled_at"], row["last_answer"]) == (telling.clock.now(), "250 OK")
    (told,) = await events(telling, id)
    assert told[0] == "delivered"
    assert told[1]["template"] == "activate"
    assert told[1]["security"] is True
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


async def test_a_report_is_bounded(telling: Running) -> None:
    status, problem = await tell(telling, about(IDS.uuid(), samples.HOLIDAY) + b"x" * (1 << 20), type="message/rfc822")
    assert (status, problem["type"]) == (413, "urn:staffgate:problem:too_large")


# --- before its time --------------------------------------------------------------------------------------------


def receipts(notify: Running, db: Any) -> Receipts:
    return Receipts(db, Suppressions(db, Addresses(bytes(32))), [], "")


def delivered(id: UUID | None = None, **more: Any) -> Told:
    return Told(provider="mail", delivery=id, state=DeliveryState.DELIVERED, **more)


async def claimed(notify: Running, db: Any, *, provider: str | None = "mail") -> Any:
    """A delivery in the hands of a sender that has given it to this provider and has no answer yet."""
    db.clock.advance(seconds=1)
    id, now = IDS.uuid(), db.clock.now()
    new = store.NewDelivery(
        org=IDS.uuid(), id=id, staff=IDS.uuid(), channel="email", template="activate", priority=10, sealed="x",
        last_attempt=9, issued_at=now, deadline=now.replace(year=2030), traceparent="",
    )  # fmt: skip
    async with db.begin_anywhere() as tx:
        await store.add(tx, new, now)
        (claim,) = await store.claim_anywhere(
            tx, Lane(channel="email", first=0, last=99), now, now.replace(year=2029), 10
        )
        assert await store.assign_anywhere(tx, claim, provider)
    return claim


async def start_and_stop(surroundings: Running) -> None:
    """So that the tables are there."""
    await (await surroundings.start())()


@pytest.mark.checklist("M10")
async def test_a_receipt_that_is_faster_than_the_record_settles_the_message(surroundings: Running) -> None:
    """Whoever was sending it finds it taken, and nobody sends it again: not the one who comes after a crash either."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        for back in (False, True):
            claim = await claimed(surroundings, db)
            if back:  # the connection was lost after it had been handed over
                async with db.begin_anywhere() as tx:
                    now = db.clock.now()
                    assert await store.put_back_anywhere(tx, claim, "lost", now, unsure=True)
            await receipts(surroundings, db).tell(delivered(claim.id))
            assert await state(surroundings, claim.id) == ("delivered", None)
            db.clock.advance(hours=1)
            async with db.begin_anywhere() as tx:
                sent = Finished(state=DeliveryState.SENT, answer="250", reference="R1")
                await store.finish_anywhere(tx, claim, sent, db.clock.now())
                assert not await store.assign_anywhere(tx, claim, "mail")
                lane = Lane(channel="email", first=0, last=99)
                assert await store.claim_anywhere(tx, lane, db.clock.now(), db.clock.now().replace(year=2029), 10) == []
            assert await state(surroundings, claim.id) == ("delivered", None)


async def test_a_message_that_nobody_was_given_is_settled_by_nobody(surroundings: Running) -> None:
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        claim = await claimed(surroundings, db, provider="other")
        await receipts(surroundings, db).tell(delivered(claim.id))
        assert (await state(surroundings, claim.id))[0] == "sending"


@pytest.mark.checklist("M10")
@pytest.mark.parametrize("state_before", ["dead", "expired"])
async def test_what_was_given_up_unsure_is_settled_by_the_word_of_its_provider(
    surroundings: Running, state_before: str
) -> None:
    """It was given to somebody who did not answer. Were it left dead, it could be replayed, and would come twice."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        claim = await claimed(surroundings, db)
        async with db.begin_anywhere() as tx:
            reason = Reason.EXHAUSTED if state_before == "dead" else Reason.TOO_LATE
            end = Finished(state=DeliveryState(state_before), answer="lost", reason=reason)
            assert await store.finish_anywhere(tx, claim, end, db.clock.now())
        await receipts(surroundings, db).tell(delivered(claim.id))
        row = await surroundings.row(claim.id, "delivered")
        assert (row["reason"], row["sealed"]) == (None, None)


@pytest.mark.checklist("M10")
async def test_a_reference_that_is_not_known_yet_is_waited_for(surroundings: Running) -> None:
    """A provider's connection can be faster than our commit: what it said is kept, and not asked for again."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        told, claim = receipts(surroundings, db), await claimed(surroundings, db)
        for _ in range(2):
            await told.tell(delivered(reference="R1"))
        db.clock.advance(seconds=1)
        bounce = Told(provider="mail", reference="R1", state=DeliveryState.BOUNCED, reason=Reason.BOUNCED)
        await told.tell(bounce)
        await told.tell(delivered(reference="of another program"))
        assert await told.sweep() == 0
        async with db.begin_anywhere() as tx:
            end = Finished(state=DeliveryState.SENT, answer="250", reference="R1")
            assert await store.finish_anywhere(tx, claim, end, db.clock.now())
        assert await told.sweep() == 2
        assert await told.sweep() == 0
        assert await state(surroundings, claim.id) == ("bounced", "bounced")
        assert [type for type, _ in await events(surroundings, claim.id)] == ["delivered", "bounced"]
        db.clock.advance(hours=2)
        assert await told.sweep() == 1, "whose it is nobody will know"
        assert await surroundings.owner.fetchval("SELECT count(*) FROM early_receipt") == 0


async def test_the_sweep_is_part_of_the_service(telling: Running) -> None:
    id = await texted(telling)
    row = await telling.row(id, "sent")
    await telling.owner.execute("UPDATE delivery SET reference = NULL WHERE id = $1", id)
    assert await twilio_says(telling, None, MessageSid=row["reference"], MessageStatus="delivered") == 204
    assert await state(telling, id) == ("sent", None)
    await telling.owner.execute("UPDATE delivery SET reference = $2 WHERE id = $1", id, row["reference"])

    async def settled() -> bool:
        return (await state(telling, id))[0] == "delivered"

    await until(settled)


async def test_nothing_private_is_in_the_log(telling: Running, capsys: pytest.CaptureFixture[str]) -> None:
    id = await sent(telling)
    await tell(telling, about(id, samples.POSTFIX_UNKNOWN), type="message/rfc822")
    await tell(telling, b"jane@acme.example", type="message/rfc822", secret="a-secret-that-is-wrong")
    said = capsys.readouterr().out
    assert "receipt.bounced" in said
    assert "suppression.added" in said
    for private in ("jane@", "acme.example>", MAIL_SECRET):
        assert private not in said
