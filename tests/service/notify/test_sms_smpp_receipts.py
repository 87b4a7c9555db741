"""SMS over SMPP: what a server tells of messages afterwards, and who it is that is believed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.notify.channels.port import Told
from services.notify.channels.smpp import link
from services.notify.channels.smpp.pdu import Status
from services.notify.channels.smpp.provider import SmppProvider
from services.notify.provider.settings import SmppSettings
from staffgate.contracts.notify import DeliveryState, Reason
from tests.service.notify.smsc import (
    DELIVERED,
    Ledger,
    Smsc,
    bound,
    listening,
    message,
    refused,
    settings,
)
from tests.service.notify.test_tls import Certificate

# --- what it tells --------------------------------------------------------------------------------------------


@pytest.mark.checklist("M10")
@pytest.mark.parametrize(
    ("stat", "state", "reason", "permanent"),
    [
        ("stat:DELIVRD err:000", DeliveryState.DELIVERED, None, False),
        ("stat:UNDELIV err:001", DeliveryState.BOUNCED, Reason.BOUNCED, True),
        ("stat:UNDELIV err:027", DeliveryState.BOUNCED, Reason.BOUNCED, False),
        ("stat:EXPIRED err:000", DeliveryState.BOUNCED, Reason.BOUNCED, False),
        ("stat:REJECTD err:000", DeliveryState.BOUNCED, Reason.BOUNCED, False),
    ],
)
async def test_receipts_are_told(stat: str, state: DeliveryState, reason: Reason | None, permanent: bool) -> None:
    ledger = Ledger()
    async with listening(Smsc()) as smsc, bound(smsc, ledger, dead_numbers=["001"]) as provider:
        reference = (await provider.send(message())).reference
        assert await smsc.deliver(f"id:{reference} {stat} text:82461937 is your") == Status.OK
    (told,) = ledger.told
    assert told == Told(provider="smsc", reference=reference, state=state, reason=reason, permanent=permanent, answer=told.answer)  # type: ignore[arg-type]  # fmt: skip
    assert told.answer == stat.replace("stat:", "").replace("err:", "")  # and not a word of the message


async def test_states_on_the_way_and_answers_of_people_are_no_news() -> None:
    ledger = Ledger()
    async with listening(Smsc()) as smsc, bound(smsc, ledger) as provider:
        await provider.send(message())
        for text, esm_class in (("id:m1 stat:ENROUTE", 4), ("id:m1 stat:ACCEPTD", 4), ("STOP", 0), (DELIVERED, 0x20)):
            assert await smsc.deliver(text, esm_class) == Status.OK
    assert not ledger.told


@pytest.mark.checklist("M10")
async def test_a_receipt_that_can_not_be_written_down_is_told_again() -> None:
    """What the server has seen answered it never repeats, so it is answered when it is written down."""
    ledger = Ledger(away=1)
    async with listening(Smsc()) as smsc, bound(smsc, ledger) as provider:
        await provider.send(message())
        assert await smsc.deliver(DELIVERED.format(id="m1")) == Status.TRY_AGAIN
        assert await smsc.deliver(DELIVERED.format(id="m1")) == Status.OK
    assert len(ledger.told) == 1


async def test_more_receipts_than_can_be_written_down_at_once_are_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_AT_ONCE", 2)
    ledger, writing = Ledger(), asyncio.Event()

    async def slow(told: Told) -> None:
        await writing.wait()
        ledger.told.append(told)

    async with listening(Smsc()) as smsc:
        provider = SmppProvider(settings(smsc.port), slow)
        async with provider.opened():
            await provider.send(message())
            telling = [asyncio.create_task(smsc.deliver(DELIVERED.format(id="m1"))) for _ in range(3)]
            assert await telling[2] == Status.TRY_AGAIN
            assert (await provider.send(message())).reference == "m2"  # nobody waits for receipts
            writing.set()
            assert [await telling[0], await telling[1]] == [Status.OK, Status.OK]
    assert len(ledger.told) == 2


async def test_a_receipt_that_is_no_message_is_not_told_again() -> None:
    ledger = Ledger()
    async with listening(Smsc()) as smsc, bound(smsc, ledger) as provider:
        await provider.send(message())
        assert await smsc.deliver_body(b"\xff") == Status.NEVER
    assert not ledger.told


async def test_an_id_that_receipts_write_otherwise_is_the_same() -> None:
    ledger = Ledger()
    smsc = Smsc(id=lambda count: f"{2590 + count:08x}")
    async with listening(smsc), bound(smsc, ledger, receipt_ids="decimal") as provider:
        reference = (await provider.send(message())).reference
        await smsc.deliver(DELIVERED.format(id="0000002591"))
    assert [told.reference for told in ledger.told] == [reference] == ["2591"]


# --- TLS ------------------------------------------------------------------------------------------------------


async def test_a_password_goes_over_tls_that_is_verified(tmp_path: Path) -> None:
    certificate, smsc = Certificate(tmp_path, "127.0.0.1"), Smsc()
    async with listening(smsc, tls=certificate.server()):
        trusting = SmppProvider(settings(smsc.port, tls=True), Ledger().tell, tls_context=certificate.client())
        async with trusting.opened():
            await trusting.send(message())
        assert len(smsc.binds) == 1
        strict = SmppProvider(settings(smsc.port, tls=True), Ledger().tell)
        async with strict.opened():
            assert (await refused(strict))[0] == "Down"
        assert len(smsc.binds) == 1


async def test_tls_is_what_there_is_unless_it_is_given_up_by_name() -> None:
    smsc = Smsc()
    async with listening(smsc):
        named = SmppSettings(
            name="smsc", host="127.0.0.1", port=smsc.port, system_id="acme", password="s3cret", sender="Staffgate"
        )
        provider = SmppProvider(named, Ledger().tell)
        async with provider.opened():
            assert (await refused(provider))[0] == "Down"
    assert not smsc.binds
