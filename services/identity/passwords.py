"""Passwords: argon2id in a pool of its own, and nothing that is easy to guess.

19 MiB, two passes, one lane (the OWASP minimum) takes 22 ms here, the library's default 300. In a thread, because the
hash lets go of the interpreter; in a bounded pool, because a flood of logins would otherwise take all the memory.
"""

from __future__ import annotations

import asyncio
import os
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn_rs_py import zxcvbn

from shared.errors import Invalid, Unavailable

MINIMUM = 8  # code points; enough where a second factor is always asked (SP 800-63B-4 section 3.1.1.2)
_STRENGTH = 3  # of 4: safely unguessable
_WAITING = 32
T = TypeVar("T")


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="argon2")
        self._busy = 0
        # Checked when there is nobody to check, so that the answer takes as long; made with the present parameters.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Exactly one hash is computed, whatever is stored and whatever was typed."""
        matches = await self._run(lambda: self._matches(stored or self._nobody, _normal(password)))
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._busy >= _WAITING:
            raise Unavailable("busy", "Too many people are logging in at this moment; try again in a second.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._busy -= 1


def require_strength(password: str, known: Sequence[str]) -> None:
    """`known` are words that an attacker would try first: the organisation's and the person's own."""
    if len(_normal(password)) < MINIMUM:
        raise Invalid("password_too_short", f"A password has at least {MINIMUM} characters.")
    if any(len(word) > 2 and word.casefold() in password.casefold() for word in known):
        raise Invalid("password_too_obvious", "Leave your own and your organisation's name out of the password.")
    # The estimate grows with the square of the length, and what comes after 72 characters does not make it weaker.
    if int(zxcvbn(_normal(password)[:72], user_inputs=list(known)).score) < _STRENGTH:
        raise Invalid("password_too_weak", "This password is easy to guess; a few unrelated words make a good one.")


def _normal(password: str) -> str:
    """The same password from every keyboard; neither trimmed nor cut."""
    return unicodedata.normalize("NFC", password)
