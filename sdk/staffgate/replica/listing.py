"""Which rows, and which items: many at once, from what is remembered, all of it right at one revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from staffgate.contracts.authz import Item
from staffgate.decision import Question, RowFilter, row_filter
from staffgate.decision.catalogue import ROUTE
from staffgate.mirror import Mirror, Registry, Standing
from staffgate.resource import question


async def rows_of(mirror: Mirror, staff: UUID, about: Question) -> RowFilter | None:
    """None where that depends on who is in which team."""
    standing = await mirror.standing(staff)
    while standing is not None and not standing.snapshot.asks_teams and about.action != ROUTE:
        registry = await _registry(mirror, standing, about.type)  # right at the revision of the standing, or newer
        if registry.revision <= standing.revision:
            return row_filter(standing.snapshot, mirror.catalogue, about, registry.items.values())
        standing = await mirror.standing(staff, registry.revision)
    return None


async def items_of(mirror: Mirror, staff: UUID, action: str, type: str, properties: Mapping[str, Any]) -> list[Item]:
    """The registered items of a type on which the action is allowed, by id."""
    standing = await mirror.standing(staff)
    if standing is None:
        return []
    registry = await _registry(mirror, standing, type)
    items = sorted(registry.items.values(), key=lambda item: item.id)
    questions = [question(action, item.type, item.id, properties) for item in items]
    verdicts = await mirror.decide_all(staff, questions, registry.revision)
    return [item for item, verdict in zip(items, verdicts, strict=True) if verdict.allowed]


async def _registry(mirror: Mirror, standing: Standing, type: str) -> Registry:
    kind = mirror.catalogue.kind(type)
    if kind is None:
        return Registry(standing.org, type, standing.revision)
    return await mirror.registry(standing.org, kind, standing.revision)
