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
