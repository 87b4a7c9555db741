"""Lists of the registered items, for whoever gives permissions and for product services."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.authz.arrivals import Arrivals, NotArrived
from services.authz.catalogue import Catalogues
from services.authz.registry import FIXED, presented
from services.authz.store import items as store
from services.authz.store import revisions as revision_store
from services.authz.viewers import require_view
from shared.db import Database
from shared.errors import Invalid, NotFound
from staffgate.contracts.authz import Item
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.items import ItemList, ItemQuery


class Listing:
    def __init__(self, db: Database, catalogues: Catalogues, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogues = catalogues
        self._arrivals = arrivals

    async def list(self, caller: Caller, org: UUID, query: ItemQuery) -> ItemList:
        """A page of the items of one organisation; people see their own organisation's."""
        if isinstance(caller, Person) and caller.org != org:
            raise NotFound("not_found", "There is no such organisation.")
        types = self._types(query)
        waited = [org, caller.staff] if isinstance(caller, Person) else [org]
        return await self._arrivals.until_here(waited, lambda: self._list(caller, org, query, types))

    async def _list(self, caller: Caller, org: UUID, query: ItemQuery, types: Sequence[str]) -> ItemList:
        type, _, id = (query.after or ":").partition(":")
        async with self._db.begin(org, snapshot=True) as tx:
            revision = await revision_store.revision(tx, org)
            if revision is None:
                raise NotArrived(NotFound("not_found", "There is no such organisation."))
            if isinstance(caller, Person):
                await require_view(tx, self._catalogues.current, caller)
            label = query.label or ""
            found = await store.page_of_items(tx, org, types, label, (type, id), query.limit + 1)
        found = sorted([*found, *_fixed(types, label, (type, id))], key=_name)
        page = found[: query.limit]
        return ItemList(
            items=[presented(item, self._catalogues.current) for item in page],
            next=":".join(_name(page[-1])) if len(found) > len(page) else None,
            revision=revision,
        )

    def _types(self, query: ItemQuery) -> Sequence[str]:
        """Those that are asked for, by every name that they have or had."""
        catalogue = self._catalogues.current
        kinds = set(catalogue.holders)
        if query.type is not None:
            kind = catalogue.kind(query.type)
            if kind is None:
                detail = f"No section of the catalogue holds items of the type {query.type!r}."
                raise Invalid("unknown_item_type", detail, at="$.type")
            kinds = {kind}
        if query.section is not None:
            section = catalogue.former.sections.get(query.section, query.section)
            if section not in catalogue.sections:
                detail = f"There is no section {query.section!r} in the catalogue."
                raise Invalid("unknown_section", detail, at="$.section")
            kinds = {kind for kind in kinds if section in catalogue.paths[catalogue.holders[kind]]}
        return [name for kind in kinds for name in catalogue.kinds(kind)]


def _fixed(types: Sequence[str], label: str, after: tuple[str, str]) -> list[Item]:
    """Those that nobody registers, because they are the same everywhere."""
    return [
        item
        for name, item in FIXED.items()
        if item.type in types and name > after and label.lower() in item.label.lower()
    ]


def _name(item: Item) -> tuple[str, str]:
    return item.type, item.id
