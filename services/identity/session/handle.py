"""Opaque handles that people and programs carry: link tokens, login transactions, refresh tokens.

A handle names its organisation in clear, so that looking it up is a query inside one organisation like any other, and
holds 256 random bits, of which only the SHA-256 is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from shared.ids import Ids

_ORG_LENGTH = 22  # 16 bytes in base64url without padding


def issue(ids: Ids, org: UUID) -> str:
    return _encode(org.bytes) + ids.secret()


def successor(handle: str, org: UUID, key: bytes) -> str:
    """The one handle that can follow this one: whoever asks twice gets the same answer, and nothing is kept for that."""
    return _encode(org.bytes) + _encode(hmac.digest(key, b"successor" + handle.encode(), "sha256"))


def digest(handle: str) -> bytes:
    return hashlib.sha256(handle.encode()).digest()


def organisation(handle: str) -> UUID | None:
    """The organisation that the handle names, or None for something that is no handle at all."""
    try:
        return UUID(bytes=base64.urlsafe_b64decode(handle[:_ORG_LENGTH] + "=="))
    except ValueError:
        return None


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
