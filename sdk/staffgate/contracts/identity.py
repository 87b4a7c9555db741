"""What identity speaks: organisations, staff accounts, logging in, and the events about them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event, Stated
from staffgate.contracts.level import Level

# `$` alone would let a line feed through at the end, and with it another header into an e-mail.
_END = r"$(?!\n)"
_TEXT = r"[^\x00-\x1f\x7f<>]"
_IN_EMAIL = r"[^@\s\x00-\x1f\x7f,;<>()\[\]\\\"]"
_IN_DOMAIN = r"[^@\s.\x00-\x1f\x7f,;<>()\[\]\\\"]"

# One shape for both, so that `Organisation\Person` has exactly one reading: a letter or digit first, no separator inside.
Username = Annotated[str, Meta(min_length=2, max_length=64, pattern=r"^[^\W_][\w.\-]*" + _END)]
# No dots: mail programs make a link of `acme.example\Jane`.
OrganisationUsername = Annotated[str, Meta(min_length=2, max_length=64, pattern=r"^[^\W_][\w\-]*" + _END)]
PersonName = Annotated[
    str, Meta(min_length=1, max_length=120, pattern=rf"^{_TEXT}*[^\s\x00-\x1f\x7f<>]{_TEXT}*" + _END)
]
Email = Annotated[str, Meta(max_length=254, pattern=rf"^{_IN_EMAIL}+@{_IN_EMAIL}+\.{_IN_DOMAIN}+" + _END)]
Mobile = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=32,
        pattern=r"^\+[0-9 ()\-]+" + _END,
        description="International form, +61 400 000 000",
    ),
]
Password = Annotated[
    str, Meta(max_length=256, description="8 to 256 characters; no other rule than that it is hard to guess")
]
Secret = Annotated[str, Meta(min_length=1, max_length=512)]


class StaffStatus(StrEnum):
    """invited (shown as not activated) -> active <-> suspended."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class FactorKind(StrEnum):
    """The second factors. E-mail and SMS are the weaker ones."""

    EMAIL = "email"
    SMS = "sms"
    TOTP = "totp"


class LinkPurpose(StrEnum):
    CONFIRM = "confirm"
    ACTIVATE = "activate"


# --- requests and answers -------------------------------------------------------------------------------------


class NewOwner(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: PersonName
    email: Email
    username: Username
    mobile: Mobile | None = None


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


class AddStaff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    type: Literal["administrator", "standard"]
    name: PersonName
    email: Email
    username: Username
    mobile: Mobile | None = None
    default_level: Level = Level.DENY
    route_anywhere: bool = False


class Staff(msgspec.Struct, kw_only=True):
    id: UUID
    type: StaffType
    status: StaffStatus
    username: str
    name: str
    email: str
    mobile: str | None
    default_level: Level
    route_anywhere: bool
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


class Activate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    token: Secret
    password: Password


class Activated(msgspec.Struct, kw_only=True):
    """What to type at login from now on."""

    login: str


class Login(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    login: Annotated[str, Meta(max_length=256, description="Organisation\\username")]
    password: Annotated[str, Meta(max_length=4096)]


class Factor(msgspec.Struct, kw_only=True):
    """A second factor that this person can use now; `hint` shows where a code would go."""

    kind: FactorKind
    hint: str | None = None


class LoginStarted(msgspec.Struct, kw_only=True):
    transaction: str
    expires_at: datetime
    factors: list[Factor]


class SendCode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
    factor: Literal["email", "sms"]


class CodeSent(msgspec.Struct, kw_only=True):
    expires_at: datetime


class FinishLogin(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    transaction: Secret
    factor: FactorKind
    code: Annotated[str, Meta(min_length=6, max_length=8, pattern=r"^[0-9]+" + _END)]


class Tokens(msgspec.Struct, kw_only=True):
    """RFC 6749 section 5.1. A product service gets no refresh token: it asks again with its credentials."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str | None


class RefreshGrant(msgspec.Struct, tag_field="grant_type", tag="refresh_token", kw_only=True):
    refresh_token: Secret


class ClientCredentialsGrant(msgspec.Struct, tag_field="grant_type", tag="client_credentials", kw_only=True):
    client_id: Secret
    client_secret: Secret


TokenRequest = RefreshGrant | ClientCredentialsGrant


class TotpEnrolment(msgspec.Struct, kw_only=True):
    """Shown once. `uri` is what an authenticator app reads from a QR code."""

    secret: str
    uri: str


class ConfirmTotp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    code: Annotated[str, Meta(min_length=6, max_length=6, pattern=r"^[0-9]+" + _END)]


class KeySet(msgspec.Struct, kw_only=True):
    """A JWK set (RFC 7517): public keys only."""

    keys: list[dict[str, str]]


class Revocations(msgspec.Struct, kw_only=True):
    """Sessions that ended while one of their access tokens may still be unexpired."""

    sessions: list[UUID]


# --- events ---------------------------------------------------------------------------------------------------


class OrganisationState(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    number: str
    username: str | None
    version: int


class OrganisationEvent(Stated[OrganisationState], frozen=True, kw_only=True):
    @property
    def sequence(self) -> int:
        return self.state.version


class OrganisationRegistered(OrganisationEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.organisation.registered.v1"


class OrganisationNamed(OrganisationEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.organisation.named.v1"


class StaffState(msgspec.Struct, frozen=True, kw_only=True):
    """What the other services may know of a person; no name, no address."""

    staff: UUID
    type: StaffType
    status: StaffStatus
    default_level: Level
    route_anywhere: bool
    version: int


class StaffEvent(Stated[StaffState], frozen=True, kw_only=True):
    @property
    def subject(self) -> UUID:
        return self.state.staff

    @property
    def sequence(self) -> int:
        return self.state.version


class StaffAdded(StaffEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.staff.added.v1"


class StaffActivated(StaffEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.staff.activated.v1"


class StaffSuspended(StaffEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.staff.suspended.v1"


class StaffReactivated(StaffEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.staff.reactivated.v1"


class SessionsEnded(Event, frozen=True, kw_only=True):
    """Access tokens of these sessions are to be refused from now on."""

    type: ClassVar[str] = "identity.sessions.ended.v1"

    staff: UUID
    sessions: list[UUID]

    @property
    def subject(self) -> UUID:
        return self.staff


class LinkIssued(Event, frozen=True, kw_only=True):
    """A link has to reach somebody by e-mail. `sealed` holds a LinkMessage, to notify's key."""

    type: ClassVar[str] = "identity.link.issued.v1"

    staff: UUID
    link: UUID
    purpose: LinkPurpose
    expires_at: datetime
    sealed: str

    @property
    def subject(self) -> UUID:
        return self.staff


class CodeIssued(Event, frozen=True, kw_only=True):
    """A login code has to reach somebody. `sealed` holds a CodeMessage, to notify's key."""

    type: ClassVar[str] = "identity.code.issued.v1"

    staff: UUID
    code: UUID
    channel: Literal["email", "sms"]
    expires_at: datetime
    sealed: str

    @property
    def subject(self) -> UUID:
        return self.staff


class LinkMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside LinkIssued.sealed."""

    to: str
    name: str
    organisation: str
    login: str
    url: str


class CodeMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside CodeIssued.sealed."""

    to: str
    name: str
    organisation: str
    code: str
