"""Lists that come a page at a time, and what of them is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec


class Paged(Protocol):
    @property
    def next(self) -> object | None:
        """What the page after this one is asked for by; None at the end."""
        ...


P = TypeVar("P", bound=Paged)


async def pages(ask: Callable[..., Awaitable[P]], params: dict[str, str], *, by: str = "after") -> AsyncIterator[P]:
    """One page after the other. `ask` takes the parameters as `params`, and `by` is the name of the one that goes on."""
    while True:
        page = await ask(params=params)
        yield page
        if page.next is None:
            return
        params = params | {by: str(page.next)}


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
