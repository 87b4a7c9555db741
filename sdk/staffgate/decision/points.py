"""Where people are compared: places of the catalogue, features and items with a rule of their own, contracts and tenants.

Between two points that no rule tells apart no decision can differ, so that the points that any of the rules can tell
apart are all there are (section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from staffgate.contracts.authz import Target
from staffgate.decision.actions import BASE_ACTIONS, Mask
from staffgate.decision.catalogue import EVERYTHING, LINKED, LOGIN, Catalogue, Path
from staffgate.decision.decide import has_portal, judge
from staffgate.decision.rules import Context
from staffgate.decision.snapshot import ALL_ROWS, DEPARTMENT, NOWHERE, TEAM, Reach, Snapshot

# A place, a feature, and where: what a rule is on.
Where = tuple[str, str | None, Context]


class Point(NamedTuple):
    """`action` names what is asked: a base action, or the feature. Where not `owned`, rows do not matter."""

    path: Path
    feature: str | None
    action: str
    need: Mask
    context: Context
    owned: bool

    @property
    def where(self) -> Where:
        return self.path[0], self.feature, self.context

    @property
    def target(self) -> Target:
        place = self.path[0]
        contract, tenant = self.context
        if ":" in place:
            return Target(section=self.path[1], feature=self.feature, item=place, contract=contract, tenant=tenant)
        if place[0] == EVERYTHING:
            return Target(product=place[1:], contract=contract, tenant=tenant)
        return Target(section=place, feature=self.feature, contract=contract, tenant=tenant)


class Rows(NamedTuple):
    """The rows that somebody reaches at a point, in a form that can be compared between people."""

    reach: Reach
    teams: frozenset[str]

    def within(self, other: Rows) -> bool:
        """For one and the same person, whose own rows are in both."""
        if self.reach == NOWHERE or other.reach == ALL_ROWS:
            return True
        return self.reach != ALL_ROWS and other.reach != NOWHERE and self.teams <= other.teams


_NO_ROWS = Rows(NOWHERE, frozenset())


def points(catalogue: Catalogue, *people: Snapshot, every_contract: bool = False) -> Iterator[Point]:
    """From the outside in, so that a difference is met first where it is widest. Of contracts and tenants that no rule
    names one stands for all that are alike to all of these people, unless every contract is wanted."""
    named = {where for person in people for where in _places(person)}
    # With the features that have a rule of the model's own.
    features = {feature for _, feature, _ in named if feature is not None} | {LOGIN, *LINKED} & catalogue.actions.keys()
    paths = {*catalogue.products.values(), *catalogue.paths.values(), *_item_paths(catalogue, named)}
    contexts = _contexts(named, people, every_contract)
    for path, context in product(sorted(paths, key=lambda path: (len(path), path)), contexts):
        section = catalogue.sections.get(path[1] if ":" in path[0] else path[0])
        owned = section is None or section.rows
        for name, need in BASE_ACTIONS.items():
            yield Point(path, None, name, need, context, owned)
        for feature in sorted(features):
            action = catalogue.actions[feature]
            if action.section in path:
                yield Point(path, feature, feature, action.need, context, owned)


def rows(person: Snapshot, point: Point) -> Rows:
    """What the person reaches there. The gate of channels is left out: it is asked of channels, and compared there."""
    contract, tenant = point.context
    if person.closed is not None or outside(person, point.context):
        return _NO_ROWS
    if point.feature == LOGIN and not has_portal(person, contract, tenant):
        return _NO_ROWS
    allowed, _, reach, _, _ = judge(person, point.path, point.feature, point.need, contract, tenant)
    if not allowed:
        return _NO_ROWS
    if not point.owned:
        return Rows(ALL_ROWS, frozenset())
    if reach == TEAM:
        return Rows(reach, frozenset() if person.team is None else frozenset((person.team,)))
    return Rows(reach, person.teams if reach == DEPARTMENT else frozenset())


def outside(person: Snapshot, context: Context) -> bool:
    """Is this a contract or tenant in which the person can do nothing (section 4)?"""
    contract, tenant = context
    return (contract is not None and contract not in person.organisation.contracts) or (
        tenant is not None and tenant not in member_of(person)
    )


def member_of(person: Snapshot) -> frozenset[str]:
    """The tenants that the person is a member of (section 4)."""
    existing = frozenset(person.organisation.tenants)
    return existing if person.everything is not None else existing & person.tenants


# --- what rules tell apart ------------------------------------------------------------------------------------


def _places(person: Snapshot) -> Iterator[Where]:
    yield from person.grants.places()
    for contract, place in person.access:
        yield place, None, (contract, None)
    for held in person.roles:
        for place, feature, context in held.part.rules.places():
            yield place, feature, (context[0] or held.contract, context[1] or held.tenant)
        yield EVERYTHING, None, (held.contract, held.tenant)


def _item_paths(catalogue: Catalogue, named: Iterable[Where]) -> Iterator[Path]:
    for place, _, _ in named:
        kind, colon, name = place.partition(":")
        path = catalogue.path(kind, name) if colon else None
        if path is not None:
            yield path


def _contexts(named: Iterable[Where], people: tuple[Snapshot, ...], every_contract: bool) -> list[Context]:
    contracts = {contract for _, _, (contract, _) in named if contract is not None}
    tenants = {tenant for _, _, (_, tenant) in named if tenant is not None}
    existing = [frozenset(person.organisation.contracts) for person in people]
    contracts |= frozenset().union(*existing) if every_contract else _examples(existing, contracts)
    tenants |= _examples([member_of(person) for person in people], tenants)
    return list(product([None, *sorted(contracts)], [None, *sorted(tenants)]))


def _examples(open_to: list[frozenset[str]], named: set[str]) -> set[str]:
    alike: dict[tuple[bool, ...], str] = {}
    for name in sorted(frozenset().union(*open_to) - named):
        alike.setdefault(tuple(name in those for those in open_to), name)
    return set(alike.values())
