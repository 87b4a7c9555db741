"""A text as short messages: 3GPP TS 23.038 (the alphabet) and TS 23.040 (how several make one)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import gsm7
from services.notify.channels.port import Rejected
from services.notify.channels.smpp.pdu import Option
from services.notify.channels.smpp.wording import Part, validity, worded

# The standard's default table, as Unicode; 0x1B leads to the extension.
DEFAULT = [
    0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5,
    0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, None, 0xC6, 0xE6, 0xDF, 0xC9,
    0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40),
    0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7,
    0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0,
]  # fmt: skip
EXTENSION = {
    0x0A: 0x0C, 0x14: 0x5E, 0x28: 0x7B, 0x29: 0x7D, 0x2F: 0x5C, 0x3C: 0x5B, 0x3D: 0x7E, 0x3E: 0x5D, 0x40: 0x7C, 0x65: 0x20AC,
}  # fmt: skip
GSM = st.text(
    st.sampled_from([chr(code) for code in [*DEFAULT, *EXTENSION.values()] if code is not None]), max_size=700
)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def decoded(septets: bytes) -> str:
    """By the standard's tables, and not by ours."""
    found, codes = "", iter(septets)
    for code in codes:
        point = EXTENSION[next(codes)] if code == 0x1B else DEFAULT[code]
        assert point is not None
        found += chr(point)
    return found


def test_the_alphabet_is_the_standards() -> None:
    assert len(DEFAULT) == 128
    for code, point in enumerate(DEFAULT):
        if point is not None:
            assert gsm7.encoded(chr(point)) == bytes([code])
    for code, point in EXTENSION.items():
        assert gsm7.encoded(chr(point)) == bytes([0x1B, code])
    ours = {chr(point) for point in range(0x10000) if not 0xD800 <= point < 0xE000 and gsm7.is_gsm(chr(point))}
    assert ours == {chr(point) for point in [*DEFAULT, *EXTENSION.values()] if point is not None}


@given(GSM)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    assert decoded(gsm7.encoded(text)) == text
    assert gsm7.places(text) == len(gsm7.encoded(text))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("€" * 80, [80]),
        ("€" * 81, [76, 5]),  # 153 is odd: the last place of a part stays empty
        ("a" * 152 + "€" + "b" * 10, [152, 11]),
        ("登" * 70, [70]),
        ("登" * 71, [67, 4]),
        ("😀" * 35, [35]),
        ("😀" * 36, [33, 3]),  # and so of two units each
        ("登" * 66 + "😀" * 3, [66, 3]),
    ],
)
def test_where_a_text_is_split(text: str, sizes: list[int]) -> None:
    assert [len(part) for part in gsm7.parts(text)] == sizes
    assert gsm7.segments(text) == len(sizes)


@given(GSM | ANY)
def test_the_parts_are_the_text_and_each_fits_where_it_goes(text: str) -> None:
    parts = gsm7.parts(text)
    assert "".join(parts) == text
    gsm, several = gsm7.is_gsm(text), len(parts) > 1
    for part in parts:
        septets = gsm7.places(part) if gsm else 0
        octets = (septets * 7 + 7) // 8 if gsm else len(part.encode("utf-16-be"))
        assert octets + 6 * several <= 140  # a message's octets, and a header's six


@pytest.mark.parametrize(("text", "coding"), [("{code} 5 €", 0x00), ("Zoë", 0x08), ("登录", 0x08)])
def test_one_message_is_one_part_without_a_header(text: str, coding: int) -> None:
    (part,) = worded(text, 7, as_payload=False)
    assert (part.data_coding, part.esm_class, part.options) == (coding, 0, {})
    assert (decoded(part.text) if coding == 0 else part.text.decode("utf-16-be")) == text


@given(GSM | ANY, st.integers(0, 255))
def test_a_telephone_puts_the_parts_together(text: str, reference: int) -> None:
    parts = worded(text, reference, as_payload=False)
    if len(parts) == 1:
        return
    for number, part in enumerate(parts, start=1):
        assert part.esm_class == 0x40
        # Five bytes of header; element 0, of three bytes: which message, how many parts, which of them.
        assert part.text[:6] == bytes([5, 0, 3, reference, len(parts), number])
        assert len(part.text) <= 159
    assert "".join(shown(part) for part in parts) == text


def shown(part: Part) -> str:
    return decoded(part.text[6:]) if part.data_coding == 0 else part.text[6:].decode("utf-16-be")


def test_a_long_text_as_a_payload_is_one_message() -> None:
    (part,) = worded("登" * 100, 7, as_payload=True)
    assert part == Part(data_coding=8, options={Option.MESSAGE_PAYLOAD: ("登" * 100).encode("utf-16-be")})
    (short,) = worded("hello", 7, as_payload=True)
    assert short == Part(data_coding=0, text=b"hello")


@pytest.mark.parametrize("as_payload", [True, False])
def test_what_is_longer_than_any_message_is_refused(as_payload: bool) -> None:
    with pytest.raises(Rejected):
        worded("a" * 70_000, 7, as_payload=as_payload)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(minutes=10), "000000001000000R"),
        (timedelta(hours=25, seconds=7), "000001010007000R"),
        (timedelta(seconds=-5), "000000000001000R"),
        (timedelta(days=500), "000099000000000R"),
    ],
)
def test_how_long_a_message_is_of_use(time: timedelta, said: str) -> None:
    assert validity(time) == said
