"""What was so at which moment, and which answers no moment within the bound can explain.

Times are of one clock that all processes of the machine have: `time.monotonic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

import msgspec


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="answer"):
    """`allowed` is None where none could be given: the product denies, and says that it does not know."""

    via: str
    who: int
    asked: float
    answered: float
    allowed: bool | None
    memory: bool


class Seen(msgspec.Struct, frozen=True, array_like=True, tag="seen"):
    """How a replica was, when that had changed."""

    via: str
    at: float
    believed: bool


class Line(msgspec.Struct, frozen=True, array_like=True, tag="line"):
    """Of the product's log."""

    at: float
    text: str


@dataclass
class Change:
    """Begun when it was sent, made when it was answered: anywhere in between it came true."""

    allowed: bool
    sent: float
    made: float = inf


@dataclass
class History:
    """One writer: the changes to a person follow upon each other, and before the first they are denied."""

    changes: dict[int, list[Change]] = field(default_factory=dict)

    def begin(self, who: int, allowed: bool, at: float) -> Change:
        change = Change(allowed, at)
        self.changes.setdefault(who, []).append(change)
        return change

    def allowed(self, who: int) -> Iterator[tuple[float, float]]:
        """When they may have been allowed, from and to at most."""
        every = self.changes.get(who, [])
        for number, change in enumerate(every):
            if change.allowed:
                after = every[number + 1] if number + 1 < len(every) else None
                yield change.sent, inf if after is None else after.made

    def age(self, answer: Answer) -> float:
        """For how long it had been wrong to allow when this was asked; 0 where it was right at some moment since."""
        ends = [end for start, end in self.allowed(answer.who) if start <= answer.answered]
        return max(0.0, answer.asked - max(ends, default=-inf))

    def too_old(self, answers: Iterable[Answer], bound: float) -> list[tuple[float, Answer]]:
        """The answers that allow what has been denied for longer than the bound, with their age."""
        ages = [(self.age(answer), answer) for answer in answers if answer.allowed]
        return [(age, answer) for age, answer in ages if age > bound]

    def oldest(self, answers: Iterable[Answer]) -> float:
        return max((self.age(answer) for answer in answers if answer.allowed), default=0.0)
