"""Searches (AuthZEN 1.0, section 8): on which resources, and which actions. What is found is what is decided true."""

from __future__ import annotations

from bisect import bisect_right
from uuid import UUID

from services.authz.pages import Found, Pages, Place, found
from services.authz.questions import Demands, about, demands
from services.authz.verdicts import Verdicts
from staffgate.contracts.authz import Item
from staffgate.contracts.caller import Caller
from staffgate.contracts.decisions import (
    ActionSearch,
    ActionsFound,
    FoundAction,
    FoundResource,
    Object,
    ResourceSearch,
    ResourcesFound,
)
from staffgate.decision import Question

_MOST = 10_000  # items looked at for one page: some ten milliseconds
_AT_ONCE = 500  # of which so many are judged before it is known whether the page is full
_FEW = 1_000  # of so few items all are judged, to tell the total


class Searches:
    def __init__(self, verdicts: Verdicts, pages: Pages) -> None:
        self._verdicts = verdicts
        self._pages = pages

    async def resources(self, caller: Caller, asked: ResourceSearch) -> ResourcesFound:
        """The registered items of a type on which the action is allowed, by id."""
        staff, wanted = about(caller, asked.subject), demands(asked.context)
        place = self._pages.place("resource", asked)
        standing = await self._verdicts.standing(staff, wanted.min_revision)
        page: Found[Item] = Found([], None, 0)
        if standing is not None and staff is not None:
            items = await self._verdicts.registered(standing.org, asked.resource.type, wanted.min_revision)
            page = await self._items(staff, asked, wanted, items, place)
        type = asked.resource.type  # which may be a former name of theirs
        return ResourcesFound(
            page=self._pages.page(place, page),
            context=_context(wanted, None if standing is None else standing.revision),
            results=[FoundResource(type=type, id=item.id, properties=_shown(item)) for item in page.results],
        )

    async def _items(
        self, staff: UUID, asked: ResourceSearch, wanted: Demands, items: list[Item], place: Place
    ) -> Found[Item]:
        few, start = len(items) <= _FEW, bisect_right(items, place.after, key=_id)
        end = min(start + _MOST, len(items))
        properties = {**asked.resource.properties, **asked.action.properties}
        allowed: list[Item] = []
        at = 0 if few else start
        while at < end and (few or len(allowed) <= place.limit):
            part = items[at : min(at + _AT_ONCE, end)]
            questions = [Question(asked.action.name, asked.resource.type, item.id, properties) for item in part]
            verdicts = await self._verdicts.decide_all(staff, questions, wanted.min_revision)
            allowed += [item for item, verdict in zip(part, verdicts, strict=True) if verdict.allowed]
            at += len(part)
        if few:
            return found(allowed[bisect_right(allowed, place.after, key=_id) :], place, _id, total=len(allowed))
        return found(allowed, place, _id, looked=None if at == len(items) else items[at - 1].id)

    async def actions(self, caller: Caller, asked: ActionSearch) -> ActionsFound:
        """Every action of the catalogue that is allowed on this resource, by name."""
        staff, wanted = about(caller, asked.subject), demands(asked.context)
        place, resource = self._pages.place("action", asked), asked.resource
        # An action that was renamed is found by its present name.
        names = sorted({action.name for action in self._verdicts.catalogue.actions.values()})
        questions = [Question(name, resource.type, resource.id, resource.properties) for name in names]
        verdicts = await self._verdicts.decide_all(staff, questions, wanted.min_revision)
        allowed = [name for name, verdict in zip(names, verdicts, strict=True) if verdict.allowed]
        page = found(allowed[bisect_right(allowed, place.after) :], place, str, total=len(allowed))
        return ActionsFound(
            page=self._pages.page(place, page),
            context=_context(wanted, max(verdict.revision for verdict in verdicts)),
            results=[FoundAction(name=name) for name in page.results],
        )


def _context(wanted: Demands, revision: int | None) -> Object | None:
    return {"revision": revision or 0} if wanted.explain else None


def _id(item: Item) -> str:
    return item.id


def _shown(item: Item) -> Object:
    return {"label": item.label, "section": item.section}
