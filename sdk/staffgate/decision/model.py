"""What goes into a decision: the facts about a person, and a question; and the reasons that come out (sections 1 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Evaluation, Grant
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level


class Reason(StrEnum):
    """Why it was allowed or denied (section 7)."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    GRANT = "grant"
    DEFAULT = "default"
    DESTINATION = "destination"
    ORGANISATION_INACTIVE = "organisation_inactive"
    ACCOUNT_INACTIVE = "account_inactive"
    ACCOUNT_SUSPENDED = "account_suspended"
    UNKNOWN_SUBJECT = "unknown_subject"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_SECTION = "unknown_section"
    UNKNOWN_RESOURCE = "unknown_resource"
    UNKNOWN_DESTINATION = "unknown_destination"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one staff member at a revision of their organisation (section 1)."""

    staff: UUID
    revision: int
    org_active: bool
    type: StaffType
    status: StaffStatus
    default_level: Level = Level.DENY
    route_anywhere: bool = False
    grants: tuple[Grant, ...] = ()


class Question(msgspec.Struct, frozen=True, gc=False):
    """May the person do `action` to this resource (section 7)? `type` is an item type, or `section`."""

    action: str
    type: str
    id: str
    properties: Mapping[str, Any] = {}

    @classmethod
    def of(cls, evaluation: Evaluation) -> Question:
        """The question in an AuthZEN evaluation (section 7). The action's properties win over the resource's."""
        action, resource = evaluation.action, evaluation.resource
        properties = {**resource.properties, **action.properties} if action.properties else resource.properties
        return cls(action.name, resource.type, resource.id, properties)
