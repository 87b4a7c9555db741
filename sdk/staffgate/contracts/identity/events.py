"""What identity tells. No name and no address is in clear: what has to reach somebody is sealed to notify's key."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event, Stated
from staffgate.contracts.identity.names import LinkPurpose, StaffStatus
from staffgate.contracts.level import Level


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


class OrganisationClosed(OrganisationEvent, frozen=True, kw_only=True):
    """Nobody of it gets in any more, and nobody may do anything. There is no way back."""

    type: ClassVar[str] = "identity.organisation.closed.v1"


class OrganisationTransferred(OrganisationEvent, frozen=True, kw_only=True):
    """It has another owner; that the types of both have changed is told of each by itself."""

    type: ClassVar[str] = "identity.organisation.transferred.v1"

    old_owner: UUID
    new_owner: UUID


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


class StaffImported(StaffEvent, frozen=True, kw_only=True):
    """Added from a file by `by`, who may give what the file names: that was checked with authz before. A role is named by
    its id, which of a built-in one is no UUID."""

    type: ClassVar[str] = "identity.staff.imported.v1"

    by: UUID
    role: str | None
    team: UUID | None


class StaffChanged(StaffEvent, frozen=True, kw_only=True):
    """Of another type, or with or without the portal, from now on."""

    type: ClassVar[str] = "identity.staff.changed.v1"


class StaffSuspended(StaffEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Products move what is open (enquiries, extension, places in queues) to `handover_to`, where somebody is named."""

    type: ClassVar[str] = "identity.staff.suspended.v1"

    handover_to: UUID | None = None


class StaffDeleted(StaffEvent, frozen=True, kw_only=True, omit_defaults=True):
    """For ever: neither the id nor the username is given to anybody again. `handover_to` as at a suspension."""

    type: ClassVar[str] = "identity.staff.deleted.v1"

    handover_to: UUID | None = None


class StaffReactivated(StaffEvent, frozen=True, kw_only=True):
    type: ClassVar[str] = "identity.staff.reactivated.v1"


class SessionsEnded(Event, frozen=True, kw_only=True):
    """Access tokens of these sessions are to be refused from now on."""

    type: ClassVar[str] = "identity.sessions.ended.v1"
    urgent: ClassVar[bool] = True

    staff: UUID
    sessions: list[UUID]

    @property
    def subject(self) -> UUID:
        return self.staff


class AvailabilityState(msgspec.Struct, frozen=True, kw_only=True):
    """`channels` are those on which the person takes enquiries in this state."""

    staff: UUID
    state: str
    channels: list[str]
    version: int


class AvailabilityChanged(Stated[AvailabilityState], frozen=True, kw_only=True):
    """Somebody is online, away or offline, or takes other channels."""

    type: ClassVar[str] = "identity.availability.changed.v1"

    @property
    def subject(self) -> UUID:
        return self.state.staff

    @property
    def sequence(self) -> int:
        return self.state.version


class NoticeKind(StrEnum):
    """What a person is told of their own account."""

    NEW_DEVICE = "new_device"
    LOGIN_AFTER_FAILURES = "login_after_failures"
    SECOND_FACTOR_FAILED = "second_factor_failed"
    ACCOUNT_LOCKED = "account_locked"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of notice
    EMAIL_CHANGED = "email_changed"
    MOBILE_CHANGED = "mobile_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_RESET = "factors_reset"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    PASSKEY_COPIED = "passkey_copied"
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a kind of notice
    OWNERSHIP_OFFERED = "ownership_offered"
    OWNERSHIP_TRANSFERRED = "ownership_transferred"
    RECOVERY_ASKED = "recovery_asked"
    OWNER_RECOVERED = "owner_recovered"
    ORGANISATION_CLOSED = "organisation_closed"
    IMPORT_FINISHED = "import_finished"
    TEST = "test"
    UNDELIVERABLE = "undeliverable"


class NoticeIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to an account has to be told to its person. `sealed` holds a NoticeMessage."""

    type: ClassVar[str] = "identity.notice.issued.v1"

    staff: UUID
    notice: UUID
    kind: NoticeKind
    expires_at: datetime
    sealed: str
    contact: str = ""

    @property
    def subject(self) -> UUID:
        return self.staff


class LinkIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A link has to reach somebody by e-mail. `sealed` holds a LinkMessage, to notify's key. Of links, codes and notices
    `contact` is an opaque name for the address: what becomes of the message is told with it."""

    type: ClassVar[str] = "identity.link.issued.v1"

    staff: UUID
    link: UUID
    purpose: LinkPurpose
    expires_at: datetime
    sealed: str
    contact: str = ""

    @property
    def subject(self) -> UUID:
        return self.staff


class CodeIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A login code has to reach somebody. `sealed` holds a CodeMessage, to notify's key."""

    type: ClassVar[str] = "identity.code.issued.v1"
    urgent: ClassVar[bool] = True

    staff: UUID
    code: UUID
    channel: Literal["email", "sms"]
    expires_at: datetime
    sealed: str
    contact: str = ""

    @property
    def subject(self) -> UUID:
        return self.staff


class CodeUsed(Event, frozen=True, kw_only=True):
    """A code that was sent has been entered, and it was right: somebody reads what is sent there."""

    type: ClassVar[str] = "identity.code.used.v1"
    urgent: ClassVar[bool] = True

    staff: UUID
    code: UUID
    channel: Literal["email", "sms"]

    @property
    def subject(self) -> UUID:
        return self.staff


class LinkMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside LinkIssued.sealed. `locale` is the language that the person wants; empty: as the organisation has it.
    `ip` is where it was asked for, as far as that is known."""

    to: str
    name: str
    organisation: str
    login: str
    url: str
    locale: str = ""
    ip: str = ""


class CodeMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside CodeIssued.sealed. `host` is the site that the code is for: an SMS names it in its last line.
    `locale` and `ip` as in LinkMessage."""

    to: str
    name: str
    organisation: str
    code: str
    purpose: str = "login"
    host: str = ""
    locale: str = ""
    ip: str = ""


class NoticeMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside NoticeIssued.sealed. `facts` are the words that the text of the kind needs: when, where, how many."""

    to: str
    name: str
    organisation: str
    facts: dict[str, str]
    locale: str = ""
