"""Whether a person takes enquiries now, and on which channels."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

# The items of the section Channels (permission model, section 4). Which of them a person may operate, authz says.
Channel = Literal["webchat", "phone", "email", "facebook", "whatsapp", "sms"]
Channels = Annotated[list[Channel], Meta(max_length=6)]


class AvailabilityName(StrEnum):
    """Whoever is offline takes nothing; whoever is signed in nowhere is offline."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class SetAvailability(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    state: AvailabilityName


class ChannelsTaken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """On which channels a person takes enquiries while online, and while away."""

    online: Channels
    away: Channels


class Availability(msgspec.Struct, kw_only=True):
    """`channels` are those of the present state. Newer states have a greater version."""

    staff: UUID
    state: AvailabilityName
    channels: list[Channel]
    version: int


class AvailabilityQuery(msgspec.Struct, kw_only=True):
    """At most 100 people of one organisation, with a comma between their ids."""

    org: UUID
    staff: Annotated[str, Meta(min_length=36, max_length=3699, pattern=r"^[0-9a-fA-F,\-]+$")]


class AvailabilityList(msgspec.Struct, kw_only=True):
    """Whom the organisation does not have is left out."""

    availability: list[Availability]
