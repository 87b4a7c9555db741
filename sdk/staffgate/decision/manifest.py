"""What a product service publishes about itself: its part of the catalogue (permission model, section 1)."""

from __future__ import annotations

import msgspec

from staffgate.contracts.authz import Label, Name


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A section, or a sub-section of `parent`. `items` are the item types that it holds (section 1)."""

    name: Name
    label: Label
    parent: Name | None = None
    items: tuple[Name, ...] = ()


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named thing to do in a section, and the base action that it needs (section 1): `sms.send` needs `create`."""

    name: Name
    label: Label
    section: Name
    action: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One product's sections and features (section 1)."""

    product: Name
    label: Label
    sections: tuple[Section, ...] = ()
    features: tuple[Feature, ...] = ()


class BadManifest(ValueError):
    """The manifests do not make one catalogue (section 1); the text says which entry is wrong, and how."""
