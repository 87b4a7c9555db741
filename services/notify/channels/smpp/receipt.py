"""What a server tells of a message that it took before: options where it sends them, else the text that all send.

The text repeats the beginning of the message, which may be a code: of it nothing is kept but the words asked for here.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from services.notify.channels.smpp.pdu import Option, ShortMessage

_KIND = 0b00111100  # of esm_class: what a deliver_sm is
_RECEIPT = 0b00000100
_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
_ID = re.compile(r"\bid:\s*([!-~]{1,64})", re.IGNORECASE)
_STATE = re.compile(r"\bstat:\s*([A-Z]{1,10})", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*([0-9A-Z]{1,10})", re.IGNORECASE)
_WORDS_OF_THE_MESSAGE = re.compile(r"\btext:", re.IGNORECASE)
_DIGITS = {10: re.compile(r"[0-9]{1,64}"), 16: re.compile(r"[0-9A-Fa-f]{1,64}")}

Ids = Literal["same", "decimal", "hex"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`id` as the server wrote it: `as_answered` as in its answer, else in its receipts' own manner."""

    id: str
    as_answered: bool
    state: str
    error: str


def read(message: ShortMessage) -> Receipt | None:
    """None for what is no receipt, or doesn't say of which message or in which state."""
    if message.esm_class & _KIND != _RECEIPT:
        return None
    text = _WORDS_OF_THE_MESSAGE.split(_text(message), maxsplit=1)[0]
    written = _word(_ID, text)
    id = message.options.get(Option.RECEIPTED_MESSAGE_ID, b"")[:65].split(b"\0")[0].decode("latin-1") or written
    state = _STATES.get(int.from_bytes(message.options.get(Option.MESSAGE_STATE, b"")[:1])) or _word(_STATE, text)
    if not id or not state:
        return None
    return Receipt(id=id, as_answered=id != written, state=state.upper(), error=_word(_ERROR, text))


def _text(message: ShortMessage) -> str:
    content = message.text or message.options.get(Option.MESSAGE_PAYLOAD, b"")
    return content.decode("utf-16-be" if message.data_coding == 0x08 else "latin-1", errors="replace")


def _word(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


# --- one number, written two ways -----------------------------------------------------------------------------


def referenced(id: str, ids: Ids) -> str:
    """What an answer called a message, so that its receipt is found by it: where receipts write the number otherwise both
    are made decimal. What is no such number stays as it is."""
    return id if ids == "same" else _decimal(id, 16 if ids == "decimal" else 10)


def receipted(receipt: Receipt, ids: Ids) -> str:
    """The same of what a receipt calls it."""
    if receipt.as_answered or ids == "same":
        return referenced(receipt.id, ids)
    return _decimal(receipt.id, 10 if ids == "decimal" else 16)


def _decimal(id: str, base: int) -> str:
    return str(int(id, base)) if _DIGITS[base].fullmatch(id) else id
