"""Which of these items (section 7): the same answers as `decide`, because it is `decide`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from staffgate.decision.catalogue import Catalogue
from staffgate.decision.decide import decide
from staffgate.decision.model import Question
from staffgate.decision.snapshot import Snapshot


class Registered(Protocol):
    """Anything that has the name of an item in the registry (section 1)."""

    @property
    def type(self) -> str: ...
    @property
    def id(self) -> str: ...


AnyItem = TypeVar("AnyItem", bound=Registered)


def search(
    snapshot: Snapshot,
    catalogue: Catalogue,
    action: str,
    items: Iterable[AnyItem],
    properties: Mapping[str, Any] | None = None,
) -> Iterator[AnyItem]:
    """Those of the items on which the action is allowed, in their order (section 7)."""
    shared = properties or {}
    for item in items:
        if decide(snapshot, catalogue, Question(action, item.type, item.id, shared)).allowed:
            yield item
