"""What is registered, by the present names: an item whose type or section was called otherwise is found all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

import msgspec

from services.authz.store import items as store
from services.authz.store.items import ItemRow
from shared.db import Tx
from staffgate.contracts.authz import Item, Target
from staffgate.decision import CHANNEL_ITEMS, Catalogue

# The same in every organisation, so that nobody has to register them, and nobody can.
FIXED = {(item.type, item.id): item for item in CHANNEL_ITEMS}
FIXED_TYPES = frozenset(item.type for item in CHANNEL_ITEMS)

Name = tuple[str, str]  # type and id


async def item(tx: Tx, org: UUID, catalogue: Catalogue, type: str, id: str) -> Item | None:
    """None where none of that name is registered."""
    kind = catalogue.kind(type)
    if kind is None or (kind, id) in FIXED:
        return None if kind is None else FIXED[kind, id]
    if "\0" in id:  # no item is called so, and PostgreSQL has no text for it
        return None
    row = (await kept(tx, org, catalogue, [(kind, id)])).get((kind, id))
    return None if row is None or row.removed else presented(row.item, catalogue)


async def items_of(tx: Tx, org: UUID, catalogue: Catalogue, type: str) -> list[Item]:
    """All of a type, by id."""
    kind = catalogue.kind(type)
    if kind is None or kind in FIXED_TYPES:
        return [item for item in CHANNEL_ITEMS if item.type == kind]
    found = await store.items_of(tx, org, catalogue.kinds(kind))
    return list(_newest(found, catalogue).values())


async def items_of_many(tx: Tx, org: UUID, catalogue: Catalogue, types: Collection[str]) -> dict[str, list[Item]]:
    """The same for each of these types, with one query."""
    kinds = {type: catalogue.kind(type) for type in types}
    names = {name for kind in kinds.values() if kind is not None for name in catalogue.kinds(kind)}
    found: dict[str | None, list[Item]] = {}
    for item in await store.items_of(tx, org, sorted(names)):
        found.setdefault(catalogue.kind(item.type), []).append(item)
    return {
        type: [item for item in CHANNEL_ITEMS if item.type == kind]
        if kind in FIXED_TYPES
        else list(_newest(found.get(kind, ()), catalogue).values())
        for type, kind in kinds.items()
    }


async def kept(tx: Tx, org: UUID, catalogue: Catalogue, names: Iterable[Name]) -> dict[Name, ItemRow]:
    """The rows of these items, removed ones too, by the present names. They say under which name they are stored."""
    every = [(kind, id) for type, id in names for kind in catalogue.kinds(type)]
    rows = await store.named_items(tx, org, every)
    return {(catalogue.kind(row.type) or row.type, row.id): row for row in _former_first(rows, catalogue)}


async def there(tx: Tx, org: UUID, catalogue: Catalogue, targets: Collection[Target]) -> set[Target]:
    """Those of these targets, in the one way to write them, that the catalogue has, and the registry where they name an
    item."""
    known = {target for target in targets if catalogue.canonical(target) == target}
    on_items = {target: (kind, id) for target in known if target.item for kind, _, id in [target.item.partition(":")]}
    rows = await kept(tx, org, catalogue, on_items.values()) if on_items else {}
    gone = {
        target for target, name in on_items.items() if name not in FIXED and (name not in rows or rows[name].removed)
    }
    return known - gone


def presented(item: Item, catalogue: Catalogue) -> Item:
    """By the present names. Where its type belongs is for the catalogue to say."""
    kind = catalogue.kind(item.type)
    if kind is None or (kind, catalogue.holders[kind]) == (item.type, item.section):
        return item
    return msgspec.structs.replace(item, type=kind, section=catalogue.holders[kind])


def _newest(found: Iterable[Item], catalogue: Catalogue) -> dict[str, Item]:
    by_id = {item.id: item for item in _former_first(found, catalogue)}
    return {id: presented(by_id[id], catalogue) for id in sorted(by_id)}


def _former_first(found: Iterable[Item], catalogue: Catalogue) -> list[ItemRow]:
    """What is stored by the present name is newer than what is stored by a former one."""
    return sorted(found, key=lambda item: item.type in catalogue.holders)  # type: ignore[arg-type]
