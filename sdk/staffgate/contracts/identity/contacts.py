"""A person's own e-mail address and mobile number: a new one counts once it was confirmed. And their language."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import END, Email, Locale, Mobile, Secret


class ChangeEmail(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    email: Email


class EmailProposed(msgspec.Struct, kw_only=True):
    """A link went to the new address; until it is used the old one stays."""

    expires_at: datetime


class ConfirmEmail(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    token: Secret


class EmailConfirmed(msgspec.Struct, kw_only=True):
    """Whose address it is now, as that person logs in."""

    login: str


class ChangeMobile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    mobile: Mobile


class MobileProposed(msgspec.Struct, kw_only=True):
    """A code went to the number; it counts once the code was shown, together with the transaction."""

    transaction: str
    expires_at: datetime


class ConfirmMobile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
    code: Annotated[str, Meta(min_length=6, max_length=6, pattern=r"^[0-9]+" + END)]


class ChangeLocale(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The language that messages are written in; null: as the organisation has it."""

    locale: Locale | None


class TestSent(msgspec.Struct, kw_only=True):
    """A message is on its way to the caller's own address. What becomes of it the list of deliveries shows."""

    message: UUID
