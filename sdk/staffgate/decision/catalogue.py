"""The catalogue: every section, feature and item type of every product, compiled for look-up (section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import intern
from typing import TypeVar

import msgspec

from staffgate.contracts.authz import Target
from staffgate.decision.actions import BASE_ACTIONS, Mask
from staffgate.decision.aliases import NO_ALIASES, resolved
from staffgate.decision.manifest import Aliases, BadManifest, Feature, Manifest, Section

# The places that a question is about, from the inside out: an item (`inbox:sales`), its section, that one's parent,
# the product (`/sms`), everything (`/`). An item has a colon and a section can have neither that nor a slash.
Path = tuple[str, ...]
Entry = TypeVar("Entry", Section, Feature, Manifest)

EVERYTHING = "/"
SECTION = "section"  # the resource type of a question about a section as such
PRODUCT = "product"  # and of one about a product
ROUTE = "call.route"  # the feature that has a destination as well (section 5)
USE = "product.use"  # outside the tiers (section 2)
LINKED = frozenset({"recording.listen", "call.click"})  # what a subscriber link is good for (section 5)
OPERATE = "channel.operate"
CHANNEL = "channel"
LOGIN = "portal.login"
# What the model itself names: a rule about it would be lost if it were called otherwise (sections 1, 4 and 5).
_RESERVED = frozenset({SECTION, PRODUCT, ROUTE, USE, *LINKED, OPERATE, CHANNEL, LOGIN})

_DEEPEST = 16  # sections inside one another: every question walks outwards through all of them


class Action(msgspec.Struct, frozen=True, gc=False):
    """What the name of an action stands for: `sms.send`, a feature, or `contacts.edit`, a base action on a section."""

    name: str
    section: str
    need: Mask
    feature: str | None
    linked: bool


_USE = Action(USE, "", 0, None, False)


class Catalogue(msgspec.Struct, frozen=True):
    """Every product's manifest in one. Immutable: a new manifest makes a new catalogue, and new snapshots (section 1)."""

    manifests: tuple[Manifest, ...]
    sections: dict[str, Section]
    features: dict[str, Feature]
    actions: dict[str, Action]
    paths: dict[str, Path]
    products: dict[str, Path]
    holders: dict[str, str]
    owned: frozenset[str]
    former: Aliases = NO_ALIASES

    @classmethod
    def from_manifests(cls, manifests: Iterable[Manifest]) -> Catalogue:
        """One catalogue out of many manifests (section 1). Raises BadManifest where they contradict one another."""
        checked = tuple(_checked(manifest) for manifest in manifests)
        _unique("product", checked, lambda manifest: manifest.product)
        sections = _unique("section", [s for m in checked for s in m.sections], lambda section: section.name)
        features = _unique("feature", [f for m in checked for f in m.features], lambda feature: feature.name)
        products: dict[str, Path] = {m.product: (intern(f"/{m.product}"), EVERYTHING) for m in checked}
        owners = {section.name: m.product for m in checked for section in m.sections}
        paths = {name: (*_path(sections, name), *products[owners[name]]) for name in sections}
        holders = _holders(sections)
        # The item types that are somebody's: whose they are matters (section 3).
        owned = frozenset(kind for kind, section in holders.items() if sections[section].rows)
        former = resolved(checked, _RESERVED)
        actions = _actions(sections, features)
        _add_former(actions, former)
        owned |= {kind for kind, now in former.items.items() if now in owned}
        return cls(checked, sections, features, actions, paths, products, holders, owned, former)

    def path(self, kind: str, name: str) -> Path | None:
        """Where the resource of a question is: an item, a `section`, or a `product`. None where that is unknown."""
        holder = self.holders.get(kind)
        if holder is not None:
            return (f"{kind}:{name}", *self.paths[holder])
        if kind == SECTION:
            return self.paths.get(self.former.sections.get(name, name))
        if kind in self.former.items:
            return self.path(self.former.items[kind], name)
        return self.products.get(name) if kind == PRODUCT else None

    def kind(self, name: str) -> str | None:
        """What an item type is called now, None where there is none of that name (section 1)."""
        name = self.former.items.get(name, name)
        return name if name in self.holders else None

    def kinds(self, kind: str) -> list[str]:
        """Every name of an item type, the present one first (section 1)."""
        return [kind, *sorted(former for former, now in self.former.items.items() if now == kind)]

    def path_of(self, target: Target) -> Path:
        """The places of a canonical target, from the inside out (section 1)."""
        if target.section is None:
            return (EVERYTHING,) if target.product is None else self.products[target.product]
        path = self.paths[target.section]
        return path if target.item is None else (target.item, *path)

    def canonical(self, target: Target) -> Target | None:
        """The one way to write a target, None where nothing can be inside it (section 1).

        Targets are sets. `number:office-a` of Telephony is the same set as `number:office-a` of Telephony's
        Numbers, so that neither may narrow the other: the section becomes the innermost one that is named, and a
        product is named where no section is.
        """
        target = self._renamed(target)
        named = self._places_of(target)
        if named is None:
            return None
        path = max(named, key=len, default=(EVERYTHING,))
        if not all(place[0] in path for place in named):
            return None
        # The last one named is the item's own: nothing further in can hold the item.
        if target.item is not None and path != named[-1]:
            return None
        product, section = (path[0][1:] or None, None) if path[0][0] == EVERYTHING else (None, path[0])
        return Target(
            product=product,
            section=section,
            feature=target.feature,
            item=target.item,
            contract=target.contract,
            tenant=target.tenant,
        )

    def _renamed(self, target: Target) -> Target:
        """The same by the names of today (section 1)."""
        former = self.former
        if not (former.sections or former.features or former.items):
            return target
        kind, colon, name = (target.item or "").partition(":")
        return msgspec.structs.replace(
            target,
            section=former.sections.get(target.section or "", target.section),
            feature=former.features.get(target.feature or "", target.feature),
            item=f"{former.items[kind]}:{name}" if colon and kind in former.items else target.item,
        )

    def _places_of(self, target: Target) -> list[Path] | None:
        """The paths of what a target names; None where something is unknown."""
        named: list[Path | None] = []
        if target.product is not None:
            named.append(self.products.get(target.product))
        if target.section is not None:
            named.append(self.paths.get(target.section))
        if target.feature is not None:
            feature = self.features.get(target.feature)
            named.append(None if feature is None else self.paths[feature.section])
        if target.item is not None:
            kind, colon, _ = target.item.partition(":")
            named.append(self.paths.get(self.holders.get(kind, "")) if colon else None)
        known = [path for path in named if path is not None]
        return known if len(known) == len(named) else None


def _checked(manifest: Manifest) -> Manifest:
    try:
        # Once through the decoder, so that one made in Python meets the same rules for names as one that was sent.
        manifest = msgspec.convert(msgspec.to_builtins(manifest), Manifest)
    except msgspec.ValidationError as error:
        raise BadManifest(f"manifest of {manifest.product!r}: {error}") from error
    own = {section.name for section in manifest.sections}
    for section in manifest.sections:
        if section.parent is not None and section.parent not in own:
            raise BadManifest(f"section {section.name!r}: unknown parent section {section.parent!r}")
    for feature in manifest.features:
        if feature.section not in own:
            raise BadManifest(f"feature {feature.name!r}: unknown section {feature.section!r}")
        if feature.action not in BASE_ACTIONS:
            raise BadManifest(f"feature {feature.name!r}: unknown base action {feature.action!r}")
    return manifest


def _unique(what: str, entries: Iterable[Entry], name: Callable[[Entry], str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        if found.setdefault(intern(name(entry)), entry) is not entry:
            raise BadManifest(f"duplicate {what} {name(entry)!r}")
    return found


def _path(sections: dict[str, Section], name: str) -> Path:
    path: list[str] = []
    step: str | None = name
    while step is not None:
        if step in path:
            raise BadManifest(f"section {name!r}: its parents go round in a circle")
        if len(path) == _DEEPEST:
            raise BadManifest(f"section {name!r}: more than {_DEEPEST} sections inside one another")
        path.append(intern(step))
        step = sections[step].parent
    return tuple(path)


def _holders(sections: dict[str, Section]) -> dict[str, str]:
    holders: dict[str, str] = {}
    for section in sections.values():
        for kind in section.items:
            if kind in (SECTION, PRODUCT):
                raise BadManifest(f"section {section.name!r}: the item type {kind!r} is reserved")
            if kind in holders:
                raise BadManifest(f"section {section.name!r}: {holders[kind]!r} already holds the item type {kind!r}")
            holders[kind] = section.name
    return holders


def _actions(sections: dict[str, Section], features: dict[str, Feature]) -> dict[str, Action]:
    actions = {USE: _USE}
    for section in sections.values():
        for base, need in BASE_ACTIONS.items():
            name = f"{section.name}.{base}"
            actions[name] = Action(name, section.name, need, None, False)
    for name, feature in features.items():
        action = Action(name, feature.section, BASE_ACTIONS[feature.action], name, name in LINKED)
        general = actions.get(name)
        # A general action may be listed, so that it can be granted by its name, but not given another meaning.
        if general is not None and (general.section, general.need) != (action.section, action.need):
            raise BadManifest(f"feature {name!r}: this is an action of {general.section or 'every product'!r} already")
        actions[name] = action
    return actions


def _add_former(actions: dict[str, Action], former: Aliases) -> None:
    """Whoever still asks by a former name means the same action; it may not mean another one already."""
    renamed = [
        (f"{section}.{base}", f"{now}.{base}") for section, now in former.sections.items() for base in BASE_ACTIONS
    ]
    for name, now in (*renamed, *former.features.items()):
        action, other = actions[now], actions.get(name)
        if other is not None and (other.section, other.need) != (action.section, action.need):
            raise BadManifest(f"alias {name!r}: this is an action of {other.section or 'every product'!r} already")
        # A general action may be listed as a feature; then that is what its name says.
        actions[name] = other if other is not None and action.feature is None else action
