"""Ours: as a product asks its replica, what was asked before and what never was; and the engine without any of that.

The replica is the real one and loads what it knows over HTTP; here a small server beside it knows the people of the
benchmark. Its clock stands still, as if a heartbeat had come in this very moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
from aiohttp import web

from benchmarks.roster import Roster
from staffgate.client.parts import PersonFacts, RegisteredItems
from staffgate.contracts.catalogue import Manifest
from staffgate.decision import Catalogue, Question, Shared, decide, resolve
from staffgate.replica import Replica

ORG, START = UUID(int=0xACE), 1_800_000_000.0
_AT_ONCE = 32  # people that are loaded at the same time

Call = tuple[UUID, str, str, str, dict[str, Any]]


class Product:
    """A product's process with a replica in it. The event loop stands still while it is measured, as it does while a
    product computes."""

    def __init__(self, known: Roster, manifests: Iterable[Manifest], types: Iterable[str]) -> None:
        """`types` are those of the resources that are asked about."""
        self._people = {str(one.staff): one for one in known.people}
        self._items = known.items
        self._manifests = tuple(manifests)
        self._types = sorted(set(types))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Product:
        self._runner.run(self._open())
        return self

    def __exit__(self, *_fault: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def ask(self, call: Call) -> bool | None:
        staff, action, type, id, properties = call
        return self.replica.allowed_now(staff, action, type, id, **properties)

    def renew(self) -> None:
        """Everybody known, and nothing that was asked. No announcement does that: with a person goes what is known of
        them, and of what was made from a registry that has changed, only what is another now."""
        self.replica._mirror._answers.clear()
        if self.replica.stats.mirror.answers:
            raise RuntimeError("something that was asked before is remembered")

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/replica/standings/{staff}", self._standing)
        app.router.add_get("/v1/replica/organisations/{org}/items/{type}", self._registry)
        app.router.add_get("/v1/catalogue", self._catalogue)
        self._server = web.AppRunner(app, access_log=None)
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", 0)
        await site.start()
        self._session = aiohttp.ClientSession()
        host, port = self._server.addresses[0][:2]
        self.replica = Replica(self._session, f"http://{host}:{port}", _token, now=lambda: START)
        await self.replica.__aenter__()
        self.replica.restored()
        async with asyncio.timeout(10):
            while self.replica.stats.catalogue is None:
                await asyncio.sleep(0.01)
        await self._load()

    async def _close(self) -> None:
        await self.replica.__aexit__(None, None, None)
        await self._session.close()
        await self._server.cleanup()

    async def _load(self) -> None:
        """Everybody, by a question that nobody asks again; and the registered items of every type."""
        left = iter(self._people.values())

        async def load() -> None:
            for person in left:
                await self.replica.allowed(person.staff, "portal.login", "section", "portal")

        await asyncio.gather(*(load() for _ in range(_AT_ONCE)))
        await self._load_items()

    async def _load_items(self) -> None:
        somebody = next(iter(self._people.values())).staff
        for type in self._types:
            await self.replica.allowed(somebody, "product.use", type, "none of them")

    # --- what authz would tell --------------------------------------------------------------------------------

    async def _standing(self, request: web.Request) -> web.Response:
        return _json(PersonFacts(org=ORG, facts=self._people[request.match_info["staff"]]))

    async def _registry(self, request: web.Request) -> web.Response:
        items = [item for item in self._items if item.type == request.match_info["type"]]
        return _json(RegisteredItems(items=items, revision=1))

    async def _catalogue(self, _request: web.Request) -> web.Response:
        return _json({"version": 1, "manifests": self._manifests})


def engine(known: Roster, catalogue: Catalogue) -> Callable[[Call], bool]:
    """`decide` alone: nothing is remembered but the people."""
    shared = Shared()
    snapshots = {one.staff.int: resolve(one, catalogue, shared) for one in known.people}

    def ask(call: Call) -> bool:
        staff, action, type, id, properties = call
        return decide(snapshots[staff.int], catalogue, Question(action, type, id, properties)).allowed

    return ask


def calls(asked: Iterable[tuple[UUID, Question]]) -> list[Call]:
    return [(who, one.action, one.type, one.id, dict(one.properties)) for who, one in asked]


def completed(asked: Sequence[Call], known: Roster) -> list[Call]:
    """With what the registry and the team tree say of the resource: the engine alone looks up nothing."""
    items = {(item.type, item.id): item for item in known.items}
    teams = {str(one.staff): one.team or "" for one in known.people}
    found = []
    for who, action, type, id, properties in asked:
        question = Question(action, type, id, properties).about(items.get((type, id))).completed(teams)
        found.append((who, action, type, id, dict(question.properties)))
    return found


async def _token() -> str:
    return "nobody-looks-at-it"


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
