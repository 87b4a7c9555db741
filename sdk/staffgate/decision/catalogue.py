"""The catalogue: every section, feature and item type of every product, compiled for look-up (section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import intern
from typing import TypeVar

import msgspec

from staffgate.contracts.authz import Target
from staffgate.decision.actions import BASE_ACTIONS, Mask
from staffgate.decision.manifest import BadManifest, Feature, Manifest, Section

# The places that a question is about, from the inside out: an item (`inbox:sales`), its section, that one's parent...
# An item's key has a colon and a section's name cannot, so the two never meet.
Path = tuple[str, ...]
Entry = TypeVar("Entry", Section, Feature, Manifest)

SECTION = "section"  # the resource type of a question about a section as such
ROUTE = "call.route"  # the feature that has a destination as well (section 5)


class Action(msgspec.Struct, frozen=True, gc=False):
    """What the name of an action stands for: `sms.send`, a feature, or `contacts.edit`, a base action on a section."""

    section: str
    need: Mask
    feature: str | None
    routes: bool


class Catalogue(msgspec.Struct, frozen=True):
    """Every product's manifest in one. Immutable: a new manifest makes a new catalogue, and new snapshots (section 1)."""

    manifests: tuple[Manifest, ...]
    sections: dict[str, Section]
    features: dict[str, Feature]
    actions: dict[str, Action]
    paths: dict[str, Path]
    holders: dict[str, str]

    @classmethod
    def from_manifests(cls, manifests: Iterable[Manifest]) -> Catalogue:
        """One catalogue out of many manifests (section 1). Raises BadManifest where they contradict one another."""
        checked = tuple(_checked(manifest) for manifest in manifests)
        _unique("product", checked, lambda manifest: manifest.product)
        sections = _unique("section", [s for m in checked for s in m.sections], lambda section: section.name)
        features = _unique("feature", [f for m in checked for f in m.features], lambda feature: feature.name)
        paths = {name: _path(sections, name) for name in sections}
        return cls(checked, sections, features, _actions(sections, features), paths, _holders(sections))

    def path(self, kind: str, name: str) -> Path | None:
        """Where the resource of a question is: an item, or a `section` (section 1). None where the type is unknown."""
        if kind == SECTION:
            return self.paths.get(name)
        holder = self.holders.get(kind)
        return None if holder is None else (f"{kind}:{name}", *self.paths[holder])

    def path_of(self, target: Target) -> Path:
        """The places of a canonical target, from the inside out (section 1)."""
        path = self.paths[target.section]
        return path if target.item is None else (target.item, *path)

    def canonical(self, target: Target) -> Target | None:
        """The one way to write a target, None where nothing can be inside it (section 1).

        Targets are sets. `number:office-a` of Telephony is the same set as `number:office-a` of Telephony's
        Numbers, so that neither may narrow the other: the section becomes the innermost one that is named.
        """
        named = self._sections_of(target)
        if named is None:
            return None
        innermost = max(named, key=lambda name: len(self.paths[name]))
        if not all(name in self.paths[innermost] for name in named):
            return None
        # The last one named is the item's own: nothing further in can hold the item.
        if target.item is not None and innermost != named[-1]:
            return None
        return Target(section=innermost, feature=target.feature, item=target.item)

    def _sections_of(self, target: Target) -> list[str] | None:
        named: list[str | None] = [target.section if target.section in self.sections else None]
        if target.feature is not None:
            feature = self.features.get(target.feature)
            named.append(None if feature is None else feature.section)
        if target.item is not None:
            named.append(self.holders.get(target.item.partition(":")[0]) if ":" in target.item else None)
        known = [name for name in named if name is not None]
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
        path.append(intern(step))
        step = sections[step].parent
    return tuple(path)


def _holders(sections: dict[str, Section]) -> dict[str, str]:
    holders: dict[str, str] = {}
    for section in sections.values():
        for kind in section.items:
            if kind == SECTION:
                raise BadManifest(f"section {section.name!r}: the item type {SECTION!r} is reserved")
            if kind in holders:
                raise BadManifest(f"section {section.name!r}: {holders[kind]!r} already holds the item type {kind!r}")
            holders[kind] = section.name
    return holders


def _actions(sections: dict[str, Section], features: dict[str, Feature]) -> dict[str, Action]:
    actions = {
        f"{section}.{base}": Action(section, need, None, False)
        for section in sections
        for base, need in BASE_ACTIONS.items()
    }
    for name, feature in features.items():
        action = Action(feature.section, BASE_ACTIONS[feature.action], name, name == ROUTE)
        general = actions.get(name)
        # A general action may be listed, so that it can be granted by its name, but not given another meaning.
        if general is not None and (general.section, general.need) != (action.section, action.need):
            raise BadManifest(f"feature {name!r}: this is already an action of the section {general.section!r}")
        actions[name] = action
    return actions
