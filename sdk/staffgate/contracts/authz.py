"""What authz speaks: grants, items, decisions (OpenID AuthZEN Authorization API 1.0), and its events."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.event import Event
from staffgate.contracts.level import Level

_END = r"$(?!\n)"  # `$` alone would let a line feed through at the end
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9._\-]*" + _END)]
ItemId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]
Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+" + _END)]


# --- administration -------------------------------------------------------------------------------------------


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A section of the catalogue, narrowed by a feature, an item, or both.

    `item` names a registered item as `type:id`, for example `inbox:sales`.
    """

    section: Name
    feature: Name | None = None
    item: ItemId | None = None


class SetGrant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    target: Target
    level: Level


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    target: Target
    level: Level


class GrantChanged(msgspec.Struct, kw_only=True):
    """`revision` is the organisation's after the change: demand it of a check to read your own write."""

    grant: Grant
    revision: int


class Revised(msgspec.Struct, kw_only=True):
    revision: int


class GrantList(msgspec.Struct, kw_only=True):
    grants: list[Grant]
    revision: int


class RegisterItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    section: Name
    label: Label


class Item(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    id: str
    section: str
    label: str


# --- decisions: OpenID AuthZEN Authorization API 1.0 ----------------------------------------------------------


class Subject(msgspec.Struct, kw_only=True):
    type: str
    id: str
    properties: dict[str, Any] = {}


class Action(msgspec.Struct, kw_only=True):
    name: str
    properties: dict[str, Any] = {}


class Resource(msgspec.Struct, kw_only=True):
    type: str
    id: str
    properties: dict[str, Any] = {}


class Evaluation(msgspec.Struct, kw_only=True):
    """`context.min_revision` (a number) demands an answer no older than that; `context.explain` (true) asks for the reason."""

    subject: Subject
    action: Action
    resource: Resource
    context: dict[str, Any] = {}


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    decision: bool
    context: dict[str, Any] | None = None


class ResourceQuery(msgspec.Struct, kw_only=True):
    """A resource search names a type and leaves the id out."""

    type: str
    properties: dict[str, Any] = {}


class ResourceSearch(msgspec.Struct, kw_only=True):
    subject: Subject
    action: Action
    resource: ResourceQuery
    context: dict[str, Any] = {}


class FoundResource(msgspec.Struct, kw_only=True):
    type: str
    id: str
    properties: dict[str, Any] = {}


class ResourcesFound(msgspec.Struct, kw_only=True):
    results: list[FoundResource]


class Metadata(msgspec.Struct, kw_only=True):
    """AuthZEN 1.0 section 9: where decisions are made."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    search_resource_endpoint: str


# --- the caller's own -----------------------------------------------------------------------------------------


class SectionPermissions(msgspec.Struct, kw_only=True):
    """What is allowed in a section, and why: `rule` and `target` are of the grant that says so, where one does."""

    section: str
    label: str
    actions: list[str]
    level: Level
    reason: str
    rule: UUID | None
    target: Target | None
    sections: list[SectionPermissions]


class Permissions(msgspec.Struct, kw_only=True):
    sections: list[SectionPermissions]
    revision: int


# --- events ---------------------------------------------------------------------------------------------------


class PermissionsChanged(Event, frozen=True, kw_only=True):
    """What these people may do has changed (everybody, where `people` is null); anything older is to be dropped."""

    type: ClassVar[str] = "authz.permissions.changed.v1"

    previous: int
    revision: int
    people: list[UUID] | None

    @property
    def sequence(self) -> int:
        return self.revision
