"""The three tiers of the reference evaluator, and the rows that they reach (permission model, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from staffgate.contracts.authz import Role, Target
from staffgate.contracts.level import DataAccess
from staffgate.decision import Facts
from tests.unit.decision.extents import Extents, Path, Point

BASE = {"view", "create", "edit", "delete", "download", "approve"}
LEVEL: dict[str, set[str]] = {"deny": set(), "read": {"view"}, "use": {"view", "create", "edit"}, "without": set()}
LEVEL |= {"full": LEVEL["use"] | {"delete"}, "user": {"view"}, "administrator": BASE, "owner": BASE}
WIDTH = [DataAccess.RESTRICTED, DataAccess.TEAM, DataAccess.DEPARTMENT, DataAccess.FULL]
Row = dict[str, str | None]  # the attributes of the resource, from the registry and the request together


class Answer(NamedTuple):
    allowed: bool
    reason: str
    visible: bool = False
    rules: frozenset[UUID] = frozenset()  # those that may be named as the one that decided


class Asked(NamedTuple):
    path: Path
    feature: str | None
    need: str
    row: Row


class Rule(NamedTuple):
    id: UUID | None
    reason: str
    target: Target
    actions: Collection[str]
    reach: DataAccess


class Tiers:
    def __init__(self, facts: Facts, extents: Extents) -> None:
        self.facts, self.extents = facts, extents

    def ask(self, asked: Asked) -> Answer:
        """The first tier that says anything; of several roles the best: allowed, or out of reach, or denied."""
        facts, held = self.facts, self.held(asked.row)
        widest = max((role.data_access for _, role in held), key=WIDTH.index, default=DataAccess.FULL)
        roles = [[Rule(id, "role", e.target, e.actions, role.data_access) for e in role.entries] for id, role in held]
        explicit = [*self.levels(widest), *self.without_access(asked, roles, widest)]
        for grant in facts.grants:
            reach = DataAccess.FULL if grant.target.item else widest
            explicit.append(Rule(grant.id, "grant", grant.target, LEVEL[grant.level], reach))
        default = Rule(None, "default", Target(), LEVEL[facts.default_level], widest)
        for tier in ([explicit], roles, [[default]]):
            answers = [self.together(left, asked) for rules in tier if (left := self.remaining(rules, asked))]
            if answers:
                best = max(answers, key=lambda answer: (answer.allowed, answer.reason.startswith("scope")))
                return best._replace(rules=frozenset(id for a in answers if a[:2] == best[:2] for id in a.rules))
        raise AssertionError("the account default is about everything")

    def held(self, row: Row) -> list[tuple[UUID, Role]]:
        """The roles held where the request is, each by its assignment; what a role builds on is held as well."""
        contracts, tenants = (None, row["contract"]), (None, row["tenant"])
        counting = [h for h in self.facts.roles if h.contract in contracts and h.tenant in tenants]
        return [(holding.id, role) for holding in counting for role in built(holding.role)]

    def levels(self, reach: DataAccess) -> list[Rule]:
        return [
            Rule(a.id, "product_access", Target(product=a.product, contract=a.contract), LEVEL[a.level], reach)
            for a in self.facts.access
        ]

    def without_access(self, asked: Asked, roles: Iterable[list[Rule]], reach: DataAccess) -> list[Rule]:
        """What a request that names a contract gets where neither a level nor a role says anything of the product there."""
        contract, product = asked.row["contract"], asked.path[-2].removeprefix("/")
        if contract is None or any((a.contract, a.product) == (contract, product) for a in self.facts.access):
            return []
        whole = self.extents.inside(Target(product=product), asked.path)
        for extent in (self.extents.inside(rule.target, asked.path) for rules in roles for rule in rules):
            here = contract in extent.contracts and asked.row["tenant"] in extent.tenants
            if here and extent.features and extent.places & whole.places:
                return []
        return [Rule(None, "product_access", Target(product=product, contract=contract), LEVEL["without"], reach)]

    def remaining(self, rules: list[Rule], asked: Asked) -> list[Rule]:
        """Those that contain what is asked about, without those that another of them narrows."""
        point = Point(asked.path[0], asked.feature, asked.row["contract"], asked.row["tenant"])
        extents = [(rule, self.extents.inside(rule.target, asked.path)) for rule in rules]
        containing = [(rule, extent) for rule, extent in extents if extent.contains(point)]
        return [rule for rule, extent in containing if not any(other.narrows(extent) for _, other in containing)]

    def together(self, rules: list[Rule], asked: Asked) -> Answer:
        """All of them have to allow, and then all of them to reach the row."""
        if against := [rule for rule in rules if asked.need not in rule.actions]:
            levels = [rule for rule in against if rule.reason == "product_access"]
            return Answer(False, (levels or against)[0].reason, rules=ids(levels or against))
        if beyond := [rule for rule in rules if not self.reaches(rule.reach, asked)]:
            described = any(asked.row[name] is not None for name in ("owner", "team", "subscriber"))
            return Answer(False, "scope" if described else "scope_unknown", rules=ids(beyond))
        grants = [rule for rule in rules if rule.reason != "product_access"]
        return Answer(True, (grants or rules)[0].reason, rules=ids(grants or rules))

    def reaches(self, access: DataAccess, asked: Asked) -> bool:
        facts, row, item = self.facts, asked.row, ":" in asked.path[0]
        if access == "full" or not item or not self.extents.sections[asked.path[1]].rows:
            return True
        if row["owner"] == str(facts.staff) or row["subscriber"] in facts.subscribers:
            return True
        teams: dict[str, set[str | None]] = {"restricted": set(), "team": {facts.team}, "department": {*facts.teams}}
        return row["team"] is not None and row["team"] in teams[access]


def built(role: Role | None) -> list[Role]:
    """The role, and all that it builds on."""
    return [] if role is None else [role, *built(role.builds_on)]


def ids(rules: Iterable[Rule]) -> frozenset[UUID]:
    return frozenset(rule.id for rule in rules if rule.id)
