"""authz as far as the network shows it to identity: what it is asked, and answers that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from staffgate.access import Verifier
from staffgate.contracts.authz import CheckPlacements, PlacementChecked, PlacementsChecked
from staffgate.contracts.caller import Product
from staffgate.contracts.level import DataAccess
from staffgate.decision import RowFilter

_ARRIVAL = 2.0  # seconds: as long as the real one waits for somebody whom identity has just made


class FakeAuthz:
    """Owners and administrators may everything. `permit` is for the others; over whom, None for everybody."""

    def __init__(self, verifier: Verifier, type_of: Callable[[UUID], str | None]) -> None:
        self._verifier = verifier
        self._type_of = type_of
        self._permits: dict[UUID, dict[str, set[str] | None]] = {}
        self.asked: list[dict[str, Any]] = []
        self.away = False
        self.reason = ""  # of every denial, where a test wants a special one
        self.url = ""
        # What roles and teams there are by name: an id, or why they can't be given.
        self.roles = {"Agent": PlacementChecked(id="agent"), "Leader": PlacementChecked(id="leader")}
        self.teams: dict[str, PlacementChecked] = {}
        self.placements_asked = 0

    def permit(self, staff: UUID, *actions: str, over: set[UUID] | None = None) -> None:
        people = None if over is None else {str(one) for one in over}
        self._permits.setdefault(staff, {}).update(dict.fromkeys(actions, people))

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/access/v1/evaluation", self._evaluate)
        app.router.add_post("/access/v1/rows", self._rows)
        app.router.add_post("/v1/placements/check", self._check_placements)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield
        await runner.cleanup()

    async def _evaluate(self, request: web.Request) -> web.Response:
        asked, staff, type = await self._question(request)
        people = self._people(staff, type, asked["action"]["name"])
        owner = asked["resource"]["properties"].get("owner")
        allowed = people is None or owner in people or (owner is None and bool(people))
        seen = self._people(staff, type, "core.staff.view")
        context = {"reason": self.reason or "role", "visible": seen is None or owner in seen, "revision": 1}
        if asked["resource"]["type"] == "section":
            context["rows"] = DataAccess.FULL if people is None else DataAccess.TEAM
        return web.json_response({"decision": allowed and not self.reason, "context": context})

    async def _rows(self, request: web.Request) -> web.Response:
        asked, staff, type = await self._question(request)
        people = self._people(staff, type, asked["action"]["name"])
        if people is None:
            rows = RowFilter(reach=DataAccess.FULL)
        elif people:
            team = "00000000-0000-7000-8000-00000000000a"
            members = {team: tuple(people)}
            rows = RowFilter(reach=DataAccess.TEAM, staff=str(staff), team=team, teams=(team,), members=members)
        else:
            rows = RowFilter()
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    async def _check_placements(self, request: web.Request) -> web.Response:
        if self.away:
            raise web.HTTPServiceUnavailable
        self.placements_asked += 1
        asked = msgspec.json.decode(await request.read(), type=CheckPlacements)
        unknown = PlacementChecked(refusal="unknown")
        checked = PlacementsChecked(
            roles={name: self.roles.get(name, unknown) for name in asked.roles},
            teams={name: self.teams.get(name, unknown) for name in asked.teams},
        )
        return web.Response(body=msgspec.json.encode(checked), content_type="application/json")

    async def _question(self, request: web.Request) -> tuple[dict[str, Any], UUID, str]:
        if self.away:
            raise web.HTTPServiceUnavailable
        token = request.headers["Authorization"].removeprefix("Bearer ")
        assert self._verifier.verify(token) == Product(name="identity")
        asked = await request.json()
        self.asked.append(asked)
        staff = UUID(asked["subject"]["id"])
        assert asked["context"]["await_subject"] is True
        async with asyncio.timeout(_ARRIVAL):
            while (type := self._type_of(staff)) is None:
                await asyncio.sleep(0.005)
        return asked, staff, type

    def _people(self, staff: UUID, type: str, action: str) -> set[str] | None:
        return None if type != "standard" else self._permits.get(staff, {}).get(action, set())
