"""What a provider of any channel is to the rest of notify."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from staffgate.contracts.notify import DeliveryState, Reason

_LONGEST_ANSWER, _LOOKED_AT = 200, 1000
# Providers repeat what they were given: addresses, links, and numbers long enough to be a code or a telephone's.
_PRIVATE = re.compile(r"\S+@\S+|https?://\S+|(?<!\w)\+?\d(?:[ ()\-]*\d){5,}(?!\w)", re.IGNORECASE)


LOGO_ID = "logo@staffgate"  # what an e-mail calls the picture in it: `cid:logo@staffgate`


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation's logo, which goes along inside the e-mail: nothing is loaded from anywhere when it is read."""

    content: bytes
    subtype: str  # png or jpeg


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it leaves. The id stays the same however often it is tried.

    Of an SMS there is only `text`; of a webhook that is the JSON that is posted.
    """

    id: UUID
    to: str
    text: str
    sent_at: datetime
    expires_at: datetime | None = None  # after it nobody needs it: a provider that keeps it meanwhile may let it go
    subject: str = ""
    html: str = ""
    sender_name: str = ""  # empty: as the provider's setting has it
    reply_to: str = ""
    logo: Picture | None = None
    source: str = ""  # the IP address that it was asked for from, where that is known; for limits only


class Unusable(Exception):
    """The payload says something that no message may say."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has it. `answer` is fit to be kept; `reference` is what the provider calls it, empty if it doesn't say."""

    answer: str
    reference: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider tells of a message that it has taken before. It names it by our id, or by its own reference."""

    provider: str
    delivery: UUID | None = None
    reference: str = ""
    state: Literal[DeliveryState.DELIVERED, DeliveryState.BOUNCED]
    reason: Reason | None = None  # of a bounce: BOUNCED or COMPLAINED
    permanent: bool = False  # of a bounce: nothing will ever arrive there
    answer: str = ""  # fit to be kept


Tell = Callable[[Told], Awaitable[None]]


class Deferred(Exception):
    """Not taken, for sure, and it may be taken later: something about this message. Carries the answer, fit to be kept."""


class Down(Deferred):
    """Not taken, for sure, and the provider is at fault: another one may take it right now."""


class Elsewhere(Down):
    """Not taken here, for sure, and that is about this message: another one may take it, and this one is well."""


class Unsure(Exception):
    """It may have been taken: the answer is missing. Nobody else may send it."""


class Rejected(Exception):
    """Will never be taken. Carries the answer, fit to be kept."""


class Unreachable(Rejected):
    """And nothing else for that address ever will: there is nobody."""


class Provider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def channel(self) -> str: ...

    def opened(self) -> AbstractAsyncContextManager[object]: ...

    async def send(self, message: Outgoing) -> Accepted:
        """Raise Rejected, Deferred, Down, Elsewhere or Unsure."""
        ...


def fit_to_keep(answer: str) -> str:
    """A provider's answer without what is private, on one line, of bounded length."""
    # Cut first, at a word: to look for what is private takes the square of a word's length, and anybody can bounce a mail
    # with a word of 60,000 letters in it (7 s).
    if len(answer) > _LOOKED_AT:
        answer = answer[:_LOOKED_AT].rpartition(" ")[0]
    printable = "".join(character if character.isprintable() else " " for character in answer)
    return _PRIVATE.sub("***", " ".join(printable.split()))[:_LONGEST_ANSWER]
