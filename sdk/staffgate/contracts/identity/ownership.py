"""Handing the organisation over to another owner, and closing it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import END


class OfferOwnership(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To an active administrator."""

    to: UUID


class OwnershipOffer(msgspec.Struct, kw_only=True):
    """Nothing has changed hands until `to` accepts."""

    offered_by: UUID
    to: UUID
    offered_at: datetime
    expires_at: datetime


class CloseOrganisation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The organisation's number, typed to confirm that this one is meant."""

    number: Annotated[str, Meta(max_length=64, pattern=r"^[0-9A-Za-z\-]+" + END)]


class OrganisationEnded(msgspec.Struct, kw_only=True):
    """`erased_after`: from then on the personal data of its people is gone."""

    closed_at: datetime
    erased_after: datetime
