"""An address in the one form that is compared, and as it may be kept: an HMAC, and a few letters of it to be shown.

In capitals or not it is the same address, and two mailboxes are never one: `strasse@` is not `straße@`. What follows a plus
belongs to it: that `jane+x@` is dead says nothing of `jane@`.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from contextlib import suppress
from typing import Annotated

from msgspec import Meta

from services.notify.channels.letter import in_dns

E164 = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{4,14}$")]


class Addresses:
    """`key` is what addresses are kept under: without it a list of digests is a list of guesses."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def digest(self, channel: str, address: str) -> bytes:
        return hmac.digest(self._key, f"suppression/{channel}/{canonical(channel, address)}".encode(), "sha256")


def canonical(channel: str, address: str) -> str:
    return "+" + re.sub(r"\D", "", address) if channel == "sms" else _email(address)


def masked(channel: str, address: str) -> str:
    """`j***@acme.example`, `+61***89`."""
    address = canonical(channel, address)
    if channel == "sms":
        return f"{address[:3]}***{address[-2:]}"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _email(address: str) -> str:
    """Lower case, the domain in ASCII as letters have it: two ways to write a domain are one."""
    local, _, domain = unicodedata.normalize("NFC", address).strip().lower().rpartition("@")
    with suppress(UnicodeError):  # what is no name of a domain is still the same text
        domain = in_dns(domain.rstrip("."))
    return f"{local}@{domain}"
