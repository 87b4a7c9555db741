"""The permission model once more, written from the page: slow, plain sets, nothing remembered.

It shares the data types with the engine and no code. A target is spelled out as the set of all points inside it,
so that "contains" and "narrows" are Python's own `in` and `<` on sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from staffgate.contracts.authz import Target
from staffgate.decision import Facts, Manifest, Question

BASE = {"view", "create", "edit", "delete", "download", "approve"}
LEVEL = {"deny": set(), "read": {"view"}, "use": BASE - {"delete", "download", "approve"}}
LEVEL["full"] = LEVEL["use"] | {"delete"}


class Answer(NamedTuple):
    allowed: bool
    reason: str
    visible: bool = False
    rules: frozenset[UUID] = frozenset()  # those that may be named as the one that decided


class Reference:
    def __init__(self, manifests: list[Manifest], facts: Facts) -> None:
        self.sections = {s.name: s for m in manifests for s in m.sections}
        self.features = {f.name: f for m in manifests for f in m.features}
        self.facts = facts

    def decide(self, question: Question) -> Answer:
        if not self.facts.org_active:
            return Answer(False, "organisation_inactive")
        if self.facts.status != "active":
            return Answer(False, {"suspended": "account_suspended", "invited": "account_inactive"}[self.facts.status])
        feature = self.features.get(question.action)
        section, _, need = question.action.rpartition(".")
        if feature is not None:
            section, need = feature.section, feature.action
        if section not in self.sections or need not in BASE:
            return Answer(False, "unknown_action")
        place = self.place(question.type, question.id)
        if place is None:
            return Answer(False, "unknown_section" if question.type == "section" else "unknown_resource")
        if section not in self.upwards(place[0]):
            return Answer(False, "unknown_resource")
        answer = self.ask(place, feature.name if feature else None, need)
        if question.action == "call.route" and answer.allowed:
            answer = self.route(question.properties.get("destination"), answer)
        return answer._replace(visible=answer.allowed or self.ask(place, None, "view").allowed)

    def route(self, destination: object, answer: Answer) -> Answer:
        named = isinstance(destination, dict) and self.place(destination.get("type"), destination.get("id"))
        if not named:
            return Answer(False, "unknown_destination")
        there = self.ask(named, None, "view")
        return answer if there.allowed or self.facts.route_anywhere else there._replace(reason="destination")

    def ask(self, place: tuple[str, str | None], feature: str | None, need: str) -> Answer:
        if self.facts.type != "standard":
            return Answer(True, self.facts.type)
        point = (place[0], feature, place[1])
        extents = [(grant, self.inside(grant.target, place[1])) for grant in self.facts.grants]
        containing = [(grant, extent) for grant, extent in extents if point in extent]
        remaining = [g for g, extent in containing if not any(other < extent for _, other in containing)]
        if not remaining:
            return Answer(need in LEVEL[self.facts.default_level], "default")
        against = [grant for grant in remaining if need not in LEVEL[grant.level]]
        return Answer(not against, "grant", rules=frozenset(grant.id for grant in against or remaining))

    def place(self, kind: object, name: object) -> tuple[str, str | None] | None:
        if not isinstance(kind, str) or not isinstance(name, str):
            return None
        if kind == "section":
            return (name, None) if name in self.sections else None
        return next(((s.name, f"{kind}:{name}") for s in self.sections.values() if kind in s.items), None)

    def upwards(self, section: str) -> list[str]:
        parent = self.sections[section].parent
        return [section, *(self.upwards(parent) if parent else ())]

    def points(self, asked: str | None) -> Iterator[tuple[str, str | None, str | None]]:
        items = {asked, *(grant.target.item for grant in self.facts.grants)} - {None}
        for section in self.sections.values():
            for feature in (None, *(f.name for f in self.features.values() if f.section in self.upwards(section.name))):
                for item in (None, *(item for item in items if item.split(":")[0] in section.items)):
                    yield section.name, feature, item

    def inside(self, target: Target, asked: str | None) -> set[tuple[str, str | None, str | None]]:
        return {
            point
            for point in self.points(asked)
            if target.section in self.upwards(point[0])
            and (target.feature is None or target.feature == point[1])
            and (target.item is None or target.item == point[2])
        }
