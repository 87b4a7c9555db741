"""Getting in and staying in: links, logins, second factors, tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import END, FactorKind, Password, Secret


class Activate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    token: Secret
    password: Password


class Activated(msgspec.Struct, kw_only=True):
    """What to type at login from now on. `device` is to be kept, and shown at login: no stranger's guesses hold it up."""

    login: str
    device: str


class Login(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    login: Annotated[str, Meta(max_length=256, description="Organisation\\username")]
    password: Annotated[str, Meta(max_length=4096)]
    device: Secret | None = None


class RememberedDevice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    device: Secret


class RememberedOrganisation(msgspec.Struct, kw_only=True):
    """What stands before the backslash at login."""

    organisation: str


class Factor(msgspec.Struct, kw_only=True):
    """A second factor that this person can use now; `hint` shows where a code would go. Codes by e-mail and SMS are the
    weaker ones: whoever reads the mailbox, or takes over the number, has them."""

    kind: FactorKind
    hint: str | None = None
    strength: Literal["strong", "weaker"] = "strong"


class LoginStarted(msgspec.Struct, kw_only=True):
    """`enrol`: none of the factors that the organisation allows is there yet, so that finishing leads to a session in
    which nothing can be done but enrol one. Without factors, where the organisation does not require any, finish with
    none. `password_expired`: the session can do nothing but change the password."""

    transaction: str
    expires_at: datetime
    factors: list[Factor]
    enrol: bool = False
    password_expired: bool = False


class SendCode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
    factor: Literal["email", "sms"]


class CodeSent(msgspec.Struct, kw_only=True):
    expires_at: datetime


Code = Annotated[str, Meta(min_length=6, max_length=32, pattern=r"^[0-9A-Za-z\-]+" + END)]


class Proof(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What proves a second factor: the code that was sent, that the app shows or that is on the list of recovery codes;
    or the passkey's answer (`PublicKeyCredential.toJSON()`). Without a factor where none is required and none is there."""

    factor: FactorKind | None = None
    code: Code | None = None
    credential: dict[str, Any] | None = None


class FinishLogin(Proof, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret


class Tokens(msgspec.Struct, kw_only=True):
    """RFC 6749 section 5.1. A product service gets no refresh token: it asks again with its credentials."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str | None
    device: str | None = None


class Session(msgspec.Struct, kw_only=True):
    """`present`: the one that is asked with."""

    id: UUID
    ip: str
    agent: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    amr: list[str]
    acr: str
    present: bool


class SessionList(msgspec.Struct, kw_only=True):
    sessions: list[Session]


class RefreshGrant(msgspec.Struct, tag_field="grant_type", tag="refresh_token", kw_only=True):
    refresh_token: Secret


class ClientCredentialsGrant(msgspec.Struct, tag_field="grant_type", tag="client_credentials", kw_only=True):
    """Without its credentials here, they are in the header: HTTP Basic (RFC 6749 section 2.3.1)."""

    client_id: Secret | None = None
    client_secret: Secret | None = None


TokenRequest = RefreshGrant | ClientCredentialsGrant


class KeySet(msgspec.Struct, kw_only=True):
    """A JWK set (RFC 7517): public keys only."""

    keys: list[dict[str, str]]


class Revocations(msgspec.Struct, kw_only=True):
    """Sessions that ended while one of their access tokens may still be unexpired."""

    sessions: list[UUID]
