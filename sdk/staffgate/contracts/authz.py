"""What authz speaks: what is administered in it, and its events. Decisions are in contracts/decisions.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.event import Event
from staffgate.contracts.level import DataAccess, Level

_END = r"$(?!\n)"  # `$` alone would let a line feed through at the end
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9._\-]*" + _END)]
ItemId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]
Key = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]*" + _END)]
Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]

PlacementNames = Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=1000)]
PlacementRefusal = Literal["unknown", "ambiguous", "not_yours_to_give"]


# --- administration -------------------------------------------------------------------------------------------


BaseAction = Literal["view", "create", "edit", "delete", "download", "approve"]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A node of the catalogue (everything, a product, or a section), narrowed by any of the others.

    `item` names a registered item as `type:id`, for example `inbox:sales`; `contract` and `tenant` are the keys that
    the organisation gave them.
    """

    product: Name | None = None
    section: Name | None = None
    feature: Name | None = None
    item: ItemId | None = None
    contract: Key | None = None
    tenant: Key | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An explicit exception for one person. From `expires_at` on it counts no more."""

    id: UUID
    target: Target
    level: Level
    expires_at: datetime | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a role allows on a target; with no actions it is that role's own denial there."""

    target: Target
    actions: tuple[BaseAction, ...]


class Role(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named set of entries, and whose rows they reach. Who holds a role holds what it builds on, too."""

    id: Key
    name: Label
    data_access: DataAccess
    entries: tuple[Entry, ...] = ()
    builds_on: Role | None = None


class Revised(msgspec.Struct, kw_only=True):
    revision: int


class GrantList(msgspec.Struct, kw_only=True):
    """`gone` are the ids of those on items that are not registered any more, or on what the catalogue has no more."""

    grants: list[Grant]
    revision: int
    gone: list[UUID] = []


class ItemAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """Where an item applies. What is left out does not: an inbox may have a team and no owner."""

    section: Name
    label: Label
    owner: UUID | None = None
    team: UUID | None = None
    subscriber: Key | None = None
    tenant: Key | None = None
    contract: Key | None = None
    channel: Name | None = None


class RegisterItem(ItemAttributes, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a product says of its item."""


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registered item. Its own attributes win over those that a question describes it with."""

    type: str
    id: str
    section: str
    label: str
    owner: str | None = None
    team: str | None = None
    subscriber: str | None = None
    tenant: str | None = None
    contract: str | None = None
    channel: str | None = None


# --- the caller's own -----------------------------------------------------------------------------------------


class SectionPermissions(msgspec.Struct, kw_only=True):
    """What is allowed in a section, over whose rows, and why: `rule` is the grant, level or assignment that says so,
    where one does, `target` what it is on, and `role` the role that it assigns."""

    section: str
    label: str
    actions: list[str]
    level: Level
    reason: str
    data_access: DataAccess | None
    rule: UUID | None
    role: str | None
    target: Target | None
    sections: list[SectionPermissions]


class Permissions(msgspec.Struct, kw_only=True):
    sections: list[SectionPermissions]
    revision: int


# --- where people are placed ----------------------------------------------------------------------------------


class CheckPlacements(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Names of roles and teams, in which `by` wants to place people who are not there yet."""

    by: UUID
    roles: PlacementNames = []
    teams: PlacementNames = []


class PlacementChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What is called so: its id, or why it can't be given."""

    id: str | None = None
    refusal: PlacementRefusal | None = None


class PlacementsChecked(msgspec.Struct, kw_only=True):
    """By name."""

    roles: dict[str, PlacementChecked]
    teams: dict[str, PlacementChecked]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is placed, by names, to be shown and not to decide by: every role that they hold, through groups too,
    in whatever contract or tenant, and their team."""

    staff: UUID
    roles: list[str]
    team: str | None


# --- events ---------------------------------------------------------------------------------------------------


class PermissionsChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What these people may do has changed (everybody, where `people` is null), and the registered items of these types;
    anything older is to be dropped. Of a few, `standings` says what replicas would be told about them at this revision
    (GET /v1/replica/standings/{staff}), so that nobody has to ask."""

    type: ClassVar[str] = "authz.permissions.changed.v1"

    previous: int
    revision: int
    people: list[UUID] | None
    types: tuple[str, ...] = ()
    standings: dict[UUID, msgspec.Raw] = msgspec.field(default_factory=dict)

    @property
    def sequence(self) -> int:
        return self.revision


class PlacementsChanged(Event, frozen=True, kw_only=True):
    """These people, 500 at most, are placed so from this revision of the organisation on. The newest revision is right,
    for each person by itself."""

    type: ClassVar[str] = "authz.placements.changed.v1"

    revision: int
    placements: list[Placement]

    @property
    def sequence(self) -> int:
        return self.revision


class Heartbeat(Event, frozen=True, kw_only=True):
    """How far the organisations have come that changed during the last 30 seconds, as it was `at` that time. No
    organisation's own: `org` is the nil UUID. Where too many have changed to list them it is not `complete`, and any
    may have; `catalogue` is the version in force."""

    type: ClassVar[str] = "authz.heartbeat.v1"

    at: datetime
    revisions: dict[UUID, int]
    complete: bool
    catalogue: int
