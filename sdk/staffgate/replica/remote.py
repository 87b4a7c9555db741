"""Where a replica's parts come from: authz, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import msgspec

from staffgate.client import AuthzClient, Refused
from staffgate.client.parts import ChangedSince, Standings
from staffgate.contracts.authz import Item
from staffgate.decision import Catalogue
from staffgate.mirror import Part, Registry, Resolve, Standing
from staffgate.mirror.parts import Key, keys
from staffgate.replica.lately import Lately
from staffgate.standings import standing_of

Parts = list[tuple[Key, Part]]

_AT_ONCE = 20  # people resolved, 0.05 to 0.2 ms each, before others get their turn


class Remote:
    """Whatever is read is told to `lately` as well, where there is one."""

    def __init__(self, client: AuthzClient, lately: Lately | None) -> None:
        self._client = client
        self._lately = lately

    async def standing(self, staff: UUID, resolve: Resolve, at_least: int) -> Standing | None:
        found: list[Standing] = []

        async def read() -> Parts:
            try:
                person = await self._client.standing(staff)
            except Refused as refused:
                if refused.status != 404:
                    raise
                if self._lately is not None:
                    self._lately.gone(staff)
                return []
            found.append(standing_of(person, resolve))
            return [(staff.int, found[0])]

        await self._noted(read)
        return found[0] if found else None

    async def registry(self, org: UUID, type: str, catalogue: Catalogue, at_least: int) -> Registry:
        """Of a type that the catalogue has."""
        found: list[Registry] = []

        async def read() -> Parts:
            told = await self._client.registry(org, type)
            found.append(_registry(org, type, told.revision, told.items))
            return [((org.int, type), found[0])]

        await self._noted(read)
        return found[0]

    async def standings(self, resolve: Resolve, ask: Callable[[], Awaitable[Standings]]) -> tuple[Standings, Parts]:
        """Many people at once."""
        told: list[Standings] = []

        async def read() -> Parts:
            told.append(await ask())
            return await _resolved(told[0], resolve)

        parts = await self._noted(read)
        return told[0], parts

    async def registries(self, org: UUID, types: Sequence[str]) -> Parts:
        """Of types that the catalogue has."""

        async def read() -> Parts:
            told = await self._client.registries(org, types)
            return [((org.int, type), _registry(org, type, told.revision, told.items.get(type, []))) for type in types]

        return await self._noted(read)

    async def unchanged(
        self, org: UUID, since: int, seconds: float, parts: Sequence[tuple[Key, Part]]
    ) -> tuple[ChangedSince, Parts]:
        """Those that are right still, of parts that were at the revision `since`, so many seconds ago."""
        told: list[ChangedSince] = []

        async def read() -> Parts:
            found = await self._client.changed(org, since, seconds)
            told.append(found)
            if found.people is None:
                return []
            changed = keys(org, found.people, found.types)
            return [(key, _at(part, found.revision)) for key, part in parts if key not in changed]

        right = await self._noted(read)
        return told[0], right

    async def _noted(self, read: Callable[[], Awaitable[Parts]]) -> Parts:
        return await (read() if self._lately is None else self._lately.noted(read))


async def _resolved(page: Standings, resolve: Resolve) -> Parts:
    parts: Parts = []
    for number, person in enumerate(page.people(), 1):
        parts.append((person.facts.staff.int, standing_of(person, resolve)))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return parts


def _at(part: Part, revision: int) -> Part:
    """The same at a later revision."""
    if isinstance(part, Registry):
        return msgspec.structs.replace(part, revision=revision)
    return msgspec.structs.replace(part, snapshot=msgspec.structs.replace(part.snapshot, revision=revision))


def _registry(org: UUID, type: str, revision: int, items: list[Item]) -> Registry:
    return Registry(org, type, revision, {item.id: item for item in items})
