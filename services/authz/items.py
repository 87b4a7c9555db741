"""The item registry: what product services make known, so that it can be listed, searched and granted by name.

Over HTTP the last one to speak is right. Over the bus every change has a version, the product's own count, and the
newest is right in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from services.authz import registry, revisions
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.catalogue import Catalogues
from services.authz.store import items as store
from services.authz.store import revisions as revision_store
from services.authz.store.items import ItemRow
from shared.bus.envelope import Envelope
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from staffgate.contracts.authz import Item, RegisterItem, Revised
from staffgate.contracts.caller import Product
from staffgate.contracts.items import ItemRegistered, ItemRemoved, ItemsRegistered, ItemState, NamedItem
from staffgate.decision import CHANNEL_ITEMS, Catalogue

_LONGEST = 200  # of `type:id`, the name by which an item is granted
_CHANNELS = frozenset(item.id for item in CHANNEL_ITEMS)

Changed = Callable[[UUID, Collection[UUID] | None, Collection[str], int], None]


class Items:
    def __init__(self, db: Database, catalogues: Catalogues, arrivals: Arrivals, changed: Changed) -> None:
        """`changed` is told of every change that a request makes here."""
        self._db = db
        self._catalogues = catalogues
        self._arrivals = arrivals
        self._changed = changed

    async def register(self, caller: Product, org: UUID, type: str, id: str, wanted: RegisterItem) -> Item:
        """As often as the product likes: what is so already is left as it is."""
        await self._learn([(type, wanted.section)])
        item = self._item(caller.name, type, id, wanted, "$")
        await self._make(org, [item])
        return item

    async def register_all(self, caller: Product, org: UUID, wanted: Sequence[NamedItem]) -> ItemsRegistered:
        """All of them or none."""
        await self._learn({(one.type, one.section) for one in wanted})
        items = [self._item(caller.name, one.type, one.id, one, f"$.items[{n}]") for n, one in enumerate(wanted)]
        if len({(item.type, item.id) for item in items}) < len(items):
            raise Invalid("named_twice", "Each item may be in the list once.", at="$.items")
        changed, revision = await self._make(org, items)
        return ItemsRegistered(changed=changed, revision=revision)

    async def _make(self, org: UUID, items: Sequence[Item]) -> tuple[int, int]:
        """How many are not as they were, and the revision since."""
        named = [org, *{UUID(item.owner) for item in items if item.owner}]
        changed, revision = await self._arrivals.until_here(named, lambda: self._put(org, items))
        if changed:
            self._changed(org, [], self._names({item.type for item in items}), revision)
        return changed, revision

    async def _put(self, org: UUID, items: Sequence[Item]) -> tuple[int, int]:
        async with self._db.begin(org) as tx:
            revision = await _held(tx, org)
            present = await self._kept(tx, org, items)
            rows = [_row(item, present.get((item.type, item.id))) for item in items]
            rows = [row for row in rows if row != present.get((row.type, row.id))]
            if not rows:
                return 0, revision
            return len(rows), await self._keep(tx, org, rows, present)

    async def remove(self, caller: Product, org: UUID, type: str, id: str) -> Revised:
        """Grants on it stay, and are about nothing."""
        await self._learn([(type, None)])
        kind = self._own_type(caller.name, type, "$")
        async with self._db.begin(org) as tx:
            revision = await revision_store.lock_revision(tx, org)
            rows = await store.named_items(tx, org, [(name, id) for name in self._names([kind])])
            if revision is None or not rows:
                raise NotFound("not_found", "There is no such item.")
            there = [msgspec.structs.replace(row, removed=True) for row in rows if not row.removed]
            if not there:
                return Revised(revision=revision)
            await store.put_items(tx, org, there)
            revision = await revisions.raised(tx, org, [], self._names([kind]))
        self._changed(org, [], self._names([kind]), revision)
        return Revised(revision=revision)

    # --- over the bus -----------------------------------------------------------------------------------------

    async def note_registered(self, tx: Tx, event: ItemRegistered, _envelope: Envelope) -> None:
        state = event.state
        await self._learn([(state.type, state.section)], tx)
        item = self._item(event.product, state.type, state.id, state, "$.state")
        await self._note(tx, event.org, item, state.version, removed=False)

    async def note_removed(self, tx: Tx, event: ItemRemoved, _envelope: Envelope) -> None:
        """Kept though it may never have been here: it may be on its way still."""
        await self._learn([(event.item_type, None)], tx)
        kind = self._own_type(event.product, event.item_type, "$")
        section = self._catalogues.current.holders[kind]
        item = Item(type=kind, id=event.item, section=section, label=event.item)
        await self._note(tx, event.org, item, event.version, removed=True)

    async def _note(self, tx: Tx, org: UUID, item: Item, version: int, *, removed: bool) -> None:
        await _held(tx, org)
        present = await self._kept(tx, org, [item])
        row = present.get((item.type, item.id))
        if row is not None and row.version >= version:
            return
        new = msgspec.structs.replace(_row(item, row), version=version, removed=removed)
        if row is not None and new == msgspec.structs.replace(row, version=version):
            await store.put_items(tx, org, [new])  # it counts on, and says the same
        elif row is not None and removed:
            await self._keep(tx, org, [msgspec.structs.replace(row, version=version, removed=True)], {})
        else:
            await self._keep(tx, org, [new], present)

    # --- what is kept -----------------------------------------------------------------------------------------

    async def _kept(self, tx: Tx, org: UUID, items: Sequence[Item]) -> dict[tuple[str, str], ItemRow]:
        return await registry.kept(tx, org, self._catalogues.current, [(item.type, item.id) for item in items])

    async def _keep(
        self, tx: Tx, org: UUID, rows: Sequence[ItemRow], present: Mapping[tuple[str, str], ItemRow]
    ) -> int:
        """A change to the organisation and to nobody's snapshot: those hold no items."""
        await _require_there(tx, org, [row for row in rows if not row.removed])
        for row in rows:
            stored = present.get((row.type, row.id), row)
            if stored.type != row.type:
                await store.rename_item(tx, org, stored.type, row.id, row.type)
        await store.put_items(tx, org, rows)
        return await revisions.raised(tx, org, [], self._names({row.type for row in rows}))

    def _names(self, types: Collection[str]) -> list[str]:
        """Whoever remembers the items of a type may do so by a former name of it."""
        catalogue = self._catalogues.current
        return sorted(name for type in types for name in catalogue.kinds(catalogue.kind(type) or type))

    # --- what is named ----------------------------------------------------------------------------------------

    async def _learn(self, named: Iterable[tuple[str, str | None]], tx: Tx | None = None) -> None:
        """Types and sections. Whoever publishes a manifest may register at once, and this replica may be behind."""
        catalogue = self._catalogues.current
        if any(catalogue.kind(type) is None or not _is_section(catalogue, section) for type, section in named):
            await self._catalogues.load(tx)

    def _item(self, product: str, type: str, id: str, wanted: RegisterItem | ItemState, at: str) -> Item:
        """By the names of today. Raises where it does not fit the catalogue."""
        catalogue = self._catalogues.current
        if not _is_section(catalogue, wanted.section):
            raise Invalid("unknown_section", f"There is no section {wanted.section!r} in the catalogue.", at=at)
        kind = self._own_type(product, type, at)
        section = catalogue.holders[kind]
        if section != catalogue.former.sections.get(wanted.section, wanted.section):
            raise Invalid("wrong_section", f"Items of the type {type!r} belong to the section {section!r}.", at=at)
        if max(len(f"{name}:{id}") for name in (type, kind)) > _LONGEST:
            raise Invalid("item_name_too_long", f"`{type}:id` may have {_LONGEST} characters at most.", at=at)
        if wanted.channel is not None and wanted.channel not in _CHANNELS:
            raise Invalid("unknown_channel", f"There is no channel {wanted.channel!r}.", at=at)
        return Item(
            type=kind,
            id=id,
            section=section,
            label=wanted.label,
            owner=None if wanted.owner is None else str(wanted.owner),
            team=None if wanted.team is None else str(wanted.team),
            subscriber=wanted.subscriber,
            tenant=wanted.tenant,
            contract=wanted.contract,
            channel=wanted.channel,
        )

    def _own_type(self, product: str, type: str, at: str) -> str:
        """What a type is called today; a product has the items of its own manifest."""
        kind, publisher = self._catalogues.current.kind(type), self._catalogues.publisher(type)
        if kind is None:
            raise Invalid("unknown_item_type", f"No section of the catalogue holds items of the type {type!r}.", at=at)
        if kind in registry.FIXED_TYPES:
            raise Conflict("fixed_items", f"The items of the type {type!r} are the same in every organisation.", at=at)
        if publisher != product:
            raise Forbidden("others_items", f"Items of the type {type!r} belong to another product service.", at=at)
        return kind


def _is_section(catalogue: Catalogue, name: str | None) -> bool:
    return name is None or name in catalogue.sections or name in catalogue.former.sections


def _row(item: Item, present: ItemRow | None) -> ItemRow:
    """To be kept; without a version of its own it has that of the one before."""
    about = {name: getattr(item, name) for name in Item.__struct_fields__}
    return ItemRow(**about, version=0 if present is None else present.version, removed=False)


async def _held(tx: Tx, org: UUID) -> int:
    revision = await revision_store.lock_revision(tx, org)
    if revision is None:
        raise NotArrived(NotFound("not_found", "There is no such organisation."))
    return revision


async def _require_there(tx: Tx, org: UUID, rows: Sequence[ItemRow]) -> None:
    """What items name has to be the same organisation's. A person may be on their way here."""
    missing = await store.missing(
        tx,
        org,
        owners=sorted({row.owner for row in rows if row.owner}),
        teams=sorted({row.team for row in rows if row.team}),
        tenants=sorted({row.tenant for row in rows if row.tenant}),
        contracts=sorted({row.contract for row in rows if row.contract}),
    )
    if not missing:
        return
    first = missing[0]
    refusal = Invalid(f"unknown_{first.what}", f"The organisation has no {first.what} {first.name!r}.")
    raise NotArrived(refusal) if first.what == "owner" else refusal
