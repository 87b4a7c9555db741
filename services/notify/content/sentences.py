"""Sentences as they stand in the source: in English, with places for what is filled in. Catalogs say them in the other
languages, whole: a language that puts the pieces of a sentence in another order can say it, too.
"""

from __future__ import annotations

import msgspec


def _(text: str) -> str:
    """Marks what catalogs translate."""
    return text


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """`many` is said where the value called `count` is not one, as the language counts. With `given` it is said only where
    that value is there and not empty, with `without` only where it is empty."""

    one: str
    many: str = ""
    count: str = ""
    given: str = ""
    without: str = ""


def counted(count: str, one: str, many: str) -> Sentence:
    return Sentence(count=count, one=one, many=many)


def given(value: str, text: str) -> Sentence:
    return Sentence(given=value, one=text)


def without(value: str, text: str) -> Sentence:
    return Sentence(without=value, one=text)


Said = tuple[str | Sentence, ...]
