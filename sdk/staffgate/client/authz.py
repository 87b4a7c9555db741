"""A product service's side of authz: decisions, searches, and the items that permissions can name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import UnsetType

from staffgate.client.faults import ServiceAway
from staffgate.client.line import Patience, Session
from staffgate.client.paging import pages
from staffgate.client.parts import (
    LONGEST,
    MOST,
    ChangedSince,
    ItemsAsked,
    ItemsByType,
    PersonFacts,
    RegisteredItems,
    Standings,
    StandingsAsked,
)
from staffgate.client.transport import Token, Transport
from staffgate.contracts import administration, authz, catalogue, decisions, items
from staffgate.contracts.changes import AnyChange
from staffgate.contracts.level import DataAccess
from staffgate.decision import Question, RowFilter

_MOST = 1000  # of what one request may hold

T = TypeVar("T")


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and what is behind it. `visible` is false where the person may not even view the resource: answer as if
    it did not exist. `rows` says whose rows may be shown, where the question was about a section."""

    allowed: bool
    reason: str = ""
    visible: bool = False
    revision: int = 0
    rule: UUID | None = None
    target: authz.Target | None = None
    role: str | None = None
    rows: DataAccess | None = None
    stale: ClassVar[bool] = False


class _Found(Protocol):
    page: decisions.PageFound | None


class _Search(Protocol):
    page: decisions.Page | UnsetType


F = TypeVar("F", bound=_Found)


class AuthzClient:
    """`session` is a Wire, or a session of aiohttp; `token` gives the access token to ask with: IdentityClient.token, or a
    person's own.

    Everything here raises ServiceAway while authz can't be reached, and Refused where it turns the request down.
    """

    def __init__(self, session: Session, url: str, token: Token, *, patience: Patience | None = None) -> None:
        self._transport = Transport(session, url, patience)
        self._token = token

    # --- decisions (AuthZEN 1.0, sections 6 and 7) ------------------------------------------------------------

    async def allowed(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> bool:
        """May this person do that to this resource? The properties say what it is: owner, team, tenant, ..."""
        question = decisions.Evaluation(
            subject=_subject(staff),
            action=decisions.Action(name=action),
            resource=decisions.Resource(type=type, id=id, properties=properties),
        )
        found = await self._ask("POST", "/access/v1/evaluation", _Decided, question, safe=True, decides=True)
        return found.decision

    async def decide(
        self,
        staff: UUID,
        action: str,
        type: str,
        id: str,
        *,
        min_revision: int = 0,
        await_subject: bool = False,
        **properties: Any,
    ) -> Ruling:
        """With its reason. `min_revision` is what a write of yours has answered with: the decision knows of that write.

        `await_subject`: the person was made a moment ago, so authz waits until it has heard of them.
        """
        question = decisions.Evaluation(
            subject=_subject(staff),
            action=decisions.Action(name=action),
            resource=decisions.Resource(type=type, id=id, properties=properties),
            context=_context(min_revision, await_subject),
        )
        at_once = not (min_revision or await_subject)  # those are waited for by authz, too
        return _ruling(await self._ask("POST", "/access/v1/evaluation", _Decided, question, safe=True, decides=at_once))

    async def decide_many(self, staff: UUID, questions: Sequence[Question], *, min_revision: int = 0) -> list[Ruling]:
        """Many questions about one person, in their order; a request for every thousand."""
        rulings: list[Ruling] = []
        for start in range(0, len(questions), _MOST):
            asked = decisions.Evaluations(
                subject=_subject(staff),
                context=_context(min_revision),
                evaluations=[_one_of_many(question) for question in questions[start : start + _MOST]],
            )
            found = await self._ask(
                "POST", "/access/v1/evaluations", _AllDecided, asked, safe=True, decides=not min_revision
            )
            if len(found.evaluations) != len(asked.evaluations):
                raise ServiceAway("authz has answered another number of questions than it was asked")
            rulings += map(_ruling, found.evaluations)
        return rulings

    async def explain(self, staff: UUID, action: str, type: str, id: str, **properties: str) -> decisions.Explanation:
        """Why, in words. Asked with a person's token: about themselves, or about those whose permissions they may view.

        Where a route leads is named as `destination="ivr:support"`.
        """
        asked = {"action": action, "type": type, "id": id, **properties}
        return await self._ask("GET", f"/v1/staff/{staff}/explanation", decisions.Explanation, params=asked)

    async def rows(
        self,
        staff: UUID,
        action: str,
        type: str,
        *,
        min_revision: int = 0,
        await_subject: bool = False,
        **properties: Any,
    ) -> RowFilter:
        """Which rows of a type the person may do that to: filter your query by `staffgate.decision.where`."""
        asked = decisions.RowsAsked(
            subject=_subject(staff),
            action=decisions.Action(name=action),
            resource=decisions.ResourceQuery(type=type, properties=properties),
            context=_context(min_revision, await_subject),
        )
        at_once = not (min_revision or await_subject)
        return await self._ask("POST", "/access/v1/rows", RowFilter, asked, safe=True, decides=at_once)

    # --- searches (AuthZEN 1.0, section 8) --------------------------------------------------------------------

    async def search_resources(
        self, staff: UUID, action: str, type: str, **properties: Any
    ) -> AsyncIterator[decisions.FoundResource]:
        """The registered items of a type on which this person may do that."""
        asked = decisions.ResourceSearch(
            subject=_subject(staff),
            action=decisions.Action(name=action),
            resource=decisions.ResourceQuery(type=type, properties=properties),
        )
        async for page in self._pages("/access/v1/search/resource", asked, decisions.ResourcesFound):
            for found in page.results:
                yield found

    async def search_subjects(
        self, org: UUID, action: str, type: str, id: str, **properties: Any
    ) -> AsyncIterator[UUID]:
        """The active people of an organisation who may do that to this resource."""
        asked = decisions.SubjectSearch(
            subject=decisions.SubjectQuery(type="staff"),
            action=decisions.Action(name=action),
            resource=decisions.Resource(type=type, id=id, properties=properties),
            context={"organisation": org},
        )
        async for page in self._pages("/access/v1/search/subject", asked, decisions.SubjectsFound):
            for found in page.results:
                yield UUID(found.id)

    async def search_actions(self, staff: UUID, type: str, id: str, **properties: Any) -> AsyncIterator[str]:
        """Everything that this person may do to this resource."""
        asked = decisions.ActionSearch(
            subject=_subject(staff), resource=decisions.Resource(type=type, id=id, properties=properties)
        )
        async for page in self._pages("/access/v1/search/action", asked, decisions.ActionsFound):
            for found in page.results:
                yield found.name

    async def _pages(self, path: str, asked: _Search, kind: type[F]) -> AsyncIterator[F]:
        while True:
            page = await self._ask("POST", path, kind, asked, safe=True)
            yield page
            if page.page is None or not page.page.next_token:
                return
            asked.page = decisions.Page(token=page.page.next_token)

    # --- items ------------------------------------------------------------------------------------------------

    async def register(self, org: UUID, type: str, id: str, *, section: str, label: str, **about: Any) -> authz.Item:
        """Make an item known, so that it can be listed, searched and granted by name; as often as you like.

        `about` says whose it is, and where it applies: owner, team, subscriber, tenant, contract, channel.
        """
        body = authz.RegisterItem(section=section, label=label, **about)
        return await self._ask("PUT", _item(org, type, id), authz.Item, body)

    async def register_many(self, org: UUID, wanted: Iterable[items.NamedItem]) -> int:
        """All of a thousand or none of them. The organisation's revision since the last thousand; 0 where there is none."""
        every, revision = list(wanted), 0
        for start in range(0, len(every), _MOST):
            body = items.RegisterItems(items=every[start : start + _MOST])
            path = f"/v1/organisations/{org}/items"
            # To register is to say what is so: the second time changes nothing.
            revision = (await self._ask("POST", path, items.ItemsRegistered, body, safe=True)).revision
        return revision

    async def remove(self, org: UUID, type: str, id: str) -> int:
        """The item is no more; the organisation's revision since. Refused (404) where there is none."""
        return (await self._ask("DELETE", _item(org, type, id), authz.Revised)).revision

    async def items(self, org: UUID, **query: Any) -> AsyncIterator[authz.Item]:
        """What is registered. `type`, `section` and `label` narrow it."""
        params = {name: str(value) for name, value in query.items()}
        ask = partial(self._ask, "GET", f"/v1/organisations/{org}/items", items.ItemList)
        async for page in pages(ask, params):
            for item in page.items:
                yield item

    # --- the catalogue ----------------------------------------------------------------------------------------

    async def publish(self, manifest: catalogue.Manifest) -> catalogue.Published:
        """Publish what your product has that can be permitted, best at every start."""
        path = f"/v1/catalogue/{quote(manifest.product, safe='')}"
        return await self._ask("PUT", path, catalogue.Published, manifest)

    async def drift(self) -> catalogue.Drift:
        """What is stored and means nothing in the present catalogue."""
        return await self._ask("GET", "/v1/catalogue/drift", catalogue.Drift)

    async def catalogue(self) -> catalogue.WholeCatalogue:
        return await self._ask("GET", "/v1/catalogue", catalogue.WholeCatalogue)

    # --- administration, with a person's token ----------------------------------------------------------------

    async def change(self, changes: Sequence[AnyChange]) -> administration.Made:
        """Make all of these changes, or none. Demand `revision` of the decisions that have to know of them."""
        body = administration.ChangeList(changes=list(changes))
        return await self._ask("POST", "/v1/changes", administration.Made, body)

    async def preview(self, changes: Sequence[AnyChange]) -> administration.Preview:
        """What these changes would come to; nothing is changed."""
        body = administration.ChangeList(changes=list(changes))
        return await self._ask("POST", "/v1/changes/preview", administration.Preview, body, safe=True)

    # --- what people may see, with their token ----------------------------------------------------------------

    async def my_permissions(self) -> authz.Permissions:
        """Section by section, and which rule says so."""
        return await self._ask("GET", "/v1/me/permissions", authz.Permissions)

    async def permissions(
        self, staff: UUID, *, contract: str | None = None, tenant: str | None = None
    ) -> administration.EffectivePermissions:
        """A person's Permissions List, in a contract, a tenant, or in neither."""
        params = {name: key for name, key in (("contract", contract), ("tenant", tenant)) if key is not None}
        return await self._ask(
            "GET", f"/v1/staff/{staff}/permissions", administration.EffectivePermissions, params=params
        )

    async def who_can(self, action: str, type: str, id: str, **properties: str) -> AsyncIterator[UUID]:
        """The active colleagues who may do that, among those whose permissions the person may view."""
        params = {"action": action, "type": type, "id": id, **properties}
        while True:
            page = await self._ask("GET", "/v1/who-can", decisions.WhoCan, params=params)
            for staff in page.people:
                yield staff
            if not page.next_token:
                return
            params["token"] = page.next_token

    # --- for identity -----------------------------------------------------------------------------------------

    async def check_placements(
        self, by: UUID, roles: Iterable[str] = (), teams: Iterable[str] = ()
    ) -> authz.PlacementsChecked:
        """In which of these roles and teams, by name, this person may place people who are not there yet. A thousand of
        each at most."""
        body = authz.CheckPlacements(by=by, roles=list(roles), teams=list(teams))
        return await self._ask("POST", "/v1/placements/check", authz.PlacementsChecked, body, safe=True)

    # --- for replicas -----------------------------------------------------------------------------------------

    async def standing(self, staff: UUID) -> PersonFacts:
        """What authz knows of a person. Refused (404) where there is nobody of that id."""
        return await self._ask("GET", f"/v1/replica/standings/{staff}", PersonFacts)

    async def standings(self, org: UUID, after: UUID | None = None, limit: int = MOST) -> Standings:
        """A page of everybody in an organisation. Refused (404) where there is none of that id."""
        params = {"limit": str(limit)} | ({"after": str(after)} if after else {})
        return await self._ask("GET", f"/v1/replica/organisations/{org}/standings", Standings, params=params)

    async def standings_of(self, org: UUID, staff: Sequence[UUID]) -> Standings:
        """These people, MOST of them at a time; who is not there is left out."""
        body = StandingsAsked(staff=list(staff))
        return await self._ask("POST", f"/v1/replica/organisations/{org}/standings", Standings, body, safe=True)

    async def registry(self, org: UUID, type: str) -> RegisteredItems:
        path = f"/v1/replica/organisations/{org}/items/{quote(type, safe='')}"
        return await self._ask("GET", path, RegisteredItems)

    async def registries(self, org: UUID, types: Sequence[str]) -> ItemsByType:
        """Of a thousand types at most."""
        path = f"/v1/replica/organisations/{org}/items"
        return await self._ask("POST", path, ItemsByType, ItemsAsked(types=list(types)), safe=True)

    async def changed(self, org: UUID, since: int, seconds: float = 0.0) -> ChangedSince:
        """What is not as it was at that revision, by whoever knew so many seconds ago that it missed nothing up to it."""
        if seconds > LONGEST:  # nobody can say that of what is so old
            return ChangedSince(org=org, revision=since, people=None, types=[])
        params = {"since": str(since), "seconds": f"{max(seconds, 0.0):.3f}"}
        return await self._ask("GET", f"/v1/replica/organisations/{org}/changed", ChangedSince, params=params)

    def doubt(self) -> None:
        """Whoever waits has waited for long: let the next request have a new connection."""
        self._transport.doubt()

    async def _ask(self, method: str, path: str, kind: type[T], body: object = None, **options: Any) -> T:
        return await self._transport.ask(method, path, kind, token=self._token, body=body, **options)


def _item(org: UUID, type: str, id: str) -> str:
    return f"/v1/organisations/{org}/items/{quote(type, safe='')}/{quote(id, safe='')}"


def _subject(staff: UUID) -> decisions.Subject:
    return decisions.Subject(type="staff", id=str(staff))


def _context(min_revision: int, await_subject: bool = False) -> dict[str, Any]:
    context: dict[str, Any] = {"explain": True}
    if min_revision:
        context["min_revision"] = min_revision
    if await_subject:
        context["await_subject"] = True
    return context


def _one_of_many(question: Question) -> msgspec.Raw:
    resource = decisions.Resource(type=question.type, id=question.id, properties=dict(question.properties))
    own = {"action": decisions.Action(name=question.action), "resource": resource}
    return msgspec.Raw(msgspec.json.encode(own))


class _Behind(msgspec.Struct, frozen=True, gc=False):
    """The context of a decision. What a newer authz tells besides is left out."""

    reason: str = ""
    visible: bool = False
    revision: int = 0
    rule: UUID | None = None
    target: authz.Target | None = None
    role: str | None = None
    rows: DataAccess | None = None


class _Decided(msgspec.Struct, frozen=True, gc=False):
    decision: bool
    context: _Behind | None = None


class _AllDecided(msgspec.Struct, frozen=True):
    evaluations: list[_Decided]


_UNEXPLAINED = _Behind()


def _ruling(found: _Decided) -> Ruling:
    """What authz leaves out allows nothing."""
    behind = found.context or _UNEXPLAINED
    return Ruling(
        allowed=found.decision,
        reason=behind.reason,
        visible=behind.visible,
        revision=behind.revision,
        rule=behind.rule,
        target=behind.target,
        role=behind.role,
        rows=behind.rows,
    )
