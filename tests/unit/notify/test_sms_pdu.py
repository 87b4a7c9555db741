"""SMPP's packets, byte by byte as the standard has them, and whatever else may come."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.smpp import pdu
from services.notify.channels.smpp.pdu import Address, Command, Malformed, Option, Pdu, ShortMessage, Status

BYTES = st.integers(0, 255)
TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
ADDRESSES = st.builds(Address, BYTES, BYTES, TEXTS)
MESSAGES = st.builds(
    ShortMessage,
    source=ADDRESSES,
    destination=ADDRESSES,
    esm_class=BYTES,
    validity=TEXTS,
    receipt=BYTES,
    data_coding=BYTES,
    text=st.binary(max_size=255),
    options=st.dictionaries(st.integers(0, 65_535), st.binary(max_size=300), max_size=4),
)


def test_a_bind_as_it_goes_over_the_wire() -> None:
    packet = Pdu(command=Command.BIND_TRANSCEIVER, sequence=1, body=pdu.bind("acme", "secret", "VMA"))
    assert pdu.encode(packet) == bytes.fromhex(
        "00000024 00000009 00000000 00000001"  # 36 bytes, bind_transceiver, no status, the first
        "61636d6500 73656372657400 564d4100"  # system_id, password, system_type
        "34 00 00 00"  # version 3.4; TON, NPI and range of the addresses that are served
    )
    assert pdu.read_bind(packet.body) == ("acme", "secret", "VMA")


def test_a_message_as_it_goes_over_the_wire() -> None:
    message = ShortMessage(
        source=Address(5, 0, "Staffgate"),
        destination=Address(1, 1, "61400000000"),
        esm_class=0x40,
        validity="000000001000000R",
        receipt=1,
        data_coding=8,
        text=b"\x00H\x00i",
        options={Option.MESSAGE_PAYLOAD: b"xyz"},
    )
    packet = Pdu(command=Command.SUBMIT_SM, sequence=7, body=pdu.short_message(message))
    assert pdu.encode(packet) == bytes.fromhex(
        "00000050 00000004 00000000 00000007"
        "00"  # service_type
        "05 00 53746166666761746500"  # a name: TON 5
        "01 01 363134303030303030303000"  # an international number
        "40 00 00"  # esm_class, protocol_id, priority_flag
        "00"  # schedule_delivery_time
        "30303030303030303130303030303052 00"  # validity_period
        "01 00 08 00"  # registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
        "04 00480069"  # sm_length, short_message
        "0424 0003 78797a"  # message_payload
    )


def test_an_answer_names_what_it_answers() -> None:
    request = Pdu(command=Command.SUBMIT_SM, sequence=7)
    answer = pdu.answer_to(request, Status.THROTTLED)
    assert pdu.encode(answer) == bytes.fromhex("00000010 80000004 00000058 00000007")
    assert pdu.answers(answer, Command.SUBMIT_SM)
    assert not pdu.answers(answer, Command.ENQUIRE_LINK)


@given(MESSAGES)
def test_a_message_comes_out_as_it_went_in(message: ShortMessage) -> None:
    assert pdu.read_short_message(pdu.short_message(message)) == message


@given(command=st.integers(0, 2**32 - 1), status=st.integers(0, 2**32 - 1), sequence=st.integers(0, 2**32 - 1), body=st.binary(max_size=400))  # fmt: skip
def test_a_packet_comes_out_as_it_went_in(command: int, status: int, sequence: int, body: bytes) -> None:
    packet = Pdu(command=command, status=status, sequence=sequence, body=body)
    assert pdu.decode(pdu.encode(packet)) == packet


@given(st.binary(max_size=400))
def test_no_bytes_are_more_than_malformed(data: bytes) -> None:
    for read in (pdu.decode, pdu.read_short_message, pdu.read_bind, pdu.read_message_id):
        with suppress(Malformed):
            read(data)


@given(MESSAGES, st.integers(0, 10_000))
def test_a_message_that_is_cut_off_is_malformed_or_shorter(message: ShortMessage, at: int) -> None:
    whole = pdu.short_message(message)
    try:
        read = pdu.read_short_message(whole[: at % len(whole)])
    except Malformed:
        return
    assert set(read.options.items()) < set(message.options.items())  # it was cut between two options


@pytest.mark.parametrize("text", ["a\0b", "登录"])
def test_what_can_be_no_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|latin-1"):
        pdu.bind(text, "", "")


@pytest.mark.parametrize(("body", "id"), [(b"", ""), (b"\0", ""), (b"0a1f\0", "0a1f"), (b"0a1f", "0a1f")])
def test_an_id_is_read_even_from_careless_servers(body: bytes, id: str) -> None:
    assert pdu.read_message_id(body) == id


async def test_a_stream_is_read_packet_by_packet_however_it_arrives() -> None:
    packets = [Pdu(command=Command.ENQUIRE_LINK, sequence=n, body=b"x" * n) for n in (1, 40, 3)]
    stream = asyncio.StreamReader()
    reading = asyncio.gather(*(pdu.read(stream) for _ in packets[:1]))
    for byte in b"".join(pdu.encode(packet) for packet in packets):
        stream.feed_data(bytes([byte]))
        await asyncio.sleep(0)
    stream.feed_eof()
    assert [*await reading, await pdu.read(stream), await pdu.read(stream)] == packets
    with pytest.raises(asyncio.IncompleteReadError):
        await pdu.read(stream)


@pytest.mark.parametrize("length", [0, 15, 70_001, 2**32 - 1])
async def test_a_length_that_no_packet_has_is_not_waited_for(length: int) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(length.to_bytes(4) + bytes(12))
    with pytest.raises(Malformed):
        await pdu.read(stream)


@given(st.binary(min_size=16, max_size=300))
async def test_no_stream_hangs(data: bytes) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    with suppress(Malformed, asyncio.IncompleteReadError):
        while True:
            await pdu.read(stream)
