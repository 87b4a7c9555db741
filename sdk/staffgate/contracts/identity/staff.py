"""Staff accounts: who belongs to the organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity.names import END, Email, Mobile, PersonName, StaffStatus, Username
from staffgate.contracts.level import Level

Extension = Annotated[str, Meta(min_length=1, max_length=16, pattern=r"^[0-9*#]+" + END)]


class AddStaff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Without a username it is the extension. An account without portal (`portal: false`) never gets in."""

    type: Literal["administrator", "standard"]
    name: PersonName
    email: Email
    username: Username | None = None
    extension: Extension | None = None
    mobile: Mobile | None = None
    portal: bool = True
    default_level: Level = Level.DENY
    route_anywhere: bool = False


class Staff(msgspec.Struct, kw_only=True):
    id: UUID
    type: StaffType
    status: StaffStatus
    locked: bool
    username: str
    extension: str | None
    name: str
    email: str
    mobile: str | None
    portal: bool
    default_level: Level
    route_anywhere: bool
    roles: list[str]
    team: str | None
    availability: str
    activation_sent_at: datetime | None
    activation_sent_count: int
    version: int


class StaffList(msgspec.Struct, kw_only=True):
    staff: list[Staff]


class ActivationSent(msgspec.Struct, kw_only=True):
    """How often the link was sent, and how long the newest is good for. Every older one is dead."""

    sent_at: datetime
    sent_count: int
    expires_at: datetime
