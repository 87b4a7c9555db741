"""A code through an SMPP server and one who speaks HTTP: who gets it, who takes over, and what is known of it later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from services.notify.channels.smpp import provider as smpp
from services.notify.channels.smpp.pdu import Status
from services.notify.provider.settings import SmppSettings, SmtpSettings, TwilioSettings
from shared import log as logging
from shared.service import Role
from tests.service.notify.conftest import IDS, Running, code_issued, providers, until
from tests.service.notify.smsc import DELIVERED, Smsc, listening


@pytest_asyncio.fixture
async def smsc(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Smsc]:
    monkeypatch.setattr(smpp, "_SHORTEST", 0.05)
    async with listening(Smsc()) as one:
        yield one


@pytest.fixture
def named(surroundings: Running, smsc: Smsc) -> Running:
    """Everything but notify itself, which is to prefer the SMPP server."""
    surroundings.settings = msgspec.structs.replace(
        surroundings.settings,
        public_url="https://notify.acme.example",
        providers=providers(
            SmtpSettings(name="mail", url=surroundings.mailbox.url, sender="no-reply@staffgate.example"),
            SmppSettings(
                name="smsc", host="127.0.0.1", port=smsc.port, tls=False, system_id="acme", password="s3cret", sender="Staffgate"
            ),
            TwilioSettings(name="gateway", url=surroundings.gateway.url, sender="+61 400 111 111"),
        ),
    )  # fmt: skip
    return surroundings


@pytest_asyncio.fixture
async def sending(named: Running) -> Running:
    await named.start()
    return named


async def test_a_code_goes_to_the_first_and_is_known_to_have_arrived(sending: Running, smsc: Smsc) -> None:
    event = code_issued(sending.clock, minutes=10)
    await sending.publish(event)
    row = await sending.row(event.code, "sent")
    assert (row["provider"], row["reference"], row["last_answer"]) == ("smsc", "m1", "0x00 ok")
    assert smsc.given[0].validity == "000000001000000R"  # nobody needs it after that, so nobody is to get it
    assert await smsc.deliver(DELIVERED.format(id="m1")) == Status.OK
    assert (await sending.row(event.code, "delivered"))["provider"] == "smsc"
    assert not sending.gateway.sent


@pytest.mark.checklist("M10")
async def test_a_receipt_that_overtakes_the_answer_is_not_lost(sending: Running, smsc: Smsc) -> None:
    smsc.holds = asyncio.Event()
    event = code_issued(sending.clock)
    await sending.publish(event)
    await until(lambda: smsc.given)
    assert await smsc.deliver(DELIVERED.format(id="m1")) == Status.OK
    smsc.holds.set()
    await sending.row(event.code, "delivered")


@pytest.mark.checklist("M08")
async def test_one_that_refuses_is_replaced_by_the_next(sending: Running, smsc: Smsc) -> None:
    smsc.statuses = [Status.THROTTLED]
    event = code_issued(sending.clock)
    await sending.publish(event)
    row = await sending.row(event.code, "sent")
    assert (row["provider"], row["attempts"]) == ("gateway", 1)
    (sms,) = sending.gateway.sent
    receipts = f"https://notify.acme.example/v1/receipts/gateway?delivery={event.code}"
    assert (sms["From"], sms["StatusCallback"]) == ("+61400111111", receipts)


@pytest.mark.checklist("M08")
async def test_one_that_may_have_it_keeps_it(sending: Running, smsc: Smsc) -> None:
    """Its link was lost after the message went over it: nobody else gets it, whatever happens."""
    smsc.hangs_up = 1
    event = code_issued(sending.clock)
    await sending.publish(event)
    row = await sending.tried(event.code)
    assert (row["provider"], row["unsure"]) == ("smsc", True)

    async def again() -> bool:
        sending.clock.advance(seconds=1)
        return bool(await sending.owner.fetchval("SELECT state = 'sent' FROM delivery WHERE id = $1", event.code))

    await until(again)
    assert len(smsc.given) == 2
    assert not sending.gateway.sent


@pytest.mark.checklist("N10")
async def test_what_a_receipt_repeats_of_a_message_is_kept_nowhere(
    named: Running, smsc: Smsc, capsys: pytest.CaptureFixture[str]
) -> None:
    """Servers write the beginning of the text into it, which is the code."""
    logging.configure("notify", "debug")
    stop = await named.start()
    event = code_issued(named.clock)
    await named.publish(event)
    await named.row(event.code, "sent")
    for id in ("m1", "of-nobody-yet"):
        receipt = DELIVERED.format(id=id)
        assert "82461937" in receipt
        assert await smsc.deliver(receipt) == Status.OK
    assert await smsc.deliver("82461937 came, thanks", esm_class=0) == Status.OK
    await named.row(event.code, "delivered")
    for table in ("delivery", "early_receipt", "inbox", "outbox"):
        for row in await named.owner.fetch(f"SELECT {table}::text AS whole FROM {table}"):
            assert "82461937" not in row["whole"]
    await stop()
    logged = capsys.readouterr()
    assert "receipt.delivered" in logged.out
    assert not {word for word in ("82461937", "61400000000", "s3cret") if word in logged.out + logged.err}


async def test_only_those_who_send_have_a_link(sending: Running, smsc: Smsc) -> None:
    await until(lambda: len(smsc.binds) == 1)
    await sending.start(Role.HTTP)
    await sending.start(Role.WORKER)
    await until(lambda: len(smsc.binds) == 2)
    event = code_issued(sending.clock)
    await sending.publish(event)
    await sending.row(event.code, "sent")
    assert len(smsc.binds) == 2


async def test_numbers_that_a_provider_will_not_serve_leave_it_to_everybody_else(sending: Running, smsc: Smsc) -> None:
    """A refusal because of a number is an answer: the next provider gets that message, the first one the next message."""
    smsc.statuses = [Status.INVALID_SOURCE, 0x401, 0x401, 0x401]
    for by in ["gateway"] * 4 + ["smsc"]:
        event = code_issued(sending.clock, staff=IDS.uuid(), to=f"+61 4{len(sending.gateway.sent):08}")
        await sending.publish(event)
        assert (await sending.row(event.code, "sent"))["provider"] == by


async def test_a_number_that_nobody_serves_waits_by_itself(sending: Running, smsc: Smsc) -> None:
    """With back-off, each time counted as a try: everybody is well, so everybody is asked again."""
    smsc.statuses = [0x401] * 4
    sending.gateway.answers = [(400, {"code": 21408})] * 4
    event = code_issued(sending.clock)
    await sending.publish(event)
    for attempts in range(1, 5):

        async def put_back(attempts: int = attempts) -> asyncpg.Record | None:
            return await sending.owner.fetchrow(
                "SELECT * FROM delivery WHERE id = $1 AND state = 'queued' AND attempts = $2", event.code, attempts
            )

        row = await until(put_back)
        assert (row["last_answer"], row["unsure"]) == ("400 error 21408", False)
        wait = row["next_attempt_at"] - sending.clock.now()
        assert 2 ** (attempts - 1) / 2 <= wait.total_seconds() <= 2 ** (attempts - 1)
        sending.clock.advance(seconds=wait.total_seconds())
    row = await sending.row(event.code, "sent")
    assert (row["provider"], row["attempts"]) == ("smsc", 5)


@pytest.mark.parametrize("reference", ["SM\0", "SM\x1b[2J", "".join(chr(0x4E00 + n) for n in range(5000))])
async def test_a_reference_that_can_not_be_kept_is_not(sending: Running, smsc: Smsc, reference: str) -> None:
    """Else the message could not be recorded as sent, and would go out again when its lease is over."""
    smsc.statuses = [Status.THROTTLED]
    sending.gateway.answers = [(201, {"sid": reference})]
    event = code_issued(sending.clock)
    await sending.publish(event)
    row = await sending.row(event.code, "sent")
    assert (row["provider"], row["reference"]) == ("gateway", None)
    assert not sending.gateway.sent


async def test_a_reference_of_two_hundred_characters_is_kept(sending: Running, smsc: Smsc) -> None:
    smsc.statuses = [Status.THROTTLED]
    sending.gateway.answers = [(201, {"sid": "é" * 200})]
    event = code_issued(sending.clock)
    await sending.publish(event)
    assert (await sending.row(event.code, "sent"))["reference"] == "é" * 200
