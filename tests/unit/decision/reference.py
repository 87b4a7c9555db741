"""The permission model once more, written from the page: slow, plain sets, no answer remembered.

It shares the data types with the engine and no code. Section 1 of the page is in `extents`, 2 and 3 are in `tiers`;
here are the gates (4), the special rules (5) and the decision (7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from staffgate.contracts.authz import Item
from staffgate.decision import Facts, Manifest, Question
from tests.unit.decision.extents import Extents
from tests.unit.decision.tiers import BASE, LEVEL, Answer, Asked, Row, Tiers, built

ATTRIBUTES = ("owner", "team", "subscriber", "tenant", "contract", "channel")
CHANNELS = ("webchat", "phone", "email", "facebook", "whatsapp", "sms")


class Reference:
    """`items` are the registered ones by `type:id`; `teams` the present team of every owner."""

    def __init__(
        self, manifests: Iterable[Manifest], facts: Facts, items: Mapping[str, Item] = {}, teams: Mapping[str, str] = {}
    ) -> None:
        self.facts, self.items, self.teams, self.organisation = facts, items, teams, facts.organisation
        targets = [grant.target for grant in facts.grants]
        targets += [e.target for holding in facts.roles for role in built(holding.role) for e in role.entries]
        named = {target.item for target in targets if target.item}
        self.extents = Extents(tuple(manifests), named, self.organisation.contracts, self.organisation.tenants)
        self.tiers = Tiers(facts, self.extents)

    def decide(self, question: Question) -> Answer:
        facts, use, feature = self.facts, question.action == "product.use", self.extents.features.get(question.action)
        section, _, need = question.action.rpartition(".")
        section, need = (feature.section, feature.action) if feature else (section, need)
        path = self.extents.path(question.type, question.id)
        row = self.row(question.type, question.id, question.properties)
        refused = {
            "organisation_inactive": not facts.org_active,
            "account_suspended": facts.status == "suspended",
            "account_inactive": facts.status != "active",
            "unknown_action": not use and (section not in self.extents.sections or need not in BASE),
            "unknown_section": not path and question.type == "section",
            "unknown_resource": not path or (question.type != "product" if use else section not in path),
            "unknown_property": not row,
        }
        if closed := next((why for why, holds in refused.items() if holds), None) or self.gate(row, question.action):
            return Answer(False, closed)
        asked = Asked(path, feature.name if feature else None, need, row)
        linked = question.action in ("recording.listen", "call.click") and row["subscriber"] in facts.subscribers
        answer = Answer(True, "subscriber") if linked else self.use(asked) if use else self.ask(asked)
        if question.action == "call.route" and answer.allowed:
            answer = self.route(question.properties.get("destination"), answer)
        return answer._replace(visible=answer.allowed or self.ask(Asked(path, None, "view", row)).allowed)

    def row(self, kind: object, name: object, properties: Mapping[str, Any]) -> Row:
        """The attributes, a registered item's own before the request's; none of them where one is malformed."""
        known = self.items.get(f"{kind}:{name}")
        own = {a: at for a in ATTRIBUTES if (at := getattr(known, a, None)) is not None}
        row = {a: own.get(a, properties.get(a)) for a in ATTRIBUTES}
        if not all(at is None or isinstance(at, str) for at in row.values()):
            return {}
        return row if row["team"] is not None else row | {"team": self.teams.get(row["owner"] or "")}

    def gate(self, row: Row, action: str) -> str | None:
        facts, standard, channel = self.facts, self.facts.type == "standard", row["channel"]
        tenants = set(self.organisation.tenants) & set(facts.tenants if standard else self.organisation.tenants)
        if row["tenant"] not in {None, *tenants}:
            return "not_a_member"
        if row["contract"] not in {None, *self.organisation.contracts}:
            return "product_access"
        if channel is not None and not (channel in CHANNELS and self.operates(channel, row)):
            return "channel"
        scopes = {role.id for _, role in self.tiers.held(row) if role.id.startswith("pbx.")}
        return "no_portal" if action == "portal.login" and scopes == {"pbx.no-portal"} else None

    def operates(self, channel: str, row: Row) -> bool:
        asked = Asked(self.extents.path("channel", channel), "channel.operate", "create", row | {"contract": None})
        return self.facts.type != "standard" or self.tiers.ask(asked).allowed

    def use(self, asked: Asked) -> Answer:
        carried = self.organisation.contracts if asked.row["contract"] is None else [asked.row["contract"]]
        used = any(asked.path[0] == f"/{product}" for c in carried for product in self.organisation.contracts[c])
        return Answer(used, "product_use" if used else "not_subscribed")

    def ask(self, asked: Asked) -> Answer:
        """Owner and administrator by their type, unless a level was set for them below it; everybody else by the tiers."""
        here = (asked.row["contract"], asked.path[-2])
        lowered = any((a.contract, f"/{a.product}") == here and LEVEL[a.level] != BASE for a in self.facts.access)
        standard = self.facts.type == "standard"
        return self.tiers.ask(asked) if standard or lowered else Answer(True, self.facts.type)

    def route(self, destination: object, answer: Answer) -> Answer:
        to = destination if isinstance(destination, dict) else {}
        kind, name, properties = to.get("type"), to.get("id"), to.get("properties", {})
        path = self.extents.path(kind, name) if kind != "product" and isinstance(properties, dict) else ()
        if not path:
            return Answer(False, "unknown_destination")
        row = self.row(kind, name, properties)
        closed = not row or self.gate(row, "")
        there = Answer(False, "") if closed else self.ask(Asked(path, None, "view", row))
        return answer if there.allowed or self.facts.route_anywhere else there._replace(reason="destination")
