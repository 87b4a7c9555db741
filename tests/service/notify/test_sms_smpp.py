"""SMS over SMPP: what a server is given, and what its answers and its faults mean."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import msgspec
import pytest

from services.notify.channels.port import Accepted, Down, Unsure
from services.notify.channels.smpp import link, pdu
from services.notify.channels.smpp import provider as smpp
from services.notify.channels.smpp.pdu import Address, Command, Option, Pdu, ShortMessage, Status
from tests.service.notify.conftest import until
from tests.service.notify.smsc import (
    Smsc,
    accepted_in_the_end,
    answered,
    bound,
    listening,
    message,
    refused,
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "_SHORTEST", 0.05)


# --- what it is given -----------------------------------------------------------------------------------------


async def test_a_message_is_handed_over() -> None:
    async with listening(Smsc()) as smsc, bound(smsc, system_type="VMA") as provider:
        assert await provider.send(message()) == Accepted(answer="0x00 ok", reference="m1")
    assert smsc.binds == [("acme", "s3cret", "VMA")]
    assert smsc.given == [
        ShortMessage(
            source=Address(5, 0, "Staffgate"),
            destination=Address(1, 1, "61400000000"),
            validity="000000001000000R",
            receipt=1,
            text=b"82461937 is your code",
        )
    ]


async def test_a_server_may_be_told_less() -> None:
    async with listening(Smsc()) as smsc, bound(smsc, validity=False, sender="12345", source_npi=9) as provider:
        await provider.send(message("登录码"))
    (given,) = smsc.given
    assert (given.validity, given.data_coding, given.source) == ("", 8, Address(3, 9, "12345"))
    assert given.text == "登录码".encode("utf-16-be")


async def test_a_long_message_goes_in_parts_and_the_last_one_is_receipted() -> None:
    async with listening(Smsc()) as smsc, bound(smsc) as provider:
        of = message("a" * 400)
        assert (await provider.send(of)).reference == "m3"
    assert [given.receipt for given in smsc.given] == [0, 0, 1]
    assert [given.text[:6] for given in smsc.given] == [bytes([5, 0, 3, of.id.bytes[-1], 3, n]) for n in (1, 2, 3)]


async def test_a_long_message_as_a_payload_is_one() -> None:
    async with listening(Smsc()) as smsc, bound(smsc, long_messages="payload") as provider:
        await provider.send(message("a" * 400))
    (given,) = smsc.given
    assert (given.text, given.options) == (b"", {Option.MESSAGE_PAYLOAD: b"a" * 400})


async def test_many_go_at_once_but_never_more_than_the_window() -> None:
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc, window=3) as provider:
        sending = [asyncio.create_task(provider.send(message())) for _ in range(7)]
        await until(lambda: len(smsc.given) == 3)
        assert await answered(smsc)
        assert len(smsc.given) == 3
        assert smsc.holds
        smsc.holds.set()
        assert len({(await one).reference for one in sending}) == 7
    assert len(smsc.sessions) == 1


async def test_a_window_that_stays_full_is_the_providers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "_ROOM", 0.05)
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc, window=1) as provider:
        sending = asyncio.create_task(provider.send(message()))
        await until(lambda: smsc.given)
        assert await refused(provider) == ("Down", "the window is full")
        assert smsc.holds
        smsc.holds.set()
        await sending
    assert len(smsc.given) == 1


# --- what it answers ------------------------------------------------------------------------------------------


@pytest.mark.checklist("M06")
@pytest.mark.parametrize(
    ("status", "kind", "answer"),
    [
        (Status.THROTTLED, "Down", "0x58 throttled"),
        (Status.QUEUE_FULL, "Down", "0x14 queue full"),
        (Status.SYSTEM_ERROR, "Down", "0x08 system error"),
        (Status.INVALID_BIND_STATE, "Down", "0x04 invalid bind state"),
        (Status.INVALID_SOURCE, "Elsewhere", "0x0a invalid source"),
        (0x401, "Elsewhere", "0x401"),
        (Status.INVALID_DESTINATION, "Rejected", "0x0b invalid destination"),
        (0x402, "Rejected", "0x402"),  # the operator says so
    ],
)
async def test_what_a_server_answers(status: int, kind: str, answer: str) -> None:
    async with listening(Smsc(statuses=[status])) as smsc, bound(smsc, permanent=[0x402]) as provider:
        assert await refused(provider) == (kind, answer)
        assert await provider.send(message())


async def test_a_number_has_to_be_one() -> None:
    async with listening(Smsc()) as smsc, bound(smsc) as provider:
        assert (await refused(provider, msgspec.structs.replace(message(), to="0400 000 000")))[0] == "Rejected"
    assert not smsc.given


async def test_a_part_that_is_refused_leaves_the_rest_to_this_provider() -> None:
    """What was taken is not given again, and nobody else gets any of it."""
    async with listening(Smsc(statuses=[Status.OK, Status.THROTTLED])) as smsc, bound(smsc) as provider:
        of = message("a" * 400)
        assert await refused(provider, of) == ("Unsure", "1 of 3 parts taken, then 0x58 throttled")
        assert len(smsc.given) == 2
        await provider.send(of)
    assert [given.text[5] for given in smsc.given] == [1, 2, 2, 3]


async def test_the_first_part_refused_is_all_of_it_refused() -> None:
    async with listening(Smsc(statuses=[Status.THROTTLED])) as smsc, bound(smsc) as provider:
        assert (await refused(provider, message("a" * 400)))[0] == "Down"
    assert len(smsc.given) == 1


# --- a link that fails ----------------------------------------------------------------------------------------


@pytest.mark.checklist("M08")
async def test_a_link_that_is_lost_after_a_message_leaves_it_open() -> None:
    """The next one goes over a new link; this one may be anywhere."""
    async with listening(Smsc(hangs_up=1)) as smsc, bound(smsc) as provider:
        assert (await refused(provider))[0] == "Unsure"
        await until(lambda: len(smsc.binds) == 2)
        await accepted_in_the_end(provider, message())
    assert len(smsc.given) == 2


async def test_a_server_that_is_not_there_is_certain_and_is_found_again() -> None:
    async with listening(Smsc()) as gone:
        pass
    smsc = Smsc(port=gone.port)
    async with bound(smsc) as provider:
        assert (await refused(provider))[0] == "Down"
        async with listening(smsc, port=gone.port):
            await accepted_in_the_end(provider, message())
    assert len(smsc.given) == 1


@pytest.mark.parametrize("statuses", [[], [Status.BIND_FAILED]])
async def test_a_server_that_will_not_have_us_is_asked_again(
    statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In good time: an account that is knocked at too often is locked."""
    monkeypatch.setattr(smpp, "_SHORTEST", 1.0)
    wrong = "" if statuses else "another"
    async with listening(Smsc(bind_statuses=statuses, password=wrong or "s3cret")) as smsc, bound(smsc) as provider:
        kind, answer = await refused(provider)
        assert (kind, "no link: Refused 0x0" in answer) == ("Down", True)
        assert "s3cret" not in answer
        smsc.password = "s3cret"
        began = asyncio.get_running_loop().time()
        await accepted_in_the_end(provider, message())
        assert asyncio.get_running_loop().time() - began > 0.5
    assert len(smsc.binds) == 2


async def test_a_server_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_PATIENCE", 0.1)
    async with listening(Smsc()) as smsc, bound(smsc, idle=0.05) as provider:
        await provider.send(message())
        await until(lambda: smsc.asked.count(Command.ENQUIRE_LINK) >= 3)  # and while it answers, all is well
        assert len(smsc.sessions) == 1
        smsc.is_mute = True
        await until(lambda: not smsc.sessions[0].bound)
        smsc.is_mute = False
        await accepted_in_the_end(provider, message())
    assert len(smsc.binds) == 2


@pytest.mark.checklist("M08")
async def test_a_server_that_never_lets_us_in_is_known_in_time_to_ask_another() -> None:
    async with listening(Smsc(is_mute=True)) as smsc, bound(smsc) as provider, asyncio.timeout(4.5):
        assert await refused(provider) == ("Down", "no link yet")


async def test_a_server_that_unbinds_us_is_answered_and_bound_again() -> None:
    async with listening(Smsc()) as smsc, bound(smsc) as provider:
        await provider.send(message())
        smsc.sessions[0].say(Pdu(command=Command.UNBIND, sequence=9))
        await until(lambda: len(smsc.binds) == 2)
        assert Command.UNBIND | 0x80000000 in smsc.asked


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(16),
        pdu.encode(Pdu(command=Command.GENERIC_NACK, sequence=0, status=3)),
        pdu.encode(Pdu(command=Command.ENQUIRE_LINK | 0x80000000, sequence=2)),  # to the message
    ],
)
async def test_what_is_no_smpp_ends_the_link(said: bytes) -> None:
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc) as provider:
        sending = asyncio.create_task(provider.send(message()))
        await until(lambda: smsc.given)
        smsc.sessions[0].writer.write(said)
        with pytest.raises(Unsure, match="no SMPP"):
            await sending
        await until(lambda: len(smsc.binds) == 2)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_a_server_says_the_next_message_is_sent(seed: int) -> None:
    """Packets of any kind, with anything in them."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    kinds = [*Command, *(command | 0x80000000 for command in Command), 0x103, 0xFFFFFFFF]
    async with asyncio.timeout(20), listening(Smsc()) as smsc, bound(smsc) as provider:
        await provider.send(message())
        for _ in range(30):
            body = chance.randbytes(chance.choice([0, 1, 7, 40]))
            said = Pdu(
                command=chance.choice(kinds), sequence=chance.randrange(9), status=chance.randrange(3), body=body
            )
            smsc.sessions[-1].say(said)
        of = message()
        while True:
            with suppress(Down, Unsure):  # it was on its way when the link ended
                assert await accepted_in_the_end(provider, of)
                break


async def test_what_we_do_not_know_is_refused_and_nothing_else_happens() -> None:
    async with listening(Smsc()) as smsc, bound(smsc) as provider:
        await provider.send(message())
        for command in (0x103, Command.ALERT_NOTIFICATION, Command.OUTBIND, Command.ENQUIRE_LINK):
            smsc.sessions[0].say(Pdu(command=command, sequence=9))
        await until(lambda: Command.ENQUIRE_LINK | 0x80000000 in smsc.asked)
        assert smsc.asked.count(Command.GENERIC_NACK) == 1
        await provider.send(message())
    assert len(smsc.sessions) == 1


async def test_leaving_is_said() -> None:
    async with listening(Smsc()) as smsc:
        async with bound(smsc) as provider:
            await provider.send(message())
        assert smsc.asked[-1] == Command.UNBIND


async def test_leaving_waits_for_nobody_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_FAREWELL", 0.05)
    async with asyncio.timeout(5) as limit, listening(Smsc()) as smsc, bound(smsc) as provider:
        await provider.send(message())
        smsc.is_mute = True
    assert not limit.expired()


# --- an answer that takes too long ----------------------------------------------------------------------------


@pytest.mark.checklist("M03")
async def test_what_is_still_without_an_answer_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "_ANSWER", 0.05)
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc) as provider:
        of = message()
        assert await refused(provider, of) == ("Unsure", "no answer within 0.05 s")
        assert (await refused(provider, of))[0] == "Unsure"
        assert smsc.holds
        smsc.holds.set()
        await until(lambda: smsc.taken)
        monkeypatch.setattr(smpp, "_ANSWER", 10.0)
        assert await provider.send(of) == Accepted(answer="0x00 ok", reference="m1")
        assert len(smsc.given) == 1
        assert (await provider.send(message())).reference == "m2"


async def test_what_went_with_the_link_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same provider, by the same id: nobody can say any more whether it was taken."""
    monkeypatch.setattr(smpp, "_ANSWER", 0.05)
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc) as provider:
        of = message()
        assert (await refused(provider, of))[0] == "Unsure"
        smsc.sessions[0].hang_up()
        smsc.holds = None
        await until(lambda: len(smsc.binds) == 2)
        monkeypatch.setattr(smpp, "_ANSWER", 10.0)
        await accepted_in_the_end(provider, of)
    assert len(smsc.given) == 2


async def test_a_refusal_that_comes_late_frees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "_ANSWER", 0.05)
    smsc = Smsc(holds=asyncio.Event(), statuses=[Status.THROTTLED])
    async with listening(smsc), bound(smsc) as provider:
        of = message()
        assert (await refused(provider, of))[0] == "Unsure"
        assert smsc.holds
        smsc.holds.set()
        assert await answered(smsc)
        monkeypatch.setattr(smpp, "_ANSWER", 10.0)
        assert (await provider.send(of)).reference == "m2"


async def test_a_place_whose_answer_never_comes_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "_ANSWER", 0.05)
    monkeypatch.setattr(link, "_FORGOTTEN", 0.1)
    async with listening(Smsc(holds=asyncio.Event())) as smsc, bound(smsc, window=1) as provider:
        assert (await refused(provider))[0] == "Unsure"
        smsc.holds = None
        monkeypatch.setattr(smpp, "_ANSWER", 10.0)
        assert await provider.send(message())
