"""The catalogue as the reference evaluator has it: a target is spelled out as the set of everything inside it.

So "contains" is Python's own `in` on sets, and "narrows" its own `<=`: inside or equal in every part, and not equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from staffgate.contracts.authz import Target
from staffgate.decision import Manifest

Path = tuple[str, ...]  # outwards: `inbox:sales`, `sms` (its section), `/messages` (the product), `/` (everything)


class Point(NamedTuple):
    place: str | None
    feature: str | None
    contract: str | None
    tenant: str | None


class Extent(NamedTuple):
    places: set[str | None]
    features: set[str | None]
    contracts: set[str | None]
    tenants: set[str | None]

    def contains(self, point: Point) -> bool:
        return all(at in part for at, part in zip(point, self, strict=True))

    def narrows(self, other: Extent) -> bool:
        return self != other and all(mine <= its for mine, its in zip(self, other, strict=True))


class Extents:
    """`items`, `contracts` and `tenants` are all that there are, as far as anybody has named them."""

    def __init__(
        self, manifests: Iterable[Manifest], items: Iterable[str], contracts: Iterable[str], tenants: Iterable[str]
    ) -> None:
        self.products = {f"/{m.product}": {s.name: s for s in m.sections} for m in manifests}
        self.sections = {name: section for sections in self.products.values() for name, section in sections.items()}
        self.features = {feature.name: feature for m in manifests for feature in m.features}
        self.contracts, self.tenants = {None, *contracts}, {None, *tenants}
        self.paths = [("/",), *((product, "/") for product in self.products), *map(self.outwards, self.sections)]
        self.paths += [self.path(*item.split(":", 1)) for item in items if ":" in item]

    def outwards(self, section: str) -> Path:
        parent = self.sections[section].parent
        product = next(product for product, sections in self.products.items() if section in sections)
        return (section, *(self.outwards(parent) if parent else (product, "/")))

    def path(self, kind: object, name: object) -> Path:
        """The places that a resource is in, from the inside out; none where there is no such place."""
        if not isinstance(kind, str) or not isinstance(name, str):
            return ()
        if kind == "product":
            return (f"/{name}", "/") if f"/{name}" in self.products else ()
        if kind == "section":
            return self.outwards(name) if name in self.sections else ()
        holder = next((section.name for section in self.sections.values() if kind in section.items), None)
        return (f"{kind}:{name}", *self.outwards(holder)) if holder else ()

    def inside(self, target: Target, asked: Path) -> Extent:
        """Everything inside a target, the place that is asked about among it."""
        named = {target.product and f"/{target.product}", target.section, target.item} - {None}
        if target.feature in self.features:  # a feature counts in its own section and further in
            named.add(self.features[target.feature].section)
        return Extent(
            {path[0] for path in (*self.paths, asked) if path and named <= set(path)},
            {feature for feature in (None, *self.features) if target.feature in (None, feature)},
            {contract for contract in self.contracts if target.contract in (None, contract)},
            {tenant for tenant in self.tenants if target.tenant in (None, tenant)},
        )
