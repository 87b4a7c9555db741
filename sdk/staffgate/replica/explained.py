"""Why, in words: of a verdict out of memory, and of what the service has told of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from staffgate.client import Ruling
from staffgate.contracts.authz import Target
from staffgate.contracts.decisions import Explanation
from staffgate.contracts.level import DataAccess
from staffgate.decision import Reason, Verdict, because
from staffgate.decision.catalogue import SECTION
from staffgate.replica.lately import StaleVerdict


class _Told(msgspec.Struct, frozen=True):
    """A ruling, with the names of a verdict."""

    allowed: bool
    reason: Reason
    role: str | None
    rule: UUID | None
    target: Target | None
    reach: DataAccess | None


def explanation(decided: Verdict | Ruling | StaleVerdict, type: str) -> Explanation:
    rows = decided.rows if isinstance(decided, Ruling) else decided.reach
    return Explanation(
        decision=decided.allowed,
        reason=str(decided.reason),
        because=_because(decided),
        revision=decided.revision,
        visible=decided.visible,
        rule=decided.rule,
        target=decided.target,
        role=decided.role,
        rows=rows if type == SECTION and decided.allowed else None,
    )


def _because(decided: Verdict | Ruling | StaleVerdict) -> str:
    match decided:
        case StaleVerdict():
            return f"{because(decided)} (So it was {decided.age:.0f} s ago; authz can't be asked now.)"
        case Ruling():
            return _told(decided)
        case Verdict():
            return because(decided)


def _told(ruling: Ruling) -> str:
    try:
        reason = Reason(ruling.reason)
    except ValueError:  # a newer authz has more of them
        return f"authz says: {ruling.reason}."
    told: Any = _Told(ruling.allowed, reason, ruling.role, ruling.rule, ruling.target, ruling.rows)
    return because(told)
