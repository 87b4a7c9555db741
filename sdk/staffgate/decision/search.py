"""Which of these items (section 7): the same answers as `decide`, because it is `decide`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from staffgate.contracts.authz import Item
from staffgate.decision.catalogue import Catalogue
from staffgate.decision.decide import decide
from staffgate.decision.model import Question
from staffgate.decision.snapshot import Snapshot


def search(
    snapshot: Snapshot,
    catalogue: Catalogue,
    action: str,
    items: Iterable[Item],
    properties: Mapping[str, Any] | None = None,
    teams: Mapping[str, str] | None = None,
) -> Iterator[Item]:
    """Those of the registered items on which the action is allowed, in their order (section 7). `teams` are the present
    teams of the items' owners."""
    for item in items:
        question = Question(action, item.type, item.id, properties or {}).about(item).completed(teams or {})
        if decide(snapshot, catalogue, question).allowed:
            yield item
