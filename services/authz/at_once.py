"""Evaluations answered out of memory, bytes to bytes: what nobody has to wait for.

The same answers as `decisions` gives, by the same reading of the request, with no event loop, no database and no object
that nobody looks at. Where there is anything to wait for or to refuse the answer is None, and it is given the long way.
A test holds every answer of here against the one of there.
"""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from services.authz.decisions import LAST, MOST
from services.authz.questions import explained, named
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.decisions import Decision, EvaluationsOptions, Object, Subject
from staffgate.decision import Question, Verdict
from staffgate.mirror import Mirror

ALLOWED = b'{"decision":true}'
DENIED = b'{"decision":false}'
_LONGEST = 64  # characters
_LONGER = ("min_revision", "await_subject")  # what may have to be waited for


class _Subject(msgspec.Struct, gc=False):
    type: str
    id: str
    properties: Object | UnsetType = UNSET


class _Action(msgspec.Struct, gc=False):
    name: str
    properties: Object | UnsetType = UNSET


class _Resource(msgspec.Struct, gc=False):
    type: str
    id: str
    properties: Object | UnsetType = UNSET


class _One(msgspec.Struct, gc=False):
    """The contract's own, without a dict for what nobody says, and unknown to the garbage collector: to read a thousand of
    the contract's takes two milliseconds, of these 0.2."""

    subject: _Subject
    action: _Action
    resource: _Resource
    context: Object | UnsetType = UNSET


class _Partial(msgspec.Struct, gc=False):
    subject: _Subject | UnsetType = UNSET
    action: _Action | UnsetType = UNSET
    resource: _Resource | UnsetType = UNSET
    context: Object | UnsetType = UNSET


class _Many(_Partial, kw_only=True, gc=False):
    """Evaluations that can all be read."""

    evaluations: list[_Partial] = msgspec.field(default_factory=list)
    options: EvaluationsOptions = msgspec.field(default_factory=EvaluationsOptions)


_one = msgspec.json.Decoder(_One).decode
_many = msgspec.json.Decoder(_Many).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class AtOnce:
    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def evaluate(self, caller: Caller, content: bytes) -> bytes | None:
        """The answer's body to a request's."""
        try:
            asked = _one(content)
        except _UNREADABLE:
            return None
        staff, told = _about(caller, asked.subject), _told(asked.context)
        if staff is None or told is None:
            return None
        return self._answer(staff, asked.action, asked.resource, told)

    def evaluate_all(self, caller: Caller, content: bytes) -> bytes | None:
        try:
            asked = _many(content)
        except _UNREADABLE:
            return None
        if not 0 < len(asked.evaluations) <= MOST:
            return None
        found = self._all(caller, asked)
        if found is None:
            return None
        last = LAST.get(asked.options.evaluations_semantic)
        end = len(found) if last is None else _end(found, b'{"decision":true' if last else b'{"decision":false')
        return b'{"evaluations":[' + b",".join(found[:end]) + b"]}"

    def _all(self, caller: Caller, asked: _Many) -> list[bytes] | None:
        """None where one of them can't be answered."""
        found: list[bytes] = []
        defaults = _about(caller, asked.subject), _told(asked.context)
        for one in asked.evaluations:
            staff, told = defaults
            if one.subject is not UNSET:
                staff = _about(caller, one.subject)
            if one.context is not UNSET:
                told = _told(one.context)
            action = asked.action if one.action is UNSET else one.action
            resource = asked.resource if one.resource is UNSET else one.resource
            if staff is None or told is None or action is UNSET or resource is UNSET:
                return None
            answer = self._answer(staff, action, resource, told)
            if answer is None:
                return None
            found.append(answer)
        return found

    def _answer(self, staff: UUID, action: _Action, resource: _Resource, told: bool) -> bytes | None:
        properties = resource.properties or {}
        if action.properties:
            properties = {**properties, **action.properties}
        decide = self._mirror.decide_now
        if not properties:
            decide = self._mirror.decide_anew
            known = self._mirror.recall((staff.int, action.name, resource.type, resource.id))
            if known is not None:
                if not told:
                    return ALLOWED if known.allowed else DENIED
                if known.told is None:
                    known.told = _telling(known.verdict, resource.type)
                return known.told
        verdict = decide(staff, Question(action.name, resource.type, resource.id, properties))
        if verdict is None:
            return None
        if told:
            return _telling(verdict, resource.type)
        return ALLOWED if verdict.allowed else DENIED


def _about(caller: Caller, subject: _Subject | UnsetType) -> UUID | None:
    """None where nobody can be meant, or who may not be asked about."""
    if subject is UNSET:
        return None
    if len(subject.type) + len(subject.id) > _LONGEST:  # no UUID is so long, and what is remembered has to be short
        return None
    staff = _staff(subject.type, subject.id)
    return staff if type(caller) is not Person or staff == caller.staff else None


@lru_cache(16_384)
def _staff(type: str, id: str) -> UUID | None:
    """A UUID takes 1.5 µs to read."""
    return named(Subject(type=type, id=id))


def _told(context: Object | UnsetType) -> bool | None:
    """Whether the answer says why. None where the context demands what takes longer, or is wrong."""
    if context is UNSET or not context:
        return False
    explain = context.get("explain", False)
    if type(explain) is not bool or any(name in context for name in _LONGER):
        return None
    return explain


def _telling(verdict: Verdict, kind: str) -> bytes:
    return _encode(Decision(decision=verdict.allowed, context=explained(verdict, kind)))


def _end(found: list[bytes], last: bytes) -> int:
    """How many are told where the first such decision ends it."""
    return next((number for number, one in enumerate(found, 1) if one.startswith(last)), len(found))
