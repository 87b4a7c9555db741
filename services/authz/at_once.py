"""Evaluations answered out of memory, bytes to bytes: what nobody has to wait for.

The same answers as `decisions` gives, by the same reading of the request, with no event loop, no database and no object
that nobody looks at. Where there is anything to wait for or to refuse the answer is None, and it is given the long way.
A test holds every answer of here against the one of there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import msgspec

from services.authz.decisions import LAST
from services.authz.questions import explained
from services.authz.reading import Asked, Many, Part, Reading, Words, about, tells
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.decisions import Decision
from staffgate.decision import Question, Verdict
from staffgate.mirror import Mirror
from staffgate.mirror.answers import Answer

ALLOWED = b'{"decision":true}'
DENIED = b'{"decision":false}'
_encode = msgspec.json.Encoder().encode


class AtOnce:
    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._reading = Reading()

    def evaluate(self, caller: Caller, content: bytes) -> bytes | None:
        """The answer's body to a request's."""
        asked = self._reading.alone(content)
        return None if asked is None else self._answer(caller, asked)

    def evaluate_all(self, caller: Caller, content: bytes) -> bytes | None:
        asked = self._reading.many(content)
        if asked is None:
            return None
        said, parts = asked
        found = self._all(caller, said, parts)
        if found is None:
            return None
        last = LAST.get(said.options.evaluations_semantic)
        end = len(found) if last is None else _end(found, b'{"decision":true' if last else b'{"decision":false')
        return b'{"evaluations":[' + b",".join(found[:end]) + b"]}"

    def _all(self, caller: Caller, said: Many, parts: Sequence[Part]) -> list[bytes] | None:
        """None where one of them can't be answered."""
        staff, told, words = about(said.subject), tells(said.context), [part.words for part in parts]
        if staff is not None and told is not None and all(words) and _may_ask(caller, staff):
            return self._plain(staff, cast(list[Words], words), told)
        found: list[bytes] = []
        for part in parts:
            one = part.said.after(said)
            answer = None if one is None else self._answer(caller, one)
            if answer is None:
                return None
            found.append(answer)
        return found

    def _answer(self, caller: Caller, asked: Asked) -> bytes | None:
        if not _may_ask(caller, asked.staff):
            return None
        decide = self._mirror.decide_now
        if not asked.properties:
            known = self._mirror.recall((asked.staff.int, *asked.words))
            if known is not None:
                return _given(known, asked.words[1], asked.told)
            decide = self._mirror.decide_anew
        verdict = decide(asked.staff, Question(*asked.words, asked.properties))
        return None if verdict is None else _said(verdict, asked.words[1], asked.told)

    def _plain(self, staff: UUID, asked: Sequence[Words], told: bool) -> list[bytes] | None:
        """Where nothing is said but the words."""
        found: list[bytes] = []
        new = False
        for known, words in zip(self._mirror.recall_all(staff.int, asked), asked, strict=True):
            if known is None and new:  # one answer serves for all items that nothing tells apart
                known = self._mirror.recall((staff.int, *words))
            if known is not None:
                found.append((ALLOWED if known.allowed else DENIED) if not told else _given(known, words[1], told))
                continue
            verdict = self._mirror.decide_anew(staff, Question(*words, {}))
            if verdict is None:
                return None
            new = True
            found.append(_said(verdict, words[1], told))
        return found


def _may_ask(caller: Caller, staff: UUID) -> bool:
    """People ask about themselves."""
    return type(caller) is not Person or staff == caller.staff


def _given(known: Answer, kind: str, told: bool) -> bytes:
    if not told:
        return ALLOWED if known.allowed else DENIED
    if known.told is None:
        known.told = _telling(known.verdict, kind)
    return known.told


def _said(verdict: Verdict, kind: str, told: bool) -> bytes:
    if told:
        return _telling(verdict, kind)
    return ALLOWED if verdict.allowed else DENIED


def _telling(verdict: Verdict, kind: str) -> bytes:
    return _encode(Decision(decision=verdict.allowed, context=explained(verdict, kind)))


def _end(found: list[bytes], last: bytes) -> int:
    """How many are told where the first such decision ends it."""
    return next((number for number, one in enumerate(found, 1) if one.startswith(last)), len(found))
