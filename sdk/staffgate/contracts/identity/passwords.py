"""Passwords: changing one's own, and setting a new one by link where it was forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import LinkPurpose, Password, Secret


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The present one, and the one that is to take its place."""

    current: Annotated[str, Meta(max_length=4096)]
    password: Password


class AskForReset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    login: Annotated[str, Meta(max_length=256, description="Organisation\\username")]


class ResetAsked(msgspec.Struct, kw_only=True):
    """The same for everybody: where there is such an account, a link goes to its address, good for so many seconds."""

    link_lifetime: int


class FinishReset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    token: Secret
    password: Password


class PasswordSet(msgspec.Struct, kw_only=True):
    """What to type at login. `device` is to be kept, and shown at login: no stranger's guesses hold it up."""

    login: str
    device: str


class PasswordLinkSent(msgspec.Struct, kw_only=True):
    """`purpose`: somebody who is not activated yet gets the activation link. Every older link of it is dead."""

    purpose: LinkPurpose
    sent_at: datetime
    sent_count: int
    expires_at: datetime
