"""Organisations: registering one, and how it is known."""

from __future__ import annotations

from uuid import UUID

import msgspec

from staffgate.contracts.identity.names import Email, Locale, Mobile, OrganisationUsername, PersonName, Username


class NewOwner(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: PersonName
    email: Email
    username: Username
    mobile: Mobile | None = None
    locale: Locale | None = None


class RegisterOrganisation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: PersonName
    owner: NewOwner


class Registration(msgspec.Struct, kw_only=True):
    """The organisation's number stands in for its username at login until one is selected."""

    organisation: UUID
    number: str


class SelectUsername(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    username: OrganisationUsername


class Organisation(msgspec.Struct, kw_only=True):
    id: UUID
    number: str
    name: str
    username: str | None


class NameOrganisation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How it is called; what is typed at login does not change with it."""

    name: PersonName
