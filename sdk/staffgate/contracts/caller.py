"""Who is asking: what an access token says once it has been verified."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec


class StaffType(StrEnum):
    """The three types of staff account (permission model, section 1)."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    STANDARD = "standard"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in member of staff."""

    staff: UUID
    org: UUID
    type: StaffType
    session: UUID
    amr: tuple[str, ...] = ()
    acr: str = ""
    auth_time: int = 0  # seconds since the epoch: when a factor was shown last

    @property
    def administers(self) -> bool:
        return self.type is not StaffType.STANDARD


class Enrolling(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has to do something before they are let in: enrol a second factor, or change an expired password.

    Not a Person, so that no operation takes it for one: those that it may call name it.
    """

    staff: UUID
    org: UUID
    type: StaffType
    session: UUID
    amr: tuple[str, ...] = ()
    acr: str = ""
    auth_time: int = 0

    @property
    def administers(self) -> bool:
        return self.type is not StaffType.STANDARD


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product service, signed in with its own credentials. It serves every organisation."""

    name: str


Caller = Person | Enrolling | Product
