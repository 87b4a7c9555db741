"""Live, ready, metrics: what an orchestrator and a load balancer ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from shared.metrics import CONTENT_TYPE, own

_TIMEOUT = 2.0
METRICS = web.AppKey[Callable[[], Awaitable[str]]]("metrics")  # those of all workers, where there are several


class Check(msgspec.Struct, frozen=True):
    """`ask` raises when it is not well. Without something needed there is no service; without the rest it is degraded."""

    name: str
    ask: Callable[[], Awaitable[None]]
    needed: bool = True


class Readiness(msgspec.Struct):
    ready: bool
    degraded: bool
    checks: dict[str, str]


def routes(checks: list[Check]) -> list[web.RouteDef]:
    async def live(_request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def ready(_request: web.Request) -> web.Response:
        answers = dict(zip((check.name for check in checks), await asyncio.gather(*map(_ask, checks)), strict=True))
        down = {check.name: check.needed for check in checks if answers[check.name] != "ok"}
        readiness = Readiness(ready=not any(down.values()), degraded=bool(down), checks=answers)
        status = 200 if readiness.ready else 503
        return web.Response(status=status, body=msgspec.json.encode(readiness), content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        told = await request.app[METRICS]() if METRICS in request.app else own()
        return web.Response(body=told.encode(), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", metrics)]


async def _ask(check: Check) -> str:
    try:
        await asyncio.wait_for(check.ask(), _TIMEOUT)
    except Exception as fault:
        return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    return "ok"
