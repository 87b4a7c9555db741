"""What a channel is to the rest of notify."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

_LONGEST_ANSWER = 200
# Providers repeat what they were given: addresses, links, and numbers long enough to be a code or a telephone's.
_PRIVATE = re.compile(r"\S+@\S+|https?://\S+|(?<!\w)\+?\d(?:[ ()\-]*\d){5,}(?!\w)", re.IGNORECASE)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it leaves. The id stays the same however often it is tried."""

    id: UUID
    to: str
    subject: str
    text: str
    html: str
    sent_at: datetime


class Deferred(Exception):
    """Not taken now; it may be taken later. Carries the answer, fit to be kept."""


class Rejected(Exception):
    """Will never be taken. Carries the answer, fit to be kept."""


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    def opened(self) -> AbstractAsyncContextManager[object]: ...

    async def send(self, message: Outgoing) -> str:
        """The provider's answer, once it has taken the message. Raise Deferred or Rejected."""
        ...


def fit_to_keep(answer: str) -> str:
    """A provider's answer without what is private, on one line, of bounded length."""
    printable = "".join(character if character.isprintable() else " " for character in answer)
    return _PRIVATE.sub("***", " ".join(printable.split()))[:_LONGEST_ANSWER]
