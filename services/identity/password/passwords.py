"""Passwords: argon2id in a pool of its own, with a pepper where one is set.

19 MiB, two passes, one lane (the OWASP minimum) takes 22 ms here, the library's default 300. In a thread, because the
hash lets go of the interpreter; in a bounded pool, because a flood of logins would otherwise take all the memory.

A pepper is a key that is not in the database: whoever has only the database can't even begin to guess. The stored string
is argon2's own (PHC), behind the mark of the pepper that the password was keyed with.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Unavailable

_WAITING = 32
# Longer than any password that can be set, however it is composed. Normal form takes time with the square of the length.
_LONGEST = 1024
_PEPPER_LENGTH = 32  # bytes at least
T = TypeVar("T")
log = structlog.get_logger()


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None, pepper: bytes = b"", former_pepper: bytes = b"") -> None:
        """`former_pepper`: what was keyed with it still matches, and is keyed anew at the next login."""
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pepper = pepper
        self._peppers = {_mark(key): key for key in (b"", former_pepper, pepper)}
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="argon2")
        self._busy = 0
        # Checked when there is nobody to check, so that the answer takes as long; made with the present parameters.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        return await self.work(lambda: _mark(self._pepper) + self._hasher.hash(_keyed(self._pepper, password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Exactly one hash is computed, whatever is stored and whatever was typed."""
        return await self.work(lambda: self._matches(stored, password))

    def outdated(self, stored: str) -> bool:
        """Made with other parameters than today's, or another pepper."""
        mark, phc = _split(stored)
        return mark != _mark(self._pepper) or self._hasher.check_needs_rehash(phc)

    async def work(self, work: Callable[[], T]) -> T:
        """Do it in the pool, or refuse where too much waits already."""
        if self._busy >= _WAITING:
            raise Unavailable("busy", "Too many people are logging in at this moment; try again in a second.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._busy -= 1

    def _matches(self, stored: str | None, password: str) -> bool:
        mark, phc = _split(stored or self._nobody)
        if mark not in self._peppers:
            log.error("passwords.pepper_missing", mark=mark)
        try:
            matches = self._hasher.verify(phc, _keyed(self._peppers.get(mark, self._pepper), password))
        except (VerificationError, InvalidHashError):
            return False
        return matches and stored is not None and mark in self._peppers


def read_pepper(text: str) -> bytes:
    """As in the setting, in base64; raise ValueError."""
    key = base64.b64decode(text, validate=True)
    if key and len(key) < _PEPPER_LENGTH:
        raise ValueError(f"a pepper has at least {_PEPPER_LENGTH} bytes, in base64")
    return key


def _keyed(pepper: bytes, password: str) -> bytes:
    """The same password from every keyboard; neither trimmed nor cut."""
    plain = unicodedata.normalize("NFC", password) if len(password) <= _LONGEST else password
    # Half a surrogate pair is no text, and can be typed at login all the same: then it is as wrong as any other.
    typed = plain.encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(pepper, typed, "sha256")) if pepper else typed


def _mark(pepper: bytes) -> str:
    return f"pepper={hashlib.sha256(pepper).hexdigest()[:8]}" if pepper else ""


def _split(stored: str) -> tuple[str, str]:
    """The mark of the pepper, and argon2's own string."""
    mark, _, rest = stored.partition("$")
    return mark, f"${rest}"
