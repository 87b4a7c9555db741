"""One person's permissions at a revision, compiled: what is cached, and what every question is asked of (section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess
from staffgate.decision.actions import ACCESS_LEVELS, BASE_ACTIONS, LEVELS, NONE, Mask
from staffgate.decision.catalogue import EVERYTHING, Catalogue, Path
from staffgate.decision.model import Facts, Holding, Organisation, Reason
from staffgate.decision.rules import NO_RULES, AccessRule, Rule, Rules, compiled

T = TypeVar("T")

# How far a decision reaches, from no rows to all of them. Each contains the ones before it (section 3).
Reach = int
NOWHERE, OWN, TEAM, DEPARTMENT, ALL_ROWS = range(5)
REACHES: dict[DataAccess, Reach] = {
    DataAccess.RESTRICTED: OWN,
    DataAccess.TEAM: TEAM,
    DataAccess.DEPARTMENT: DEPARTMENT,
    DataAccess.FULL: ALL_ROWS,
}
DATA_ACCESS: dict[Reach, DataAccess] = {reach: access for access, reach in REACHES.items()}

# Roles as they are held: each with its contract and tenant.
_RoleKeys = tuple[tuple[Role, str | None, str | None], ...]

_MOST_SHARED = 10_000


class Part(msgspec.Struct, frozen=True, gc=False):
    """One role, compiled: the same object for everybody who holds it. `products` are those that it says something about,
    and `spoken` where it does, by contract, tenant and product (section 2); `items` are the ids of those that it names."""

    role: str
    reach: Reach
    rules: Rules
    products: frozenset[str]
    spoken: frozenset[tuple[str | None, str | None, str]]
    items: frozenset[str]


class Held(msgspec.Struct, frozen=True, gc=False):
    """A role, and where it counts (section 2, tier 2): the same object for everybody who holds it there."""

    part: Part
    contract: str | None
    tenant: str | None


class Access(msgspec.Struct, frozen=True, gc=False):
    """A product access level (section 2)."""

    mask: Mask
    id: UUID


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What a person may do, as far as it can be known before the question (sections 2 to 4).

    `closed` says why every question is denied, `everything` why every one is allowed, save for the contracts and
    products that `lowered` names. Good for the catalogue that it was resolved with: another needs another snapshot.
    """

    staff: str
    revision: int
    closed: Reason | None
    everything: Reason | None
    grants: Rules
    access: dict[tuple[str, str], Access]
    lowered: frozenset[tuple[str, str]]
    roles: tuple[Held, ...]
    assignments: bytes
    contextual: bool
    widest: Reach
    default: Mask
    route_anywhere: bool
    team: str | None
    teams: frozenset[str]
    tenants: frozenset[str]
    subscribers: frozenset[str]
    organisation: Organisation

    @property
    def asks_teams(self) -> bool:
        """Does it matter to this person's decisions in which team the owner of a row is (section 3)?"""
        for held in self.roles:  # noqa: SIM110 - a generator takes three times as long, at every row with an owner
            if TEAM <= held.part.reach <= DEPARTMENT:
                return True
        return False


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """A decision (section 7). What is behind it is looked up when somebody asks: most are never explained.

    `visible` is false where the person may not even view the resource: the product answers as if it did not exist.
    """

    allowed: bool
    reason: Reason
    visible: bool
    snapshot: Snapshot
    reaches: Reach = NOWHERE
    decider: Rule | None = None
    held: Held | None = None
    path: Path = ()
    stale: ClassVar[bool] = False

    @property
    def revision(self) -> int:
        """The organisation's revision at which it was decided (section 7)."""
        return self.snapshot.revision

    @property
    def reach(self) -> DataAccess | None:
        """Whose rows what is allowed reaches: for a question about a section, the rows to filter by (section 3)."""
        return DATA_ACCESS.get(self.reaches)

    @property
    def role(self) -> str | None:
        """The role that decided, where one did (section 7)."""
        return None if self.held is None else self.held.part.role

    @property
    def target(self) -> Target | None:
        """What the rule that decided is on, where one did (section 7)."""
        return None if self.decider is None else self.decider.target(self.path)

    @property
    def rule(self) -> UUID | None:
        """The id of the grant, level or assignment that decided, where one did (section 7)."""
        if self.held is not None:
            number = self.snapshot.roles.index(self.held)
            return UUID(bytes=self.snapshot.assignments[16 * number : 16 * number + 16])
        if isinstance(self.decider, AccessRule):
            return self.decider.id
        return None if self.decider is None else self.snapshot.grants.identity(self.decider)


class Shared:
    """What many people's snapshots have in common, each once: compiled roles and sets. Bounded; give one to each catalogue."""

    def __init__(self) -> None:
        self._parts: dict[Role, Part] = {}
        self._roles: dict[_RoleKeys, tuple[Held, ...]] = {}
        self._others: dict[object, object] = {}

    def roles(self, keys: _RoleKeys, catalogue: Catalogue) -> tuple[Held, ...]:
        held = self._roles.get(keys)
        if held is None:
            _bound(self._roles)
            held = tuple(Held(self._part(role, catalogue), contract, tenant) for role, contract, tenant in keys)
            self._roles[keys] = held
        return held

    def _part(self, role: Role, catalogue: Catalogue) -> Part:
        part = self._parts.get(role)
        if part is None:
            _bound(self._parts)
            part = self._parts[role] = _part(role, catalogue)
        return part

    def one(self, value: T) -> T:
        """The one that was here before, of those that are equal."""
        _bound(self._others)
        return self._others.setdefault(value, value)  # type: ignore[return-value]

    def organisation(self, organisation: Organisation) -> Organisation:
        """By its content: it holds a dict, which has no hash."""
        key = (tuple(organisation.contracts.items()), organisation.tenants)
        _bound(self._others)
        return self._others.setdefault(key, organisation)  # type: ignore[return-value]


def _bound(table: dict[Any, Any]) -> None:
    if len(table) >= _MOST_SHARED:
        table.clear()


_NO_ACCESS: dict[tuple[str, str], Access] = {}
_EVERYTHING = {
    StaffType.OWNER: Reason.OWNER,
    StaffType.ADMINISTRATOR: Reason.ADMINISTRATOR,
    StaffType.STANDARD: None,
}


def resolve(facts: Facts, catalogue: Catalogue, shared: Shared | None = None) -> Snapshot:
    """Facts compiled for deciding (section 2). The same facts always give the same snapshot (section 7)."""
    closed = _closed(facts)
    if closed is not None:
        return _shut(str(facts.staff), facts.revision, closed, facts.team)
    shared = shared or Shared()
    holdings = _held(facts.roles)
    roles = shared.roles(tuple(role for role, _ in holdings), catalogue)
    rules = compiled(((grant.target, LEVELS[grant.level], grant.id) for grant in facts.grants), catalogue)
    return Snapshot(
        staff=str(facts.staff),
        revision=facts.revision,
        closed=None,
        everything=_EVERYTHING[facts.type],
        grants=_sharing(rules) if facts.grants else NO_RULES,
        access=_access(facts) if facts.access else _NO_ACCESS,
        lowered=shared.one(_lowered(facts)),
        roles=roles,
        assignments=b"".join(id.bytes for _, id in holdings),
        contextual=any(held.contract is not None or held.tenant is not None for held in roles),
        widest=widest(roles),
        default=LEVELS[facts.default_level],
        route_anywhere=facts.route_anywhere,
        team=None if facts.team is None else shared.one(facts.team),
        teams=shared.one(frozenset(facts.teams)),
        tenants=shared.one(frozenset(facts.tenants)),
        subscribers=shared.one(frozenset(facts.subscribers)),
        organisation=shared.organisation(facts.organisation),
    )


def stranger(revision: int) -> Snapshot:
    """Somebody whom the organisation does not know: denied, never an exception (section 7)."""
    return _shut("", revision, Reason.UNKNOWN_SUBJECT, None)


def widest(roles: Iterable[Held]) -> Reach:
    """The rows that a grant reaches: those of the widest role, all where there is none (section 3)."""
    return max((held.part.reach for held in roles), default=ALL_ROWS)


def _shut(staff: str, revision: int, reason: Reason, team: str | None) -> Snapshot:
    # Nothing of what the person may otherwise do goes in, so that no path around the gate can find any of it. The team
    # stays: the rows of a suspended person are where they were.
    none: frozenset[str] = frozenset()
    return Snapshot(
        staff, revision, reason, None, NO_RULES, _NO_ACCESS, frozenset(), (), b"", False, NOWHERE, NONE, False,
        team, none, none, none, Organisation(),
    )  # fmt: skip


def _closed(facts: Facts) -> Reason | None:
    """Gate 1 (section 4)."""
    if not facts.org_active:
        return Reason.ORGANISATION_INACTIVE
    if facts.status is StaffStatus.SUSPENDED:
        return Reason.ACCOUNT_SUSPENDED
    return None if facts.status is StaffStatus.ACTIVE else Reason.ACCOUNT_INACTIVE


def _built(role: Role | None) -> Iterator[Role]:
    """A role and all that it builds on: who holds it holds those as well."""
    while role is not None:
        yield role
        role = role.builds_on


def _sharing(rules: Rules) -> Rules:
    return Rules(rules.plain, rules.contexts or NO_RULES.contexts, rules.features, rules.ids)


def _access(facts: Facts) -> dict[tuple[str, str], Access]:
    return {
        (one.contract, EVERYTHING + one.product): Access(ACCESS_LEVELS[one.level], one.id)
        for one in sorted(facts.access, key=lambda one: (ACCESS_LEVELS[one.level].bit_count(), one.id), reverse=True)
    }


def _lowered(facts: Facts) -> frozenset[tuple[str, str]]:
    """Where even an owner or administrator has no more than was set for them (section 2)."""
    low = (AccessLevel.WITHOUT, AccessLevel.USER)
    return frozenset((one.contract, EVERYTHING + one.product) for one in facts.access if one.level in low)


def _held(holdings: Iterable[Holding]) -> list[tuple[tuple[Role, str | None, str | None], UUID]]:
    """Every role with those that it builds on, each for itself, in an order of their own, and by which assignment."""
    held = [
        ((role, holding.contract, holding.tenant), holding.id) for holding in holdings for role in _built(holding.role)
    ]
    return sorted(held, key=lambda one: (one[0][0].id, one[1]))


def _part(role: Role, catalogue: Catalogue) -> Part:
    rules = compiled(((entry.target, _mask(entry.actions), None) for entry in role.entries), catalogue)
    spoken = {
        (contract, tenant, product)
        for place, _, (contract, tenant) in rules.places()
        for product in _products(place, catalogue)
    }
    products = frozenset(product for _, _, product in spoken)
    return Part(role.id, REACHES[role.data_access], rules, products, frozenset(spoken), rules.items())


def _mask(actions: Iterable[str]) -> Mask:
    mask = NONE
    for action in actions:
        mask |= BASE_ACTIONS[action]
    return mask


def _products(place: str, catalogue: Catalogue) -> list[str]:
    """The products that a rule at this place is in, or above."""
    if place == EVERYTHING:
        return [path[0] for path in catalogue.products.values()]
    if place[0] == EVERYTHING:
        return [place]
    kind, colon, _ = place.partition(":")
    return [catalogue.paths[catalogue.holders[kind] if colon else place][-2]]
