"""The item registry: what product services make known, so that it can be listed, searched and granted by name."""

from __future__ import annotations

from uuid import UUID

from services.authz import revisions
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.store import items as store
from services.authz.store import revisions as revision_store
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.authz import Item, RegisterItem
from staffgate.decision import CHANNEL_ITEMS, Catalogue

# The same in every organisation, so that nobody has to register them, and nobody can.
_FIXED = {(item.type, item.id): item for item in CHANNEL_ITEMS}
_FIXED_TYPES = {item.type for item in CHANNEL_ITEMS}
_LONGEST = 200  # of `type:id`, the name by which an item is granted


class Items:
    def __init__(self, db: Database, catalogue: Catalogue, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogue = catalogue
        self._arrivals = arrivals

    async def register(self, org: UUID, type: str, id: str, wanted: RegisterItem) -> Item:
        """As often as the product likes: what is so already is left as it is."""
        self._check(type, id, wanted.section)
        item = Item(type=type, id=id, section=wanted.section, label=wanted.label)
        await self._arrivals.until_here([org], lambda: self._put(org, item))
        return item

    def _check(self, type: str, id: str, section: str) -> None:
        if section not in self._catalogue.sections:
            raise Invalid("unknown_section", f"There is no section {section!r} in the catalogue.")
        holder = self._catalogue.holders.get(type)
        if holder is None:
            raise Invalid("unknown_item_type", f"No section of the catalogue holds items of the type {type!r}.")
        if holder != section:
            raise Invalid("wrong_section", f"Items of the type {type!r} belong to the section {holder!r}.")
        if type in _FIXED_TYPES:
            raise Conflict("fixed_items", f"The items of the type {type!r} are the same in every organisation.")
        if len(f"{type}:{id}") > _LONGEST:
            raise Invalid("item_name_too_long", f"`{type}:id` may have {_LONGEST} characters at most.")

    async def _put(self, org: UUID, item: Item) -> None:
        """A new item is a change to the organisation and to nobody's snapshot: those hold no items."""
        async with self._db.begin(org) as tx:
            if await revision_store.lock_revision(tx, org) is None:
                raise NotArrived(NotFound("not_found", "There is no such organisation."))
            present = await store.item(tx, org, item.type, item.id)
            if present == item:
                return
            await store.put_item(tx, org, item)
            if present is None or present.section != item.section:
                await revisions.raised(tx, org, [])


async def registered(tx: Tx, org: UUID, type: str, id: str) -> bool:
    return (type, id) in _FIXED or await store.item(tx, org, type, id) is not None


async def items_of(tx: Tx, org: UUID, type: str) -> list[Item]:
    if type in _FIXED_TYPES:
        return [item for item in CHANNEL_ITEMS if item.type == type]
    return await store.items_of(tx, org, type)
