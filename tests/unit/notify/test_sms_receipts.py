"""What SMPP servers tell of a message: their options, their text, and nothing of what the message said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.smpp.pdu import Address, Option, ShortMessage
from services.notify.channels.smpp.receipt import Ids, Receipt, read, receipted, referenced

TEXT = (
    b"id:0a1f sub:001 dlvrd:001 submit date:2611220900 done date:2611220901 stat:DELIVRD err:000 text:82461937 is your"
)


def told(
    text: bytes = b"", options: dict[int, bytes] | None = None, esm_class: int = 4, coding: int = 0
) -> ShortMessage:
    address = Address()
    return ShortMessage(
        source=address, destination=address, text=text, options=options or {}, esm_class=esm_class, data_coding=coding
    )


def test_a_receipt_in_words() -> None:
    assert read(told(TEXT)) == Receipt(id="0a1f", as_answered=False, state="DELIVRD", error="000")


@pytest.mark.parametrize(
    "message",
    [
        told(b"ID:0a1f STAT:delivrd ERR:000"),
        told(b"id: 0a1f stat: DELIVRD err: 000"),
        told(b"", {Option.MESSAGE_PAYLOAD: TEXT}),
        told(TEXT.decode().encode("utf-16-be"), coding=8),
    ],
)
def test_receipts_as_some_servers_write_them(message: ShortMessage) -> None:
    assert read(message) == Receipt(id="0a1f", as_answered=False, state="DELIVRD", error="000")


def test_options_count_before_words() -> None:
    options: dict[int, bytes] = {Option.RECEIPTED_MESSAGE_ID: b"0A1F\0", Option.MESSAGE_STATE: b"\x05"}
    assert read(told(b"err:001", options)) == Receipt(id="0A1F", as_answered=True, state="UNDELIV", error="001")


@pytest.mark.parametrize(
    "message",
    [
        told(TEXT, esm_class=0),  # somebody's answer
        told(TEXT, esm_class=0x20),  # a state on the way
        told(b"stat:DELIVRD"),
        told(b"id:0a1f"),
        told(b"id:0a1f text:stat:DELIVRD"),  # what the message said is not what became of it
        told(),
    ],
)
def test_what_is_no_receipt(message: ShortMessage) -> None:
    assert read(message) is None


@given(
    st.binary(max_size=200), st.dictionaries(st.sampled_from(list(Option)), st.binary(max_size=80)), st.integers(0, 255)
)
def test_no_words_are_more_than_no_receipt(text: bytes, options: dict[int, bytes], coding: int) -> None:
    receipt = read(told(text, options, coding=coding))
    if receipt is not None:
        assert 0 < len(receipt.id) <= 65
        for ids in ("same", "decimal", "hex"):
            receipted(receipt, ids)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "answered", "told_as"),
    [
        ("same", "0a1f", "0a1f"),
        ("decimal", "0A1F", "2591"),
        ("decimal", "0000000a1f", "0000002591"),
        ("hex", "2591", "A1F"),
        ("hex", "0000002591", "0a1f"),
        ("decimal", "3f2c-no-number", "3f2c-no-number"),
    ],
)
def test_one_number_written_two_ways_is_one(ids: Ids, answered: str, told_as: str) -> None:
    in_words = Receipt(id=told_as, as_answered=False, state="DELIVRD", error="")
    assert receipted(in_words, ids) == referenced(answered, ids)
    in_options = Receipt(id=answered, as_answered=True, state="DELIVRD", error="")
    assert receipted(in_options, ids) == referenced(answered, ids)
