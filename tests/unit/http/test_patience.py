"""Who says nothing, or says it drop by drop, keeps no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvloop
from aiohttp import web

from shared.http import operation
from shared.http.middleware import telling
from shared.http.operation import Api
from shared.http.patience import PatientRunner

api = Api()


@api.post("/echo")
async def echo(_service: object, body: list[int]) -> list[int]:
    """As it came."""
    return body


async def nobody(_token: str) -> None: ...


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(PatientRunner, "headers_within", 0.2)
    monkeypatch.setattr(operation, "BODY_WITHIN", 0.2)
    app = web.Application(middlewares=[telling(0)])
    app.add_routes(api.routes(None, nobody))  # type: ignore[arg-type]
    runner = PatientRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def said(port: int, *parts: bytes, until: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    try:
        async with asyncio.timeout(30):
            return await (reader.readuntil(until) if until else reader.read())
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.checklist("L05")
async def test_headers_that_never_end_are_not_waited_for(port: int) -> None:
    assert await said(port, b"POST /echo HTTP/1.1\r\nHost: x\r\n", b"X-Slow: y\r\n") == b""
    assert await said(port) == b""


@pytest.mark.checklist("L05")
async def test_a_body_that_never_ends_is_refused(port: int) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    assert b" 408 " in await said(port, head, b"[1", until=b"\r\n")


def test_it_works_on_the_loop_that_the_services_run_on() -> None:
    """uvloop's transports are not asyncio's."""

    async def ask() -> bytes:
        app = web.Application()
        app.add_routes([web.get("/", lambda _request: _said("here"))])
        runner = PatientRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        answer = await said(runner.addresses[0][1], b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await runner.cleanup()
        return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(ask()).endswith(b"here")


async def _said(text: str) -> web.Response:
    return web.Response(text=text)


async def test_who_speaks_in_time_is_heard_however_it_is_cut(port: int) -> None:
    whole = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]"
    for cut in range(1, len(whole), 7):
        assert (await said(port, whole[:cut], whole[cut:])).endswith(b"[1]")
