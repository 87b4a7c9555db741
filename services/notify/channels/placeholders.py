"""What a description of a provider leaves open, `{to}` and the like, and how it is filled in.

Values go into the texts of a structure that was parsed before, so nothing that a message says can become structure, nor
a placeholder: what was filled in is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
NAMES = frozenset({"to", "digits", "text", "from", "id", "receipts"})


def named(template: object) -> Iterator[str]:
    """Every placeholder in the texts of a structure, the unknown ones too. Names of members are left as they are."""
    match template:
        case str():
            yield from _PLACEHOLDER.findall(template)
        case dict():
            for value in template.values():
                yield from named(value)
        case list():
            for value in template:
                yield from named(value)


def filled(template: T, values: Mapping[str, str]) -> T:
    """The same structure with the values in their places."""
    whole: Any = _filled(template, values)
    return whole  # type: ignore[no-any-return]


def _filled(template: object, values: Mapping[str, str]) -> object:
    match template:
        case str():
            return _PLACEHOLDER.sub(lambda place: values[place[1]], template)
        case dict():
            return {name: _filled(value, values) for name, value in template.items()}
        case list():
            return [_filled(value, values) for value in template]
    return template
