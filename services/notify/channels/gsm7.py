"""How long an SMS is: 160 characters of the GSM alphabet (3GPP TS 23.038) make one message, and 70 of any other."""

from __future__ import annotations

import unicodedata

# In the order of the standard's table, so that a character's place is its code; the escape is no character.
_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_BASIC = {character: code for code, character in enumerate(_ALPHABET) if code != _ESCAPE}
_EXTENDED = {  # two places each: the escape, and this
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
_GSM_PLACES = 160
_OTHER_PLACES = 70
# Of several messages each loses seven septets, or three UTF-16 units, to the header that numbers it (TS 23.040).
_GSM_PART = 153
_OTHER_PART = 67


def is_gsm(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENDED for character in text)


def places(text: str) -> int:
    """Septets of a GSM text, UTF-16 units of any other."""
    if is_gsm(text):
        return len(text) + sum(character in _EXTENDED for character in text)
    return _units(text)


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
    return len(parts(text))


def parts(text: str) -> list[str]:
    """A text as the messages it takes. They are split between characters, so an escaped one, or one of two UTF-16 units,
    that would straddle two moves to the next."""
    if places(text) <= room(text):
        return [text]
    gsm = is_gsm(text)
    found, left = [""], _GSM_PART if gsm else _OTHER_PART
    for character in text:
        size = places(character) if gsm else _units(character)
        if size > left:
            found.append("")
            left = _GSM_PART if gsm else _OTHER_PART
        found[-1] += character
        left -= size
    return found


def encoded(text: str) -> bytes:
    """A GSM text, one septet in each byte."""
    return b"".join(
        bytes([_BASIC[character]]) if character in _BASIC else bytes([_ESCAPE, _EXTENDED[character]])
        for character in text
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2
