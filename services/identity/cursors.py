"""Where the next page of a list begins, as a token that only this service reads.

It holds the last row's sort key, which may be a name or an address: it travels in a query string, so it is encrypted. It
is good for the list, the filter and the order that it was given for, and for no other; every replica can read it.
"""

from __future__ import annotations

import base64
import hmac
import os
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import Invalid

_NONCE = 12


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page."""

    key: str
    id: UUID


class Cursors:
    def __init__(self, secret: bytes) -> None:
        """`secret` is the same in every replica."""
        self._cipher = AESGCM(hmac.digest(secret, b"cursors", "sha256"))

    def seal(self, place: Place, asked: bytes) -> str:
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, msgspec.msgpack.encode(place), asked)
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, text: str, asked: bytes) -> Place:
        """`asked` is everything that may not change between pages."""
        try:
            whole = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            content = self._cipher.decrypt(whole[:_NONCE], whole[_NONCE:], asked)
        except (ValueError, InvalidTag) as fault:
            detail = "This is no place of this list, in this order and with this filter; begin without it."
            raise Invalid("unknown_cursor", detail, at="$.after") from fault
        return msgspec.msgpack.decode(content, type=Place)
