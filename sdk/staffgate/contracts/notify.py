"""What notify speaks: what became of a message."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.event import Event
from staffgate.contracts.identity.names import END

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


# Not a datetime: in a query string that would take -1 for a second of 1969.
_Moment = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+\-]\d\d:\d\d)" + END,
        extra_json_schema={"format": "date-time"},
    ),
]
_Word = Annotated[str, Meta(max_length=100, pattern=r"^[A-Za-z0-9_.\-]+" + END)]


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which to list. `template` is a message's kind, of a webhook the type of its event; `since` is when it was queued.
    `after` is the `next` of the page before."""

    staff: UUID | None = None
    state: DeliveryState | None = None
    channel: ChannelName | None = None
    template: _Word | None = None
    provider: _Word | None = None
    since: _Moment | None = None
    after: Annotated[str, Meta(max_length=100)] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class DeliveryList(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    deliveries: list[Delivery]
    next: str | None = None


Colour = Annotated[str, Meta(pattern=r"^(#[0-9a-fA-F]{6})?" + END, description="#rrggbb, or empty")]
BrandName = Annotated[str, Meta(max_length=60)]
ReplyTo = Annotated[str, Meta(max_length=254, description="An e-mail address, or empty")]
Locale = Literal["en", "de", "es", "fr", "zh-Hant"]


class SetBranding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the organisation's e-mails look and sound; what is empty is as the suite has it. `name` stands before the
    sender's ("ACME Crates via ..."), answers go to `reply_to`, and people who chose no language are written to in `locale`."""

    name: BrandName
    colour: Colour
    reply_to: ReplyTo
    locale: Locale


class Logo(msgspec.Struct, frozen=True, kw_only=True):
    """`content` is the picture itself, in base64."""

    type: Literal["image/png", "image/jpeg"]
    width: int
    height: int
    content: bytes


class Branding(msgspec.Struct, frozen=True, kw_only=True):
    """`button` is what becomes of the colour: a button that can be seen on white, and the colour of its words."""

    name: str
    colour: str
    button: str
    ink: str
    reply_to: str
    locale: str
    logo: Logo | None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A message that there is, and the channels that it goes by."""

    name: str
    channels: list[str]


class TemplateList(msgspec.Struct, frozen=True, kw_only=True):
    templates: list[Template]
    locales: list[str]


class AskPreview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`template` is one of the list's. Without `locale` it is in the organisation's language, without `branding` in the
    look that is saved; the logo is the saved one in any case."""

    template: _Word
    channel: Literal["email", "sms"] = "email"
    locale: Locale | None = None
    branding: SetBranding | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """An SMS has only `text`, and `segments`: how many messages it takes."""

    subject: str
    text: str
    html: str
    locale: str
    segments: int | None


CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}" + END, description="ISO 3166, two letters")]


class SetSendingPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the organisation's SMS go; null: where the suite's do."""

    countries: Annotated[list[CountryCode], Meta(max_length=250)] | None


class SendingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`own`: the organisation has chosen them. It chooses from `selectable`; if that is empty, from all there are."""

    countries: list[str]
    own: bool
    selectable: list[str]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider tells of a message that it has taken before, named by our id or by its own reference.

    A bounce is `permanent` where nothing will ever arrive at that address; with `delayed` nothing is decided yet.
    """

    status: Literal["delivered", "bounced", "complained", "delayed"]
    delivery: UUID | None = None
    reference: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*" + END)] = ""
    permanent: bool = False
    reason: Annotated[str, Meta(max_length=1000)] = ""


SuppressionReason = Literal["bounced", "complained", "added"]


class AddSuppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`address` is an e-mail address, or a telephone number in international form."""

    channel: Literal["email", "sms"]
    address: Annotated[str, Meta(max_length=254)]


class Suppression(msgspec.Struct, kw_only=True):
    """An address that nothing is sent to, `j***@acme.example`. `staff` is to whom the message was that showed it; without
    `added_by` a provider told."""

    id: UUID
    channel: str
    address: str
    reason: SuppressionReason
    staff: UUID | None
    added_by: UUID | None
    added_at: datetime


class SuppressionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` is the `next` of the page before."""

    channel: Literal["email", "sms"] | None = None
    before: UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class SuppressionList(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    suppressions: list[Suppression]
    next: UUID | None


class SuppressionChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing is sent to an address any more, or it is free again (`removed`). `by` is who did it, where somebody did."""

    type: ClassVar[str] = "notify.suppression.changed.v1"

    suppression: UUID
    channel: str
    reason: SuppressionReason
    removed: bool = False
    staff: UUID | None = None
    by: UUID | None = None

    @property
    def subject(self) -> UUID:
        return self.suppression


class MessageEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a message to a person. `message` is the id of the link, code or notice; `security` says that the
    person can't get in, or isn't warned, without it; `contact` is what the event that promised it called its address.

    `at` is when the message left, or was given up. These events come in any order, and what a later message has shown of an
    address stands against what is told of an earlier one.
    """

    staff: UUID
    message: UUID
    channel: str
    template: str
    security: bool
    contact: str = ""
    at: datetime | None = None

    @property
    def subject(self) -> UUID:
        return self.message


class MessageDelivered(MessageEvent, frozen=True, kw_only=True):
    """The provider has told that it has arrived."""

    type: ClassVar[str] = "notify.message.delivered.v1"


class MessageFailed(MessageEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It was not sent, and won't be, unless it is dead and somebody replays it. `by` has dropped it."""

    type: ClassVar[str] = "notify.message.failed.v1"

    reason: Reason
    by: UUID | None = None


class MessageBounced(MessageEvent, frozen=True, kw_only=True):
    """It was taken, and came back or was complained of."""

    type: ClassVar[str] = "notify.message.bounced.v1"

    reason: Reason
