"""What a request for evaluations says, for whoever answers at once.

The same bytes say the same, and whoever asks again writes them again: a product its questions about a person, a page the
same list about everybody. So what they come to is looked up by the bytes. That saves more than the reading: the words are
the very objects by which the answer was remembered, with their hashes known, and not new ones that have to be compared
letter by letter with what lies in slower memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from services.authz.decisions import MOST
from services.authz.questions import named
from staffgate.contracts.decisions import EvaluationsOptions, Object, Subject

_LONGEST = 64  # characters of a subject
_SHORT = 512  # bytes of an evaluation that is remembered
_REMEMBERED = 8192  # of each kind, a kilobyte each at most; then all begin anew
_LONGER = ("min_revision", "await_subject")  # what may have to be waited for
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_NOTHING: Object = {}

# The action, and the item's type and id.
Words = tuple[str, str, str]
T = TypeVar("T")


class Asked(msgspec.Struct, gc=False):
    """One evaluation. `properties` are the item's and the action's; `told` says that the answer tells why."""

    staff: UUID
    words: Words
    properties: Object
    told: bool


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


class Partial(msgspec.Struct, gc=False):
    """What one of many says, or what all of them say."""

    subject: _Subject | UnsetType = UNSET
    action: _Action | UnsetType = UNSET
    resource: _Resource | UnsetType = UNSET
    context: Object | UnsetType = UNSET

    def after(self, all: Partial) -> Asked | None:
        """With what is said for all of them where this one says nothing. None as of `alone`."""
        return _asked(
            all.subject if self.subject is UNSET else self.subject,
            all.action if self.action is UNSET else self.action,
            all.resource if self.resource is UNSET else self.resource,
            all.context if self.context is UNSET else self.context,
        )


class Part(msgspec.Struct, gc=False):
    """One of many. `words` where it says these and nothing else."""

    said: Partial
    words: Words | None


class Many(Partial, kw_only=True, gc=False):
    evaluations: list[msgspec.Raw] = msgspec.field(default_factory=list)
    options: EvaluationsOptions = msgspec.field(default_factory=EvaluationsOptions)


_one = msgspec.json.Decoder(_One).decode
_partial = msgspec.json.Decoder(Partial).decode
_many = msgspec.json.Decoder(Many).decode


class Reading:
    """Nothing raises: what can't be read, or has to be waited for, or is about nobody, is None, and is answered the long way.

    Only what is plain is remembered, words and texts: what is nested could take a hundred times the room of its bytes.
    """

    def __init__(self) -> None:
        self._alone: dict[bytes, Asked] = {}
        self._among: dict[bytes, Part] = {}

    def alone(self, content: bytes) -> Asked | None:
        known = self._alone.get(content)
        if known is not None:
            return known
        try:
            said = _one(content)
        except _UNREADABLE:
            return None
        asked = _asked(said.subject, said.action, said.resource, said.context)
        if asked is not None and all(type(value) is str for value in asked.properties.values()):
            _remember(self._alone, content, asked)
        return asked

    def many(self, content: bytes) -> tuple[Many, list[Part]] | None:
        try:
            said = _many(content)
            if not 0 < len(said.evaluations) <= MOST:
                return None
            known = self._among.get
            return said, [known(one) or self._read(one) for one in map(bytes, said.evaluations)]
        except _UNREADABLE:
            return None

    def _read(self, content: bytes) -> Part:
        said = _partial(content)
        part = Part(said, _words(said))
        if part.words is not None:
            _remember(self._among, content, part)
        return part


def _remember(remembered: dict[bytes, T], content: bytes, what: T) -> None:
    if len(content) <= _SHORT:
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        remembered[content] = what


def _words(said: Partial) -> Words | None:
    action, resource = said.action, said.resource
    if said.subject is not UNSET or said.context is not UNSET or action is UNSET or resource is UNSET:
        return None
    return None if action.properties or resource.properties else (action.name, resource.type, resource.id)


def _asked(
    subject: _Subject | UnsetType, action: _Action | UnsetType, resource: _Resource | UnsetType, context: Any
) -> Asked | None:
    staff, told = about(subject), tells(context)
    if staff is None or told is None or action is UNSET or resource is UNSET:
        return None
    properties = resource.properties or _NOTHING
    if action.properties:
        properties = {**properties, **action.properties}
    return Asked(staff, (action.name, resource.type, resource.id), properties, told)


def about(subject: _Subject | UnsetType) -> UUID | None:
    """None where nobody can be meant."""
    if subject is UNSET or len(subject.type) + len(subject.id) > _LONGEST:  # no UUID is so long
        return None
    return _staff(subject.type, subject.id)


@lru_cache(16_384)
def _staff(type: str, id: str) -> UUID | None:
    """A UUID takes 1.5 µs to read."""
    return named(Subject(type=type, id=id))


def tells(context: Object | UnsetType) -> bool | None:
    """Whether the answer says why. None where the context demands what takes longer, or is wrong."""
    if context is UNSET or not context:
        return False
    explain = context.get("explain", False)
    if type(explain) is not bool or any(name in context for name in _LONGER):
        return None
    return explain
