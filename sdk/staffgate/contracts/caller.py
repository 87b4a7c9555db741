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

    @property
    def administers(self) -> bool:
        return self.type is not StaffType.STANDARD


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product service, signed in with its own credentials. It serves every organisation."""

    name: str


Caller = Person | Product
