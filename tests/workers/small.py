"""A service without database and bus, to see what its workers do: `python -m tests.workers.small --workers 3`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from prometheus_client import Counter

from shared import worker, workers
from shared.bus.port import Bus
from shared.service import Service, assemble, main
from shared.settings import CommonSettings

asked_total = Counter("small_asked_total", "Questions", ["who"])


class Settings(CommonSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: str = "sound"
    broken: str = ""  # a file: while it is there, no worker gets to be ready
    counts: str = ""  # a folder: who has begun and who has answered
    quick: bool = False  # short pauses and silences
    settled: float = 60.0
    slow_start: float = 0.0


def build(settings: Settings, _bus: Bus, _role: str) -> Service:
    if settings.key != "sound":
        raise ValueError("the key is none")
    if settings.quick:
        workers.PAUSES, workers.SETTLED = (0.05, 0.05, 0.05), settings.settled
        workers.SILENCE, worker.BEAT = 1.0, 0.1
    routes = [web.get("/who", _who), web.post("/slow", _slow), web.post("/stuck", _stuck)]
    service = assemble("small", settings, routes=routes, parts=[_starting(settings)], checks=[])
    service.app[_SETTINGS] = settings
    return service


_SETTINGS = web.AppKey("settings", Settings)


@asynccontextmanager
async def _starting(settings: Settings) -> AsyncIterator[None]:
    if settings.broken and os.path.exists(settings.broken):  # noqa: ASYNC240
        raise SystemExit("small can't reach what it needs")
    await asyncio.sleep(settings.slow_start)
    yield


async def _who(_request: web.Request) -> web.Response:
    asked_total.labels('Jane "x"\\y{\u2028}').inc()
    return web.json_response(os.getpid())


async def _slow(request: web.Request) -> web.Response:
    """Takes so long, and notes its begin and its end: what nobody answered was begun and not ended."""
    counts = Path(request.app[_SETTINGS].counts)
    number = request.query["number"]
    (counts / f"{number}.begun").touch()
    await asyncio.sleep(float(request.query["seconds"]))
    (counts / f"{number}.ended").touch()
    return web.json_response(os.getpid())


async def _stuck(_request: web.Request) -> web.Response:
    """The loop hangs, for good."""
    while True:
        time.sleep(0.01)  # noqa: ASYNC251


if __name__ == "__main__":
    main("small", Settings, build)
