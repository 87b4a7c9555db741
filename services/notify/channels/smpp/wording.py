"""A text as short messages: in which alphabet, in how many parts, and how a telephone puts them together again."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from services.notify.channels import gsm7
from services.notify.channels.port import Rejected
from services.notify.channels.smpp.pdu import Option

_GSM, _UCS2 = 0x00, 0x08  # data_coding
_WITH_HEADER = 0x40  # esm_class: the text begins with a user data header
_MOST_PARTS = 255
_LONGEST_PAYLOAD = 65_535


class Part(msgspec.Struct, frozen=True, kw_only=True):
    data_coding: int
    esm_class: int = 0
    text: bytes = b""
    options: dict[int, bytes] = {}


def worded(text: str, reference: int, *, as_payload: bool) -> list[Part]:
    """`reference` (0 to 255) is the same however often a text is sent: a telephone that gets a part twice then knows it."""
    coding = _GSM if gsm7.is_gsm(text) else _UCS2
    texts = gsm7.parts(text)
    if len(texts) == 1:
        return [Part(data_coding=coding, text=_encoded(text, coding))]
    if as_payload:
        payload = _encoded(text, coding)
        if len(payload) > _LONGEST_PAYLOAD:
            raise Rejected("too long for one message")
        return [Part(data_coding=coding, options={Option.MESSAGE_PAYLOAD: payload})]
    if len(texts) > _MOST_PARTS:
        raise Rejected("too long for one message")
    return [
        Part(
            data_coding=coding,
            esm_class=_WITH_HEADER,
            # 3GPP TS 23.040, 9.2.3.24.1: of five bytes, element 0 of three: which message, how many parts, which of them.
            text=bytes([5, 0, 3, reference, len(texts), number]) + _encoded(part, coding),
        )
        for number, part in enumerate(texts, start=1)
    ]


def _encoded(text: str, coding: int) -> bytes:
    return gsm7.encoded(text) if coding == _GSM else text.encode("utf-16-be")


def validity(time: timedelta) -> str:
    """So long from now, `YYMMDDhhmmss000R`; at least a second, at most 99 days."""
    seconds = max(1, min(int(time.total_seconds()), 99 * 86_400))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"
