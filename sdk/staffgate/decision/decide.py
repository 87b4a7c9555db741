"""One question to one snapshot: the gates, the tiers, the special rules, in the order of the page (sections 2 to 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffgate.decision.actions import VIEW, Mask
from staffgate.decision.catalogue import SECTION, Catalogue, Path
from staffgate.decision.model import Question, Reason
from staffgate.decision.rules import Rule
from staffgate.decision.snapshot import Snapshot, Verdict

# Bound once: to read a member of an enumeration costs as much as two look-ups in a dict.
_GRANT = Reason.GRANT
_DEFAULT = Reason.DEFAULT

# The answer, the reason, and the rule that decided if one did. A tuple: each question makes one, only to unpack it.
Ruling = tuple[bool, Reason, Rule | None]


def decide(snapshot: Snapshot, catalogue: Catalogue, question: Question) -> Verdict:
    """May they? Denies what it does not know, and never raises (section 7)."""
    if snapshot.closed is not None:
        return _refusal(snapshot, snapshot.closed)
    action = catalogue.actions.get(question.action)
    if action is None:
        return _refusal(snapshot, Reason.UNKNOWN_ACTION)
    path = catalogue.path(question.type, question.id)
    if path is None or action.section not in path:
        unknown = Reason.UNKNOWN_SECTION if path is None and question.type == SECTION else Reason.UNKNOWN_RESOURCE
        return _refusal(snapshot, unknown)
    allowed, reason, rule = judge(snapshot, path, action.feature, action.need)
    if allowed and action.routes:
        allowed, reason, rule = _routed(snapshot, catalogue, question.properties, (allowed, reason, rule))
    visible = allowed or judge(snapshot, path, None, VIEW)[0]
    return Verdict(allowed, reason, visible, snapshot, rule)


def judge(snapshot: Snapshot, path: Path, feature: str | None, need: Mask) -> Ruling:
    """The first tier that says anything about the target decides (section 2)."""
    if snapshot.everything is not None:
        return True, snapshot.everything, None
    finding = snapshot.grants.judge(path, feature, need)
    if finding is not None:
        return finding[0], _GRANT, finding[1]
    return snapshot.default & need != 0, _DEFAULT, None


def _routed(snapshot: Snapshot, catalogue: Catalogue, properties: Mapping[str, Any], ruling: Ruling) -> Ruling:
    """Routing from an element that may be edited: view on the destination, or the flag (section 5)."""
    match properties.get("destination"):
        case {"type": str(kind), "id": str(name)}:
            path = catalogue.path(kind, name)
        case _:
            path = None
    if path is None:
        return False, Reason.UNKNOWN_DESTINATION, None
    visible, _, rule = judge(snapshot, path, None, VIEW)
    return ruling if visible or snapshot.route_anywhere else (False, Reason.DESTINATION, rule)


def _refusal(snapshot: Snapshot, reason: Reason) -> Verdict:
    return Verdict(False, reason, False, snapshot)
