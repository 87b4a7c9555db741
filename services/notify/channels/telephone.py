"""Telephone numbers as every SMS provider takes them."""

from __future__ import annotations

import re

import msgspec

from services.notify.channels.port import Rejected
from staffgate.contracts.identity import Mobile

_E164 = re.compile(r"\+[1-9][0-9]{4,14}")


def e164(number: str) -> str:
    """`+61400000000`. Raise Rejected for what is no number in its international form."""
    try:
        bare = "+" + re.sub(r"\D", "", msgspec.convert(number, Mobile))
    except msgspec.ValidationError as fault:
        raise Rejected("this is no telephone number") from fault
    if not _E164.fullmatch(bare):
        raise Rejected("this is no telephone number")
    return bare
