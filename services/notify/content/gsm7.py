"""How long an SMS is: 160 characters of the GSM alphabet (3GPP TS 23.038) make one message, and 70 of any other."""

from __future__ import annotations

import unicodedata

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")  # two places each
_GSM_PLACES = 160
_OTHER_PLACES = 70


def is_gsm(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENDED for character in text)


def places(text: str) -> int:
    """Septets of a GSM text, UTF-16 units of any other."""
    if is_gsm(text):
        return len(text) + sum(character in _EXTENDED for character in text)
    return len(text.encode("utf-16-be")) // 2


def room(text: str) -> int:
    """How many places one message has for this text."""
    return _GSM_PLACES if is_gsm(text) else _OTHER_PLACES


def simplified(text: str) -> str:
    """Letters that the alphabet lacks without their marks, where that leaves something it has."""
    return "".join(_simplified(character) for character in text)


def _simplified(character: str) -> str:
    if is_gsm(character):
        return character
    bare = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return bare if bare and is_gsm(bare) else character


def cut(text: str, most: int) -> str:
    """The beginning of a text, in at most so many places."""
    if places(text) <= most:
        return text
    mark = "..." if is_gsm(text) else "…"
    while text and places(text + mark) > most:
        text = text[:-1]
    return text.rstrip() + mark if text else ""


def segments(text: str) -> int:
    """How many messages it takes: of more than one, each loses some room to its number (153 septets, 67 of the others).

    What is sent is split at whole characters, so an escaped one that would straddle two moves to the next.
    """
    one, each = (_GSM_PLACES, 153) if is_gsm(text) else (_OTHER_PLACES, 67)
    if places(text) <= one:
        return 1
    count, room_left = 1, each
    for character in text:
        size = places(character) if is_gsm(text) else len(character.encode("utf-16-be")) // 2
        if size > room_left:
            count, room_left = count + 1, each
        room_left -= size
    return count
