"""An organisation's lists: the numbers that its staff may appear with, and the visitors that are turned away."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import END, TEXT, Mobile

Words = Annotated[str, Meta(max_length=200, pattern=rf"^{TEXT}*" + END)]
_Typed = Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[^\x00-\x1f\x7f]+" + END)]


class NumberPurpose(StrEnum):
    """What a number is shown as: the caller of a call, or the sender of a message."""

    CALLER_ID = "caller_id"
    SMS_SENDER = "sms_sender"


class AllowNumber(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    label: Words = ""
    purposes: Annotated[list[NumberPurpose], Meta(min_length=1, max_length=2)]


class AllowedNumber(msgspec.Struct, kw_only=True):
    """`number` in E.164."""

    number: str
    label: str
    purposes: list[NumberPurpose]
    added_by: UUID
    added_at: datetime


class AllowedNumbers(msgspec.Struct, kw_only=True):
    """Where no number is listed for a purpose, every number is allowed for it."""

    numbers: list[AllowedNumber]


class CheckNumber(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    org: UUID
    number: Mobile
    purpose: NumberPurpose


class NumberChecked(msgspec.Struct, kw_only=True):
    """`listed`: the number itself is on the list."""

    allowed: bool
    listed: bool


class VisitorKind(StrEnum):
    NUMBER = "number"
    EMAIL = "email"
    IP = "ip"


class BlockVisitor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`value` is a telephone number in international form, an e-mail address, or an address or network (CIDR)."""

    kind: VisitorKind
    value: _Typed
    reason: Words = ""


class BlockedVisitor(msgspec.Struct, kw_only=True):
    """`value` in the one form that is compared: E.164, lower case with the domain in ASCII, CIDR."""

    id: UUID
    kind: VisitorKind
    value: str
    reason: str
    added_by: UUID
    added_at: datetime


class BlocklistQuery(msgspec.Struct, kw_only=True):
    """`q` is looked for in values and reasons. `before` is the `next` of the page before."""

    kind: VisitorKind | None = None
    q: Annotated[str, Meta(max_length=100)] = ""
    before: UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class Blocklist(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    visitors: list[BlockedVisitor]
    next: UUID | None


class CheckVisitor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is known of the visitor: at least one of the three."""

    org: UUID
    number: Mobile | None = None
    email: _Typed | None = None
    ip: _Typed | None = None


class VisitorMatch(msgspec.Struct, kw_only=True):
    id: UUID
    kind: VisitorKind


class VisitorChecked(msgspec.Struct, kw_only=True):
    """`matches` are the entries that turn the visitor away."""

    blocked: bool
    matches: list[VisitorMatch]
