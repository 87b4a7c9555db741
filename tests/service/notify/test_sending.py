"""A message that was promised arrives once, in time, or is reported."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.notify.store import deliveries as store
from shared import log as logging
from staffgate.contracts.identity import LinkPurpose, NoticeKind
from tests.service.notify.conftest import IDS, Running, code_issued, link_issued, notice_issued, until
from tests.unit.notify.reports.samples import TOKENS

CANARIES = re.compile(r"jane@acme|82461937|token=|\+?61 ?400")


async def put_back(notify: Running, id: UUID, attempt: int) -> Any:
    """The delivery, once this attempt has failed in passing."""
    query = "SELECT * FROM delivery WHERE id = $1 AND state = 'queued' AND attempts = $2"
    return await until(lambda: notify.owner.fetchrow(query, id, attempt))


async def test_a_link_becomes_an_email(notify: Running) -> None:
    event = link_issued(notify.clock)
    await notify.publish(event)
    (mail,) = await until(lambda: notify.mailbox.mails)
    row = await notify.row(event.link, "sent")
    assert mail["X-RcptTo"] == mail["To"] == "jane@acme.example"
    assert mail["From"] == "Staffgate <no-reply@staffgate.example>"
    assert mail["Message-ID"] == f"<{TOKENS.name(event.link)}@staffgate.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert f"https://id.acme.example/activate?token={event.link.hex}" in part
        assert "AcmeCrates\\Jane" in part
    assert (row["attempts"], row["template"], row["channel"]) == (1, "activate", "email")
    assert row["last_answer"] == "250 2.0.0 Ok: queued as 4F1A2B"


async def test_an_international_address_is_reached(notify: Running) -> None:
    event = link_issued(notify.clock, to="zoë@kisten.example", name="Zoë", organisation="Kisten & Söhne")
    await notify.publish(event)
    (mail,) = await until(lambda: notify.mailbox.mails)
    assert mail["X-RcptTo"] == "zoë@kisten.example"
    assert mail["Subject"] == "Activate your account at Kisten & Söhne"


async def test_the_owner_confirms(notify: Running) -> None:
    event = link_issued(notify.clock, purpose=LinkPurpose.CONFIRM)
    await notify.publish(event)
    (mail,) = await until(lambda: notify.mailbox.mails)
    assert mail["Subject"] == "Confirm your e-mail address for ACME Crates"
    assert (await notify.row(event.link, "sent"))["template"] == "confirm"


async def test_a_code_becomes_an_sms(notify: Running) -> None:
    event = code_issued(notify.clock)
    await notify.publish(event)
    (sms,) = await until(lambda: notify.gateway.sent)
    assert sms == {
        "To": "+61400000000",
        "From": "+61400111111",
        "Body": "82461937 is your ACME Crates login code, good for 10 min. Never share it.",
        "ValidityPeriod": "600",
    }
    assert (await notify.row(event.code, "sent"))["last_answer"] == "201 SM1"


async def test_a_code_becomes_an_email(notify: Running) -> None:
    await notify.publish(code_issued(notify.clock, "email"))
    (mail,) = await until(lambda: notify.mailbox.mails)
    text = mail.get_body(("plain",))
    assert text is not None
    assert "82461937" in text.get_content()


async def test_what_happened_to_an_account_becomes_an_email(notify: Running) -> None:
    event = notice_issued(notify.clock)
    await notify.publish(event, times=2)
    (mail,) = await until(lambda: notify.mailbox.mails)
    row = await notify.row(event.notice, "sent")
    assert mail["Subject"] == "A login from a new device: your account at ACME Crates"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "From where: 203.0.113.9, Firefox on Windows" in text.get_content()
    assert (row["template"], row["sealed"], row["staff"]) == ("notice.new_device", None, event.staff)


async def test_two_notices_of_one_kind_are_two_and_one_that_is_too_old_is_none(notify: Running) -> None:
    old = notice_issued(notify.clock, lasting=timedelta())
    first, second = notice_issued(notify.clock), notice_issued(notify.clock)
    for event in (old, first, second):
        await notify.publish(event)
    for event in (first, second):
        await notify.row(event.notice, "sent")
    assert (await notify.row(old.notice, "expired"))["last_answer"] == "too late"
    assert len(notify.mailbox.mails) == 2


async def test_a_notice_that_lacks_a_fact_is_reported_and_not_sent_with_a_gap(notify: Running) -> None:
    event = notice_issued(notify.clock, NoticeKind.RECOVERY_CODE_USED)
    await notify.publish(event)
    assert (await put_back(notify, event.notice, 1))["last_answer"] == "our fault: KeyError"
    assert not notify.mailbox.tried


@pytest.mark.parametrize(
    ("purpose", "subject"),
    [
        (LinkPurpose.RESET, "Set a new password for ACME Crates"),
        (LinkPurpose.EMAIL, "Confirm your new e-mail address for ACME Crates"),
    ],
)
async def test_a_link_for_something_else_says_so_and_supersedes_its_own_kind_only(
    notify: Running, purpose: LinkPurpose, subject: str
) -> None:
    notify.mailbox.answers["jane@acme.example"] = ["451 later"]
    old = link_issued(notify.clock, purpose=purpose)
    await notify.publish(old)
    await put_back(notify, old.link, 1)
    notify.clock.advance(milliseconds=1)
    other, new = link_issued(notify.clock), link_issued(notify.clock, purpose=purpose)
    for event in (other, new):
        await notify.publish(event)
        await notify.row(event.link, "sent")
    assert (await notify.row(old.link, "expired"))["last_answer"] == "superseded"
    assert subject in [mail["Subject"] for mail in notify.mailbox.mails]
    assert len(notify.mailbox.mails) == 2


@pytest.mark.checklist("C10")
async def test_an_sms_is_bound_to_its_site(notify: Running) -> None:
    await notify.publish(code_issued(notify.clock, purpose="step_up", host="id.acme.example"))
    (sms,) = await until(lambda: notify.gateway.sent)
    assert sms["Body"] == (
        "82461937 is your ACME Crates security code, good for 10 min. Never share it.\n@id.acme.example #82461937"
    )


async def test_one_event_three_times_is_one_mail(notify: Running) -> None:
    event = link_issued(notify.clock)
    await notify.publish(event, times=3)
    await notify.row(event.link, "sent")
    await notify.publish(event)  # and once more as another message, past the inbox
    after = link_issued(notify.clock, to="ray@acme.example", purpose=LinkPurpose.CONFIRM)
    await notify.publish(after)
    await notify.row(after.link, "sent")
    assert len(notify.mailbox.to("jane@acme.example")) == 1
    assert len(await notify.rows()) == 2

    async def all_handled() -> bool:
        return bool(await notify.owner.fetchval("SELECT count(*) = 3 FROM inbox"))

    await until(all_handled)


async def test_what_passes_is_tried_again_with_growing_waits(notify: Running) -> None:
    notify.mailbox.answers["jane@acme.example"] = ["451 4.7.1 greylisted", "421 4.3.2 shutting down"]
    event = link_issued(notify.clock)
    await notify.publish(event)
    waits = []
    for attempt in (1, 2):
        row = await put_back(notify, event.link, attempt)
        assert row["last_answer"].startswith(("451", "421"))
        assert row["sealed"] is not None
        waits.append((row["next_attempt_at"] - notify.clock.now()).total_seconds())
        notify.clock.advance(seconds=3)
    row = await notify.row(event.link, "sent")
    assert row["attempts"] == 3
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2
    assert len(notify.mailbox.mails) == 1


async def test_a_bad_address_delays_nobody(notify: Running) -> None:
    notify.mailbox.answers["bad@acme.example"] = ["451 later"] * 50
    for _ in range(10):
        await notify.publish(link_issued(notify.clock, staff=IDS.uuid(), to="bad@acme.example"))
    good = link_issued(notify.clock)
    await notify.publish(good)
    await notify.row(good.link, "sent")
    assert len(notify.mailbox.mails) == 1


@pytest.mark.parametrize("answer", ["550 5.1.1 <jane@acme.example>: no such user", "552 5.2.2 mailbox full"])
async def test_what_will_never_be_taken_is_not_tried_again(notify: Running, answer: str) -> None:
    notify.mailbox.answers["jane@acme.example"] = [answer]
    event = link_issued(notify.clock)
    await notify.publish(event)
    row = await notify.row(event.link, "failed")
    assert row["sealed"] is None
    assert row["last_answer"].startswith(answer[:9])
    assert not CANARIES.search(row["last_answer"])
    notify.clock.advance(hours=1)
    after = link_issued(notify.clock, to="ray@acme.example", purpose=LinkPurpose.CONFIRM)
    await notify.publish(after)
    await notify.row(after.link, "sent")
    assert notify.mailbox.tried.count("jane@acme.example") == 1


async def test_an_address_that_is_a_header_is_refused(notify: Running) -> None:
    event = link_issued(notify.clock, to="jane@acme.example\r\nBcc: all@evil.example")
    await notify.publish(event)
    assert (await notify.row(event.link, "failed"))["last_answer"] == "this is no e-mail address"
    assert not notify.mailbox.tried


@pytest.mark.parametrize(
    ("status", "body", "state", "answer"),
    [
        (429, {"code": 20429, "message": "Too many"}, "queued", "429 error 20429 Too many"),
        (503, {}, "queued", "503"),
        (401, {"code": 20003, "message": "Authenticate"}, "queued", "401 error 20003 Authenticate"),
        (400, {"code": 21211, "message": "+61400000000 is not valid"}, "failed", "400 error 21211 *** is not valid"),
    ],
)
async def test_what_the_sms_gateway_answers(
    notify: Running, status: int, body: dict[str, object], state: str, answer: str
) -> None:
    notify.gateway.answers.append((status, body))
    event = code_issued(notify.clock)
    await notify.publish(event)
    row = await put_back(notify, event.code, 1) if state == "queued" else await notify.row(event.code, state)
    assert row["last_answer"] == answer
    notify.clock.advance(seconds=2)
    if state == "queued":
        await notify.row(event.code, "sent")
        assert len(notify.gateway.sent) == 1


async def test_a_code_that_has_expired_is_never_sent(notify: Running) -> None:
    notify.gateway.answers += [(503, {})] * 100
    event = code_issued(notify.clock)
    await notify.publish(event)
    await put_back(notify, event.code, 1)
    notify.clock.advance(minutes=10)
    row = await notify.row(event.code, "expired")
    assert row["last_answer"] == "too late; before: 503"
    assert row["sealed"] is None
    assert not notify.gateway.sent


async def test_what_comes_too_late_is_never_sent(notify: Running) -> None:
    event = code_issued(notify.clock, "email", minutes=0)
    await notify.publish(event)
    row = await notify.row(event.code, "expired")
    assert (row["attempts"], row["last_answer"]) == (0, "too late")
    assert not notify.mailbox.tried


async def test_what_expires_on_the_way_to_the_channel_is_not_sent(
    notify: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = store.claim_anywhere

    async def slow(*arguments: Any) -> list[store.Claim]:
        claims = await claim(*arguments)
        notify.clock.advance(minutes=10 if claims else 0)
        return claims

    monkeypatch.setattr(store, "claim_anywhere", slow)
    event = code_issued(notify.clock)
    await notify.publish(event)
    row = await notify.row(event.code, "expired")
    assert (row["attempts"], row["last_answer"], row["sealed"]) == (1, "too late", None)
    assert not notify.gateway.sent


async def test_nothing_secret_stays_behind(notify: Running, capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("notify", "debug")
    notify.mailbox.answers["jane@acme.example"] = ["451 4.7.1 <jane@acme.example> code 82461937 greylisted"]
    sent = [link_issued(notify.clock), code_issued(notify.clock), code_issued(notify.clock, "email")]
    for event in sent:
        await notify.publish(event)
    await until(lambda: len(notify.gateway.sent) + len(notify.mailbox.mails) == 2)
    notify.clock.advance(seconds=2)
    await until(lambda: len(notify.gateway.sent) + len(notify.mailbox.mails) == 3)

    async def over() -> bool:
        return {row["state"] for row in await notify.rows()} == {"sent"}

    await until(over)
    assert all(row["sealed"] is None for row in await notify.rows())
    for table in ("delivery", "inbox", "outbox"):
        for row in await notify.owner.fetch(f"SELECT {table}::text AS whole FROM {table}"):
            assert not CANARIES.search(row["whole"])
    logged = capsys.readouterr()
    assert "delivery.sent" in logged.out
    assert not CANARIES.search(logged.out + logged.err)


async def test_what_became_of_messages_is_counted(notify: Running) -> None:
    def count(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    labels = {"channel": "sms", "template": "code"}
    before = count("notify_deliveries_total", outcome="sent", **labels)
    timed = count("notify_commit_to_sent_seconds_count", **labels)
    await notify.publish(code_issued(notify.clock))
    await until(lambda: count("notify_deliveries_total", outcome="sent", **labels) == before + 1)
    assert count("notify_commit_to_sent_seconds_count", **labels) == timed + 1


async def test_connections_are_used_again(notify: Running) -> None:
    for _ in range(20):
        event = link_issued(notify.clock, staff=IDS.uuid())
        await notify.publish(event)
        await notify.row(event.link, "sent")
    assert len(notify.mailbox.mails) == 20
    assert len(notify.mailbox.sessions) == 1
