"""What authz's administration takes and shows: bodies of single changes, and views of everything that is administered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from staffgate.contracts.authz import Entry, Grant, Key, Label, Name, SectionPermissions, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.changes import AnyChange, Entries, Levels, People, Products, Until
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a request may hold, and nothing else."""


# --- many changes at once -------------------------------------------------------------------------------------


class ChangeList(_Body):
    """All of them are made, or none."""

    changes: Annotated[list[AnyChange], Meta(min_length=1, max_length=500)]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one change came to: how the thing was, and what it became. Null where there was, or is, nothing."""

    kind: str
    before: Any = None
    after: Any = None


class Made(msgspec.Struct, kw_only=True):
    """`revision` is the organisation's after the change: demand it of a check to read your own write."""

    outcomes: list[Outcome]
    revision: int


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody gains and loses on a target: actions, and over whose rows."""

    target: Target
    gained: dict[str, DataAccess]
    lost: dict[str, DataAccess]


class PersonShift(msgspec.Struct, frozen=True, kw_only=True):
    staff: UUID
    differences: list[Shift]


class Preview(msgspec.Struct, kw_only=True):
    """What the changes would come to, and what whose permissions would gain and lose. Nothing was changed.

    Somebody who is not active is shown as they will be once they are.
    """

    outcomes: list[Outcome]
    people: list[PersonShift]
    revision: int


# --- one person -----------------------------------------------------------------------------------------------


class NewGrant(_Body):
    target: Target
    level: Level
    expires_at: Until | None = None


class GrantSet(msgspec.Struct, kw_only=True):
    """`revision` is the organisation's after the change: demand it of a check to read your own write."""

    grant: Grant
    revision: int


class NewSection(_Body):
    """Default, quick (by item) and specific (by feature) permissions of one section. What is left out has none."""

    default: Level | UnsetType | None = UNSET
    quick: Levels = {}
    specific: Annotated[dict[Name, Level], Meta(max_length=500)] = {}

    def __post_init__(self) -> None:
        # An empty body is a slip more often than a wish to clear the page.
        if self.default is UNSET and not self.quick and not self.specific:
            raise ValueError("Say what the section is to have; `default` is null for nothing at all")


class SectionView(msgspec.Struct, kw_only=True):
    section: str
    default: Level | None
    quick: dict[str, Level]
    specific: dict[str, Level]
    revision: int = 0


class NewAccess(_Body):
    level: AccessLevel


class NewDefaultLevel(_Body):
    level: Level


class NewRouting(_Body):
    anywhere: bool


class SubjectView(msgspec.Struct, kw_only=True):
    """One member of staff as authz knows them."""

    staff: UUID
    type: StaffType
    status: StaffStatus
    default_level: Level
    route_anywhere: bool
    team: UUID | None
    tenants: list[str]
    subscribers: list[str]
    revision: int = 0


class SubscriberList(msgspec.Struct, kw_only=True):
    subscribers: list[str]
    revision: int = 0


class EffectivePermissions(msgspec.Struct, kw_only=True):
    """The Permissions List of a person: what is allowed where, and which rule of which tier says so."""

    sections: list[SectionPermissions]
    route_anywhere: bool
    revision: int


# --- roles ----------------------------------------------------------------------------------------------------


class NewRole(_Body):
    name: Label
    data_access: DataAccess
    entries: Entries = ()


class RoleView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    data_access: DataAccess
    entries: tuple[Entry, ...]
    built_in: bool
    builds_on: str | None = None


class RoleList(msgspec.Struct, kw_only=True):
    roles: list[RoleView]
    revision: int = 0


class NewAssignment(_Body):
    role: Key
    contract: Key | None = None
    tenant: Key | None = None
    expires_at: Until | None = None


class AssignmentView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: UUID
    role: str
    staff: UUID | None = None
    group: UUID | None = None
    contract: str | None = None
    tenant: str | None = None
    expires_at: datetime | None = None


class AssignmentList(msgspec.Struct, kw_only=True):
    assignments: list[AssignmentView]
    revision: int = 0


class RoleDetail(msgspec.Struct, kw_only=True):
    """A role, and who holds it, each by which assignment."""

    role: RoleView
    holders: list[AssignmentView]
    revision: int = 0


class RoleSet(msgspec.Struct, kw_only=True):
    role: RoleView
    revision: int


class AssignmentSet(msgspec.Struct, kw_only=True):
    assignment: AssignmentView
    revision: int


# --- teams ----------------------------------------------------------------------------------------------------


class NewTeam(_Body):
    name: Label
    parent: UUID


class NewName(_Body):
    name: Label


class NewParent(_Body):
    parent: UUID


class Members(_Body):
    staff: People


class TeamView(msgspec.Struct, frozen=True, kw_only=True):
    """`size` counts the members of the teams below as well."""

    id: UUID
    parent: UUID | None
    name: str
    staff: list[UUID]
    size: int
    teams: list[TeamView]


class TeamTree(msgspec.Struct, kw_only=True):
    root: TeamView | None
    revision: int = 0


class TeamState(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    parent: UUID | None
    name: str


class TeamSet(msgspec.Struct, kw_only=True):
    team: TeamState
    revision: int


# --- contracts, tenants, groups -------------------------------------------------------------------------------


class NewContract(_Body):
    key: Key
    label: Label
    products: Products = ()


class EditedContract(_Body):
    label: Label
    products: Products = ()


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str
    products: list[str]


class ContractList(msgspec.Struct, kw_only=True):
    contracts: list[ContractView]
    revision: int = 0


class ContractSet(msgspec.Struct, kw_only=True):
    contract: ContractView
    revision: int


class AccessRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person's line of the agreement's page: the level of each product that has one."""

    staff: UUID
    levels: dict[str, AccessLevel]


class AccessTable(msgspec.Struct, kw_only=True):
    """The agreement's page: people by products."""

    contract: ContractView
    people: list[AccessRow]
    revision: int = 0


class NewTenant(_Body):
    key: Key
    label: Label


class NewLabel(_Body):
    label: Label


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str


class TenantList(msgspec.Struct, kw_only=True):
    tenants: list[TenantView]
    revision: int = 0


class TenantDetail(msgspec.Struct, kw_only=True):
    tenant: TenantView
    members: list[UUID]
    revision: int = 0


class TenantSet(msgspec.Struct, kw_only=True):
    tenant: TenantView
    revision: int


class NewGroup(_Body):
    name: Label
    tenant: Key | None = None


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    tenant: str | None
    name: str


class GroupList(msgspec.Struct, kw_only=True):
    groups: list[GroupView]
    revision: int = 0


class GroupDetail(msgspec.Struct, kw_only=True):
    group: GroupView
    members: list[UUID]
    roles: list[AssignmentView]
    revision: int = 0


class GroupSet(msgspec.Struct, kw_only=True):
    group: GroupView
    revision: int


# --- audit ----------------------------------------------------------------------------------------------------


class AuditQuery(msgspec.Struct, kw_only=True, rename={"since": "from", "until": "to"}):
    """`person` is who did it, or to whom it was done. `before` is the `next` of the page before."""

    person: UUID | None = None
    kind: Annotated[str, Meta(max_length=50, pattern="^[a-z_]+$")] | None = None
    since: Until | None = None
    until: Until | None = None
    before: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who, when, from where; what was wanted, what it was and what it became. `refusal` is why nothing did."""

    number: int
    at: datetime
    actor: UUID
    ip: str
    kind: str
    people: list[UUID]
    change: Any
    before: Any
    after: Any
    refusal: str | None
    revision: int | None


class AuditPage(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    entries: list[AuditEntry]
    next: int | None
