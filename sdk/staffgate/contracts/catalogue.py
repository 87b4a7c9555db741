"""What a product service publishes about itself (permission model, section 1), and what is told of the catalogue."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from staffgate.contracts.authz import Label, Name
from staffgate.contracts.event import Event


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A section, or a sub-section of `parent`. `items` are the item types that it holds (section 1).

    Where `rows` is false its items are everybody's alike, and whose they are does not matter (section 3).
    """

    name: Name
    label: Label
    parent: Name | None = None
    items: tuple[Name, ...] = ()
    rows: bool = True


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named thing to do in a section, and the base action that it needs (section 1): `sms.send` needs `create`."""

    name: Name
    label: Label
    section: Name
    action: str


class Aliases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Former names and what each is called now. What was stored under one, and who still asks by it, is understood.

    The new name may be a former one too: what was renamed twice keeps both entries.
    """

    sections: dict[Name, Name] = {}
    features: dict[Name, Name] = {}
    items: dict[Name, Name] = {}


class Retired(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Names whose stored permissions may lose their meaning: given up on purpose, and not by a slip."""

    sections: tuple[Name, ...] = ()
    features: tuple[Name, ...] = ()
    items: tuple[Name, ...] = ()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One product's sections and features (section 1). Whatever is changed in one raises its `version`."""

    product: Name
    label: Label
    sections: tuple[Section, ...] = ()
    features: tuple[Feature, ...] = ()
    version: Annotated[int, Meta(ge=1, le=2**53)] = 1
    aliases: Aliases = Aliases()
    retire: Retired = Retired()


# --- publishing -----------------------------------------------------------------------------------------------


class Published(msgspec.Struct, kw_only=True):
    """`catalogue` is the version of the whole, which every published manifest raises by one."""

    product: Name
    version: int
    catalogue: int


class WholeCatalogue(msgspec.Struct, kw_only=True):
    """Every product's manifest. The version is in the ETag as well."""

    version: int
    manifests: tuple[Manifest, ...]


class StoredTarget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A target that permissions or items name, as it is stored; how many do, and in how many organisations."""

    place: Literal["grants", "roles", "access", "contracts", "items"]
    product: str | None = None
    section: str | None = None
    feature: str | None = None
    item_type: str | None = None
    count: int
    organisations: int


class Drift(msgspec.Struct, kw_only=True):
    """What is stored and means nothing in the present catalogue, and so allows nothing and denies nothing."""

    version: int
    targets: list[StoredTarget]


class CataloguePublished(Event, frozen=True, kw_only=True):
    """There is a newer catalogue. It is the suite's and not an organisation's: `org` is nobody's."""

    type: ClassVar[str] = "authz.catalogue.published.v1"

    version: int
    products: list[str]

    @property
    def sequence(self) -> int:
        return self.version
