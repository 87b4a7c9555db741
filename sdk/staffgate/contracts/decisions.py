"""Decisions as they travel: OpenID AuthZEN Authorization API 1.0, and the same for people.

The standard's words and shapes; unlike in the rest of the suite, unknown fields are ignored (10.1.1).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from staffgate.contracts.authz import Target
from staffgate.contracts.level import DataAccess

Object = dict[str, Any]


# --- the information model (5) --------------------------------------------------------------------------------


class Subject(msgspec.Struct, kw_only=True):
    """Whom it is about: `staff`, and their id. What a caller says in the properties is never believed."""

    type: str
    id: str
    properties: Object = {}


class Action(msgspec.Struct, kw_only=True):
    name: str
    properties: Object = {}


class Resource(msgspec.Struct, kw_only=True):
    """Properties that count: owner, team, subscriber, tenant, contract, channel, and a route's destination."""

    type: str
    id: str
    properties: Object = {}


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The context is there where `context.explain` was true."""

    decision: bool
    context: Object | None = None


# --- evaluation and evaluations (6, 7) ------------------------------------------------------------------------


class Evaluation(msgspec.Struct, kw_only=True):
    """`context.min_revision` (a number) demands an answer no older than that; `context.explain` (true) asks for the reason.

    With `context.await_subject` (true) whoever is not active here yet, and whose row is nobody's yet, is waited for: identity
    has let them in, and the news of it may be a few milliseconds behind.
    """

    subject: Subject
    action: Action
    resource: Resource
    context: Object = {}


class PartialEvaluation(msgspec.Struct, kw_only=True):
    """One of many. What it leaves out, the defaults beside it give; what it has replaces a default whole."""

    subject: Subject | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    resource: Resource | UnsetType = UNSET
    context: Object | UnsetType = UNSET


Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
# Each is decoded by itself: a bad one fails alone.
OneOfMany = Annotated[
    Raw,
    Meta(
        extra_json_schema={"type": "object", "description": "subject, action, resource, context: as in an Evaluation"}
    ),
]


class EvaluationsOptions(msgspec.Struct, kw_only=True):
    evaluations_semantic: Semantic = "execute_all"


class Evaluations(PartialEvaluation, kw_only=True):
    """Many questions with defaults for what they leave out; without `evaluations` the defaults are the question."""

    evaluations: list[OneOfMany] = []
    options: EvaluationsOptions = msgspec.field(default_factory=EvaluationsOptions)


class Decisions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`evaluations` in the order of the questions; or, where there were none, the one decision."""

    decision: bool | None = None
    context: Object | None = None
    evaluations: list[Decision] | None = None


# --- searches (8) ---------------------------------------------------------------------------------------------


class Page(msgspec.Struct, kw_only=True):
    """Which part of the whole. With a token everything else has to be as it was when the token was given."""

    token: str = ""
    limit: Annotated[int, Meta(ge=0, le=2**53)] | UnsetType = UNSET
    properties: Object = {}


class PageFound(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`next_token` is empty at the end, and nowhere else; `total` is there where it costs nothing to know."""

    next_token: str
    count: int
    total: int | None = None


class SubjectQuery(msgspec.Struct, kw_only=True):
    """A subject search names a type; an id is ignored."""

    type: str
    properties: Object = {}


class ResourceQuery(msgspec.Struct, kw_only=True):
    """A resource search names a type; an id is ignored."""

    type: str
    properties: Object = {}


class SubjectSearch(msgspec.Struct, kw_only=True):
    """`context.organisation`, or the resource's property of that name, says in which organisation."""

    subject: SubjectQuery
    action: Action
    resource: Resource
    context: Object = {}
    page: Page | UnsetType = UNSET


class ResourceSearch(msgspec.Struct, kw_only=True):
    subject: Subject
    action: Action
    resource: ResourceQuery
    context: Object = {}
    page: Page | UnsetType = UNSET


class ActionSearch(msgspec.Struct, kw_only=True):
    subject: Subject
    resource: Resource
    context: Object = {}
    page: Page | UnsetType = UNSET


class FoundSubject(msgspec.Struct, kw_only=True):
    type: str
    id: str


class FoundResource(msgspec.Struct, kw_only=True):
    type: str
    id: str
    properties: Object = {}


class FoundAction(msgspec.Struct, kw_only=True):
    name: str


class SubjectsFound(msgspec.Struct, kw_only=True, omit_defaults=True):
    page: PageFound | None = None
    context: Object | None = None
    results: list[FoundSubject]


class ResourcesFound(msgspec.Struct, kw_only=True, omit_defaults=True):
    page: PageFound | None = None
    context: Object | None = None
    results: list[FoundResource]


class ActionsFound(msgspec.Struct, kw_only=True, omit_defaults=True):
    page: PageFound | None = None
    context: Object | None = None
    results: list[FoundAction]


# --- rows -----------------------------------------------------------------------------------------------------


class RowsAsked(msgspec.Struct, kw_only=True):
    """Which rows of a type; ours, in the manner of a resource search. The properties say what is the same for all of them:
    contract, tenant, a route's destination."""

    subject: Subject
    action: Action
    resource: ResourceQuery
    context: Object = {}


# --- metadata (9) ---------------------------------------------------------------------------------------------


class Metadata(msgspec.Struct, kw_only=True):
    """Where decisions are made. What has no value is left out (9.2.2)."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str
    search_subject_endpoint: str
    search_resource_endpoint: str
    search_action_endpoint: str


# --- for people -----------------------------------------------------------------------------------------------

_Text = Annotated[str, Meta(max_length=200)]


class Asked(msgspec.Struct, kw_only=True):
    """A question in a query string. `destination` names where a route leads, as `type:id`."""

    action: _Text
    type: _Text
    id: _Text
    owner: _Text | UnsetType = UNSET
    team: _Text | UnsetType = UNSET
    subscriber: _Text | UnsetType = UNSET
    tenant: _Text | UnsetType = UNSET
    contract: _Text | UnsetType = UNSET
    channel: _Text | UnsetType = UNSET
    destination: _Text | UnsetType = UNSET


class AskedWho(Asked, kw_only=True):
    limit: Annotated[int, Meta(ge=0, le=2**53)] | UnsetType = UNSET
    token: Annotated[str, Meta(max_length=1000)] = ""


class Explanation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why somebody may or may not. `because` is the same as the rest, in words."""

    decision: bool
    reason: str
    because: str
    revision: int
    visible: bool
    rule: UUID | None = None
    target: Target | None = None
    role: str | None = None
    rows: DataAccess | None = None


class WhoCan(msgspec.Struct, kw_only=True):
    """The people who may, a page of them; `next_token` is empty at the end."""

    people: list[UUID]
    next_token: str
