"""A set of rules on targets, of which a narrower one replaces a wider one (permission model, section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sys import intern
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Target
from staffgate.decision.actions import Mask
from staffgate.decision.catalogue import EVERYTHING, Catalogue, Path

# Where a rule counts: the contract and the tenant that it is narrowed to.
Context = tuple[str | None, str | None]
# Inside one context, by place, or by place and feature.
Table = dict[str, Mask]
# What a rule is compiled from: its target, what it allows, and its id.
Source = tuple[Target, Mask, UUID | None]

ANYWHERE: Context = (None, None)
_FEATURE = "\x1f"  # between place and feature; in neither can it be


class Rule(msgspec.Struct, frozen=True, gc=False):
    """A rule that is about the question: by where it is, enough to find the rest when somebody asks for it (section 7)."""

    mask: Mask
    depth: int
    place: str
    feature: str | None
    context: Context

    @property
    def on_item(self) -> bool:
        return ":" in self.place

    def narrows(self, other: Rule) -> bool:
        """Is its target a strict subset of the other's, both containing the same question (section 2)?"""
        return (
            self.depth <= other.depth
            and (other.feature is None or self.feature is not None)
            and (other.context[0] is None or self.context[0] is not None)
            and (other.context[1] is None or self.context[1] is not None)
            and (self.depth, self.feature, self.context) != (other.depth, other.feature, other.context)
        )

    def target(self, path: Path) -> Target:
        """What the rule is on, given the path of a question about it (section 1)."""
        contract, tenant = self.context
        if self.on_item:
            return Target(section=path[1], feature=self.feature, item=self.place, contract=contract, tenant=tenant)
        if self.place[0] != EVERYTHING:
            return Target(section=self.place, feature=self.feature, contract=contract, tenant=tenant)
        return Target(product=self.place[1:] or None, contract=contract, tenant=tenant)


class AccessRule(Rule, frozen=True, gc=False):
    """A product access level as a rule of tier 1 (section 2); without an id it is the Without access of those who have none."""

    id: UUID | None


class Rules(msgspec.Struct, frozen=True, gc=False):
    """Rules by where they are (section 2). Most people's are all in `plain`: narrowed to no contract and no tenant.

    The ids are packed in the order of the tables, 16 bytes each. Keys are shared by everybody who has a rule there and
    masks by the whole process, so that a rule costs a person about forty bytes.
    """

    plain: Table
    contexts: dict[Context, Table]
    features: int
    ids: bytes

    def about(self, path: Path, feature: str | None, contract: str | None, tenant: str | None) -> list[Rule]:
        """What remains of the rules that contain the question when each that another one narrows is dropped."""
        if feature is not None and not (self.features and self.features & _bit(feature)):
            feature = None
        found: list[Rule] = []
        if self.plain:
            _innermost(found, self.plain, path, feature, ANYWHERE)
        if self.contexts and (contract is not None or tenant is not None):
            for context in _named(contract, tenant):
                table = self.contexts.get(context)
                if table is not None:
                    _innermost(found, table, path, feature, context)
            return remaining(found)
        return found

    def places(self) -> Iterator[tuple[str, str | None, Context]]:
        """Place, feature and context of every rule (section 2)."""
        for context, table in self._tables():
            for key in table:
                place, _, feature = key.partition(_FEATURE)
                yield place, feature or None, context

    def items(self) -> frozenset[str]:
        """The ids of the items that a rule is on (section 1), of whatever type."""
        on_items = (key for _, table in self._tables() for key in table if ":" in key)
        return frozenset(key.partition(_FEATURE)[0].partition(":")[2] for key in on_items)

    def identity(self, rule: Rule) -> UUID | None:
        """The id of a rule (section 7), where it has one."""
        if not self.ids:
            return None
        before = 0
        for context, table in self._tables():
            if context == rule.context:
                number = before + list(table).index(_key(rule.place, rule.feature))
                return UUID(bytes=self.ids[16 * number : 16 * number + 16])
            before += len(table)
        return None

    def _tables(self) -> Iterator[tuple[Context, Table]]:
        yield ANYWHERE, self.plain
        yield from self.contexts.items()


def _bit(feature: str) -> int:
    """One of thirty. Two features may share one: then the tables are looked up in vain, and that is all."""
    return 1 << hash(feature) % 30


NO_RULES = Rules({}, {}, 0, b"")


def _named(contract: str | None, tenant: str | None) -> tuple[Context, ...]:
    """In an order of their own: the same facts always name the same rule (section 7)."""
    if contract is None or tenant is None:
        return ((contract, tenant),)
    return ((contract, None), (None, tenant), (contract, tenant))


def remaining(found: list[Rule]) -> list[Rule]:
    """Those that no other one narrows (section 2)."""
    if len(found) < 2:
        return found
    return [rule for rule in found if not any(other.narrows(rule) for other in found)]


def _innermost(found: list[Rule], table: Table, path: Path, feature: str | None, context: Context) -> None:
    """The rules of one context that no other one there narrows: two at most.

    One on the feature narrows everything at its own place and outwards of it. One on a whole place narrows the whole
    places outwards, but no feature: next to a feature further out, both count.
    """
    whole = False
    for depth, place in enumerate(path):
        if feature is not None:
            mask = table.get(place + _FEATURE + feature)
            if mask is not None:
                found.append(Rule(mask, depth, place, feature, context))
                return
        if not whole and place in table:
            found.append(Rule(table[place], depth, place, None, context))
            if feature is None:
                return
            whole = True


def _key(place: str, feature: str | None) -> str:
    return place if feature is None else place + _FEATURE + feature


def compiled(sources: Iterable[Source], catalogue: Catalogue) -> Rules:
    """Rules out of targets (section 2). Their order makes no difference; of two on one target both have to allow."""
    tables: dict[Context, dict[str, tuple[Mask, bytes]]] = {}
    for written, mask, id in sources:
        target = catalogue.canonical(written)
        if target is None:
            continue
        table = tables.setdefault((target.contract, target.tenant), {})
        key = intern(_key(catalogue.path_of(target)[0], target.feature))
        name = b"" if id is None else id.bytes
        table[key] = _both(table[key], (mask, name)) if key in table else (mask, name)
    ordered = {context: dict(sorted(tables[context].items())) for context in sorted(tables, key=_order)}
    masks = {context: _masks(table) for context, table in ordered.items()}
    features = 0
    for feature in {key.partition(_FEATURE)[2] for table in ordered.values() for key in table if _FEATURE in key}:
        features |= _bit(feature)
    ids = b"".join(name for table in ordered.values() for _, name in table.values())
    return Rules(masks.pop(ANYWHERE, {}), masks, features, ids)


def _masks(table: dict[str, tuple[Mask, bytes]]) -> Table:
    grown = {key: mask for key, (mask, _) in table.items()}
    # A copy: what grew step by step has up to twice the room that it needs.
    return dict(grown)


def _order(context: Context) -> tuple[str, str]:
    return context[0] or "", context[1] or ""


def _both(one: tuple[Mask, bytes], other: tuple[Mask, bytes]) -> tuple[Mask, bytes]:
    """Levels contain one another, so the lower one says it for both; actions of a role may not."""
    return one[0] & other[0], min(one, other)[1]
