"""The one source of ids, secrets and codes, so that tests can know them beforehand."""

from __future__ import annotations

import secrets
import time
from typing import Protocol
from uuid import UUID

_DIGITS = "0123456789"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# No vowels (no words), no characters that look alike: this is read out on the telephone.
_LEGIBLE = "23456789BCDFGHJKMNPQRSTVWXZ"


class Ids(Protocol):
    def uuid(self) -> UUID: ...

    def secret(self) -> str:
        """256 bits, safe in a URL."""
        ...

    def digits(self, count: int) -> str: ...

    def base32(self, count: int) -> str:
        """RFC 4648 characters, five bits each."""
        ...

    def legible(self, count: int) -> str:
        """Characters that a person can read out."""
        ...


class RandomIds:
    def uuid(self) -> UUID:
        """RFC 9562 version 7: sorts by time of making, which keeps index inserts local. PostgreSQL 15 has none of its own."""
        millis = time.time_ns() // 1_000_000
        value = (millis & (1 << 48) - 1) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
        return UUID(int=value)

    def secret(self) -> str:
        return secrets.token_urlsafe(32)

    def digits(self, count: int) -> str:
        return "".join(secrets.choice(_DIGITS) for _ in range(count))

    def base32(self, count: int) -> str:
        return "".join(secrets.choice(_BASE32) for _ in range(count))

    def legible(self, count: int) -> str:
        return "".join(secrets.choice(_LEGIBLE) for _ in range(count))
