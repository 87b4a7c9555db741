"""Staff accounts: who belongs to the organisation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity.names import END, Email, Locale, Mobile, PersonName, StaffStatus, Username
from staffgate.contracts.level import Level

Extension = Annotated[str, Meta(min_length=1, max_length=16, pattern=r"^[0-9*#]+" + END)]


class AddStaff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Without a username it is the extension. An account without portal (`portal: false`) never gets in. Messages are
    written in the language of `locale`, or without one in the organisation's."""

    type: Literal["administrator", "standard"]
    name: PersonName
    email: Email
    username: Username | None = None
    extension: Extension | None = None
    mobile: Mobile | None = None
    locale: Locale | None = None
    portal: bool = True
    default_level: Level = Level.DENY
    route_anywhere: bool = False


class EditStaff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be otherwise; the rest stays. `extension`, `mobile` and `locale` are taken away by null."""

    type: Literal["administrator", "standard"] | UnsetType = UNSET
    name: PersonName | UnsetType = UNSET
    username: Username | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    extension: Extension | UnsetType | None = UNSET
    mobile: Mobile | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    portal: bool | UnsetType = UNSET


class HandOver(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To whom products give what is open: an active colleague with portal."""

    handover_to: UUID | None = None


class Activation(StrEnum):
    """Whoever has not activated the account yet was sent an activation e-mail, or not; the newest has expired, or did not
    reach them. Without portal there is nothing to activate."""

    NOT_SENT = "not_sent"
    SENT = "sent"
    EXPIRED = "expired"
    UNDELIVERABLE = "undeliverable"
    DONE = "done"
    NOT_NEEDED = "not_needed"


class Unreachable(msgspec.Struct, kw_only=True):
    """Messages do not reach a person there: the address is dead, or nothing may be sent to it. `reason` is notify's."""

    channel: Literal["email", "sms"]
    reason: str
    since: datetime


class Staff(msgspec.Struct, kw_only=True):
    """`activation_sent_at` is when the e-mail was sent last, `weblink` where visitors reach the person. `unreachable` is
    empty as long as nothing is known against their addresses."""

    id: UUID
    type: StaffType
    status: StaffStatus
    locked: bool
    username: str
    extension: str | None
    name: str
    email: str
    mobile: str | None
    locale: str | None
    portal: bool
    default_level: Level
    route_anywhere: bool
    roles: list[str]
    team: str | None
    availability: str
    activation: Activation
    activation_sent_at: datetime | None
    activation_sent_count: int
    weblink: str | None
    unreachable: list[Unreachable]
    version: int


_Column = Literal["name", "email", "role", "team", "availability", "status", "username"]
_Downwards = Literal["-name", "-email", "-role", "-team", "-availability", "-status", "-username"]
_Given = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*" + END)]


class StaffQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom to list, and how. `activated` are those who are active or invited, `deactivated` the suspended ones, `all` both;
    the deleted ones administrators see until they are erased.

    `q` is part of a name, username, e-mail address or extension; `role` and `team` are whole names. `sort` with a minus
    goes downwards. `after` is the `next` of the page before: order and filter have to be the same as there.
    """

    status: Literal["activated", "deactivated", "all", "invited", "active", "suspended", "deleted"] = "activated"
    type: Literal["owner", "administrator", "standard"] | None = None
    team: _Given | None = None
    role: _Given | None = None
    availability: Literal["online", "away", "offline"] | None = None
    locked: bool | None = None
    unreachable: bool | None = None
    q: _Given = ""
    sort: _Column | _Downwards = "name"
    after: Annotated[str, Meta(max_length=2000)] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    total: bool = False


class StaffList(msgspec.Struct, kw_only=True):
    """A page. `next` is null on the last one, and `total` unless it was asked for."""

    staff: list[Staff]
    next: str | None
    total: int | None


class Weblink(msgspec.Struct, kw_only=True):
    """Where visitors reach a person, as an address and as a QR code (SVG). It works while `live`: while the account is
    active."""

    url: str
    qr: str
    live: bool


class WeblinkAddressee(msgspec.Struct, kw_only=True):
    """Whom a weblink leads to."""

    organisation: UUID
    staff: UUID


class ActivationSent(msgspec.Struct, kw_only=True):
    """How often the link was sent, and how long the newest is good for. Every older one is dead."""

    sent_at: datetime
    sent_count: int
    expires_at: datetime
