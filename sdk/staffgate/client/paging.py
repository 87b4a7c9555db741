"""Lists that come a page at a time, and what of them is asked for."""

from __future__ import annotations

import msgspec


def query_of(asked: msgspec.Struct | None) -> dict[str, str]:
    """A query string's parameters: what is not as it is anyway."""
    if asked is None:
        return {}
    defaults = {field.name: field.default for field in msgspec.structs.fields(asked)}
    given = {name: value for name, value in msgspec.structs.asdict(asked).items() if value != defaults[name]}
    return {name: _written(value) for name, value in given.items()}


def _written(value: object) -> str:
    plain = msgspec.to_builtins(value)
    return ("true" if plain else "false") if isinstance(plain, bool) else str(plain)
