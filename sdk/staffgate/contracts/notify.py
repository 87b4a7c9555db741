"""What notify speaks: what became of a message."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from staffgate.contracts.event import Event

ChannelName = Literal["email", "sms", "webhook"]


class DeliveryState(StrEnum):
    """queued -> sending -> sent, or back to queued after a passing fault; sent -> delivered or bounced, where it is told.

    The others are reported and never sent: expired (too late, or superseded), failed (nobody will ever take it, or it must
    not be sent), dead (tried too often; it can be replayed once until its deadline), dropped (given up by hand).
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    FAILED = "failed"
    DEAD = "dead"
    DROPPED = "dropped"


class Reason(StrEnum):
    """Why a message ended unsent, or what became of it on its way."""

    TOO_LATE = "too_late"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"  # a provider says: never
    UNUSABLE = "unusable"  # it says something that no message may say
    EXHAUSTED = "exhausted"  # tried as often as it may be
    SUPPRESSED = "suppressed"  # its address is known to be dead, or has complained
    LIMITED = "limited"  # too many already
    OVER_BUDGET = "over_budget"
    COUNTRY = "country"  # the organisation does not send there
    NUMBER_KIND = "number_kind"  # premium, shared-cost and the like
    PUMPING = "pumping"  # codes to numbers like this one are hardly ever used
    NO_PROVIDER = "no_provider"  # nobody is there who sends to that country
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    DROPPED = "dropped"


class Delivery(msgspec.Struct, kw_only=True):
    """`replayable` is a dead one's that may be tried once more. `segments` are the parts of an SMS."""

    id: UUID
    staff: UUID | None
    channel: str
    template: str
    state: DeliveryState
    reason: Reason | None
    attempts: int
    provider: str | None
    segments: int | None
    created_at: datetime
    deadline: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    settled_at: datetime | None
    last_answer: str | None
    replayable: bool


class DeliveryList(msgspec.Struct, kw_only=True):
    deliveries: list[Delivery]


class MessageEvent(Event, frozen=True, kw_only=True):
    """What became of a message to a person. `message` is the id of the link, code or notice; `security` says that the
    person can't get in, or isn't warned, without it."""

    staff: UUID
    message: UUID
    channel: str
    template: str
    security: bool

    @property
    def subject(self) -> UUID:
        return self.message


class MessageDelivered(MessageEvent, frozen=True, kw_only=True):
    """The provider has told that it has arrived."""

    type: ClassVar[str] = "notify.message.delivered.v1"


class MessageFailed(MessageEvent, frozen=True, kw_only=True):
    """It was not sent, and won't be."""

    type: ClassVar[str] = "notify.message.failed.v1"

    reason: Reason


class MessageBounced(MessageEvent, frozen=True, kw_only=True):
    """It was taken, and came back or was complained of."""

    type: ClassVar[str] = "notify.message.bounced.v1"

    reason: Reason
