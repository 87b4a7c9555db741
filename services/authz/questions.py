"""What AuthZEN requests say: whom they are about, what they demand of the answer, and the question to the engine."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.errors import Forbidden, Invalid
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.decisions import Evaluation, Evaluations, PartialEvaluation, Subject
from staffgate.decision import Verdict
from staffgate.decision.catalogue import SECTION

STAFF = "staff"  # the one type of subject

T = TypeVar("T")
_partial = msgspec.json.Decoder(PartialEvaluation)


class Demands(msgspec.Struct, frozen=True):
    """What we read of a question's context; the rest of it is the product's."""

    min_revision: Annotated[int, Meta(ge=0, le=2**53)] = 0
    explain: bool = False
    await_subject: bool = False


def demands(context: dict[str, Any]) -> Demands:
    try:
        return msgspec.convert(context, Demands)
    except msgspec.ValidationError as fault:
        raise _invalid(fault, "$.context") from fault


# --- whom it is about -----------------------------------------------------------------------------------------


def about(caller: Caller, subject: Subject) -> UUID | None:
    """Whom the question is about, None where that is nobody. People ask about themselves only."""
    staff = named(subject)
    if isinstance(caller, Person) and staff != caller.staff:
        raise Forbidden("others", "You may ask about yourself only; product services ask about everybody.")
    return staff


def named(subject: Subject) -> UUID | None:
    try:
        return UUID(subject.id) if subject.type == STAFF else None
    except ValueError:
        return None


# --- many at once ---------------------------------------------------------------------------------------------


def one_of(asked: Evaluations, item: msgspec.Raw) -> Evaluation:
    """One of many, with the defaults for what it leaves out. Raises Invalid."""
    try:
        own = _partial.decode(item)
    except msgspec.ValidationError as fault:
        raise _invalid(fault, "$") from fault
    except (msgspec.DecodeError, RecursionError) as fault:
        raise Invalid("invalid", f"It is not JSON: {fault}.") from fault
    return whole(own, asked)


def whole(own: PartialEvaluation, defaults: PartialEvaluation) -> Evaluation:
    """A key replaces the default whole: nothing of the two is mixed."""
    context = defaults.context if own.context is UNSET else own.context
    return Evaluation(
        subject=_required("subject", own.subject, defaults.subject),
        action=_required("action", own.action, defaults.action),
        resource=_required("resource", own.resource, defaults.resource),
        context={} if context is UNSET else context,
    )


def _required(name: str, own: T | UnsetType, default: T | UnsetType) -> T:
    value = default if own is UNSET else own
    if isinstance(value, UnsetType):
        raise Invalid("invalid", f"Object missing required field `{name}` (body).", at="$")
    return value


def _invalid(fault: msgspec.ValidationError, place: str) -> Invalid:
    """msgspec says `what - at `$.path``."""
    what, _, at = str(fault).partition(" - at `$")
    return Invalid("invalid", f"{what} (body).", at=f"{place}{at.rstrip('`')}")


# --- the answer in its context --------------------------------------------------------------------------------


def explained(verdict: Verdict, type: str) -> dict[str, Any]:
    """What is behind a decision; what there is none of is left out.

    A question about a section as such has no row to check: `rows` says which ones the product may show.
    """
    context = {
        "reason": verdict.reason,
        "rule": verdict.rule,
        "target": verdict.target,
        "role": verdict.role,
        "revision": verdict.revision,
        "visible": verdict.visible,
        "rows": verdict.reach if type == SECTION and verdict.allowed else None,
    }
    return {name: value for name, value in context.items() if value is not None}
