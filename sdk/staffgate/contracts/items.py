"""The item registry in bulk: many at once, lists of them, and what products tell of their items over the bus."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from staffgate.contracts.authz import Item, ItemAttributes, ItemId, Label, Name, RegisterItem
from staffgate.contracts.event import Event, Stated

BULK = 1_000
ItemName = Annotated[
    str, Meta(max_length=301, pattern=r"^[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]+$(?!\n)", description="`type:id`")
]
Version = Annotated[int, Meta(ge=1, le=2**53)]


class NamedItem(RegisterItem, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An item with its name."""

    type: Name
    id: ItemId


class RegisterItems(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    items: Annotated[list[NamedItem], Meta(min_length=1, max_length=BULK)]


class ItemsRegistered(msgspec.Struct, kw_only=True):
    """How many of them are not as they were, and the organisation's revision since."""

    changed: int
    revision: int


class ItemQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`section` means its sub-sections too, `label` is any part of a label, and `after` the `next` of the page before."""

    type: Name | None = None
    section: Name | None = None
    label: Label | None = None
    after: ItemName | None = None
    limit: Annotated[int, Meta(ge=1, le=BULK)] = 100


class ItemList(msgspec.Struct, kw_only=True):
    """A page, by type and id. `next` is null on the last one."""

    items: list[Item]
    next: str | None
    revision: int


# --- events ---------------------------------------------------------------------------------------------------


class ItemState(ItemAttributes, frozen=True, kw_only=True):
    """`version` is the product's count of the item's changes, from 1: the newest wins, in whatever order they come."""

    type: Name
    id: ItemId
    version: Version


class ItemRegistered(Stated[ItemState], frozen=True, kw_only=True):
    """A product has a new item, or one of its items has changed. `product` is the name that it signs in by."""

    type: ClassVar[str] = "product.item.registered.v1"

    product: Name

    @property
    def sequence(self) -> int:
        return self.state.version


class ItemRemoved(Event, frozen=True, kw_only=True):
    """An item is no more. What comes later with a lower version than this does not bring it back."""

    type: ClassVar[str] = "product.item.removed.v1"

    product: Name
    item_type: Name
    item: ItemId
    version: Version

    @property
    def sequence(self) -> int:
        return self.version
