"""The changes that can be made to an organisation's permissions. Each operation makes one; `POST /v1/changes` many at once."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.authz import Entry, ItemId, Key, Label, Name, Target
from staffgate.contracts.level import AccessLevel, DataAccess, Level

Until = Annotated[datetime, Meta(tz=True)]
People = Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=1000)]
Entries = Annotated[tuple[Entry, ...], Meta(max_length=500)]
Products = Annotated[tuple[Name, ...], Meta(max_length=100)]
Levels = Annotated[dict[ItemId, Level], Meta(max_length=500)]


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Change(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=_kind
):  # fmt: skip
    """One change. `kind` says which: `set_grant`, `assign_role`, ..."""


# --- one person -----------------------------------------------------------------------------------------------


class SetGrant(Change, frozen=True, kw_only=True):
    """One target has one grant: its level and end are replaced."""

    staff: UUID
    target: Target
    level: Level
    expires_at: Until | None = None


class RemoveGrant(Change, frozen=True, kw_only=True):
    staff: UUID
    grant: UUID


class ResetGrants(Change, frozen=True, kw_only=True):
    """Reset to default: all grants of the person, the product access levels excepted."""

    staff: UUID


class SetSection(Change, frozen=True, kw_only=True):
    """The whole page of one section: the section itself, single items (quick) and single features (specific).

    It replaces what was set there without a contract or tenant; what it does not name has no level of its own any more.
    """

    staff: UUID
    section: Name
    default: Level | None = None
    quick: Levels = {}
    specific: Annotated[dict[Name, Level], Meta(max_length=500)] = {}


class SetAccess(Change, frozen=True, kw_only=True):
    staff: UUID
    contract: Key
    product: Name
    level: AccessLevel


class RemoveAccess(Change, frozen=True, kw_only=True):
    staff: UUID
    contract: Key
    product: Name


class SetDefaultLevel(Change, frozen=True, kw_only=True):
    staff: UUID
    level: Level


class SetRouting(Change, frozen=True, kw_only=True):
    """Allow routing to all destinations, or not."""

    staff: UUID
    anywhere: bool


class LinkSubscriber(Change, frozen=True, kw_only=True):
    staff: UUID
    subscriber: Key


class UnlinkSubscriber(Change, frozen=True, kw_only=True):
    staff: UUID
    subscriber: Key


# --- roles ----------------------------------------------------------------------------------------------------


class CreateRole(Change, frozen=True, kw_only=True):
    name: Label
    data_access: DataAccess
    entries: Entries = ()


class EditRole(Change, frozen=True, kw_only=True):
    role: Key
    name: Label
    data_access: DataAccess
    entries: Entries = ()


class ResetRole(Change, frozen=True, kw_only=True):
    """Back to the state in which it was created."""

    role: Key


class DeleteRole(Change, frozen=True, kw_only=True):
    role: Key


class AssignRole(Change, frozen=True, kw_only=True):
    """To a person or to a group. In a tenant's group it counts in that tenant."""

    role: Key
    staff: UUID | None = None
    group: UUID | None = None
    contract: Key | None = None
    tenant: Key | None = None
    expires_at: Until | None = None


class UnassignRole(Change, frozen=True, kw_only=True):
    assignment: UUID


# --- teams ----------------------------------------------------------------------------------------------------


class AddTeam(Change, frozen=True, kw_only=True):
    name: Label
    parent: UUID


class RenameTeam(Change, frozen=True, kw_only=True):
    team: UUID
    name: Label


class MoveTeam(Change, frozen=True, kw_only=True):
    team: UUID
    parent: UUID


class DeleteTeam(Change, frozen=True, kw_only=True):
    team: UUID


class PlaceMembers(Change, frozen=True, kw_only=True):
    """Everybody is in exactly one team: they leave the one that they are in."""

    team: UUID
    staff: People


# --- contracts, tenants, groups -------------------------------------------------------------------------------


class AddContract(Change, frozen=True, kw_only=True):
    key: Key
    label: Label
    products: Products = ()


class EditContract(Change, frozen=True, kw_only=True):
    contract: Key
    label: Label
    products: Products = ()


class RemoveContract(Change, frozen=True, kw_only=True):
    """With everything that was granted, assigned or set in it."""

    contract: Key


class AddTenant(Change, frozen=True, kw_only=True):
    key: Key
    label: Label


class RenameTenant(Change, frozen=True, kw_only=True):
    tenant: Key
    label: Label


class RemoveTenant(Change, frozen=True, kw_only=True):
    """With its groups, and everything that was granted or assigned in it."""

    tenant: Key


class AddTenantMembers(Change, frozen=True, kw_only=True):
    tenant: Key
    staff: People


class RemoveTenantMembers(Change, frozen=True, kw_only=True):
    """Out of the tenant's groups, too."""

    tenant: Key
    staff: People


class AddGroup(Change, frozen=True, kw_only=True):
    name: Label
    tenant: Key | None = None


class RenameGroup(Change, frozen=True, kw_only=True):
    group: UUID
    name: Label


class DeleteGroup(Change, frozen=True, kw_only=True):
    """With the roles that were assigned to it."""

    group: UUID


class AddGroupMembers(Change, frozen=True, kw_only=True):
    group: UUID
    staff: People


class RemoveGroupMembers(Change, frozen=True, kw_only=True):
    group: UUID
    staff: People


AnyChange = (
    SetGrant | RemoveGrant | ResetGrants | SetSection | SetAccess | RemoveAccess | SetDefaultLevel | SetRouting
    | LinkSubscriber | UnlinkSubscriber | CreateRole | EditRole | ResetRole | DeleteRole | AssignRole | UnassignRole
    | AddTeam | RenameTeam | MoveTeam | DeleteTeam | PlaceMembers | AddContract | EditContract | RemoveContract
    | AddTenant | RenameTenant | RemoveTenant | AddTenantMembers | RemoveTenantMembers | AddGroup | RenameGroup
    | DeleteGroup | AddGroupMembers | RemoveGroupMembers
)  # fmt: skip
