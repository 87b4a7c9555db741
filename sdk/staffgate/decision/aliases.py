"""Former names: what was called otherwise is understood by both names, and nothing that is stored has to be rewritten
(permission model, section 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from staffgate.contracts.catalogue import Aliases, Manifest
from staffgate.decision.manifest import BadManifest

NO_ALIASES = Aliases()


def resolved(manifests: Iterable[Manifest], reserved: frozenset[str]) -> Aliases:
    """Every former name with the present one at the end of its chain (section 1). Raises BadManifest.

    `reserved` are the names that the model itself knows things by; they can't be given up.
    """
    manifests = tuple(manifests)
    sections: dict[str, dict[str, str]] = {m.product: m.aliases.sections for m in manifests}
    features: dict[str, dict[str, str]] = {m.product: m.aliases.features for m in manifests}
    items: dict[str, dict[str, str]] = {m.product: m.aliases.items for m in manifests}
    present = {m.product: [section.name for section in m.sections] for m in manifests}
    listed = {m.product: [feature.name for feature in m.features] for m in manifests}
    held = {m.product: [kind for section in m.sections for kind in section.items] for m in manifests}
    return Aliases(
        _resolved("section", sections, present, frozenset()),
        _resolved("feature", features, listed, reserved),
        _resolved("item type", items, held, reserved),
    )


def _resolved(
    what: str,
    published: Mapping[str, Mapping[str, str]],
    present: Mapping[str, Iterable[str]],
    reserved: frozenset[str],
) -> dict[str, str]:
    taken = {name for names in present.values() for name in names}
    found: dict[str, str] = {}
    for product, aliases in published.items():
        for former in aliases:
            if former in reserved:
                raise BadManifest(f"alias {former!r}: the model knows this {what} by its name, so it keeps it")
            if former in taken:
                raise BadManifest(f"alias {former!r}: this is a present {what} as well")
            if former in found:
                raise BadManifest(f"alias {former!r}: another product has it already")
            found[intern(former)] = intern(_end(what, former, aliases, set(present[product])))
    return found


def _end(what: str, former: str, aliases: Mapping[str, str], own: set[str]) -> str:
    """Along the chain to what it is called now."""
    seen, name = {former}, aliases[former]
    while name not in own:
        if name in seen:
            raise BadManifest(f"alias {former!r}: it goes round in a circle")
        if name not in aliases:
            raise BadManifest(f"alias {former!r}: the product has no {what} {name!r}")
        seen.add(name)
        name = aliases[name]
    return name
