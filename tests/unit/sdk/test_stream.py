"""Following an event stream: whenever something may have been missed it is said, and a new stream that was opened in time
misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from staffgate import stream as module
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.stream import CONTENT_TYPE, Ended, Opened
from staffgate.stream import Stream


async def until(ready: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.002)


class Ear:
    def __init__(self) -> None:
        self.said: list[str] = []

    def heard(self, body: bytes) -> None:
        self.said.append(body.decode())

    def lost(self) -> None:
        self.said.append("lost")

    def restored(self) -> None:
        self.said.append("restored")


class Told:
    """One stream, at the end that tells."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self.request, self._response = request, response
        self.left = asyncio.Event()

    async def tell(self, name: str, data: bytes) -> None:
        await self._response.write(b"event: " + name.encode() + b"\ndata: " + data + b"\n\n")

    async def open(self, seconds: float = 300) -> None:
        await self.tell("opened", msgspec.json.encode(Opened(seconds=seconds)))

    async def end(self, reason: str) -> None:
        await self.tell("ended", msgspec.json.encode(Ended(reason=reason)))
        self.left.set()

    async def write(self, content: bytes) -> None:
        await self._response.write(content)


class Service:
    """authz, as far as the streams are concerned: each waits to be told."""

    def __init__(self) -> None:
        self.streams: list[Told] = []
        self.asked = 0
        self.answer: Callable[[], web.Response] | None = None
        self.url = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/v1/replica/stream", self._follow)
        app.router.add_get("/elsewhere", _elsewhere)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield
        await runner.cleanup()

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answer is not None:
            return self.answer()
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        told = Told(request, response)
        self.streams.append(told)
        await told.left.wait()
        return response

    async def stream(self, number: int) -> Told:
        await until(lambda: len(self.streams) > number)
        return self.streams[number]


async def _elsewhere(_request: web.Request) -> web.Response:
    return web.Response(body=GOOD, content_type=CONTENT_TYPE)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with service.served():
        yield service


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OVERLAP", 0.05)
    monkeypatch.setattr(module, "_PAUSE", (0.01, 0.02))


@pytest_asyncio.fixture
async def ear(service: Service) -> AsyncIterator[Ear]:
    ear = Ear()
    async with following(service, ear):
        yield ear


@asynccontextmanager
async def following(
    service: Service, ear: Ear, token: Callable[[], Awaitable[str]] | None = None, **options: float
) -> AsyncIterator[None]:
    number = 0

    async def numbered() -> str:
        nonlocal number
        number += 1
        return f"token-{number}"

    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(Stream(session, service.url, token or numbered, ear, **options).run())
        yield
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_it_is_heard_from_when_it_is_said_to_be_open(service: Service, ear: Ear) -> None:
    stream = await service.stream(0)
    await stream.write(b": not yet\n\n")
    assert ear.said == []
    await stream.open()
    await stream.tell(Heartbeat.type, b"one")
    await stream.tell("authz.something.newer.v9", b"for newer readers")
    await stream.tell(Heartbeat.type, b"two")
    await until(lambda: "two" in ear.said)
    assert ear.said == ["restored", "one", "two"]
    assert stream.request.headers["Authorization"] == "Bearer token-1"
    assert stream.request.headers["Accept"] == CONTENT_TYPE


@pytest.mark.parametrize("farewell", ["deaf", "over", "slow", ""])
async def test_whatever_ends_it_it_is_lost_and_begun_anew(service: Service, ear: Ear, farewell: str) -> None:
    first = await service.stream(0)
    await first.open()
    await until(lambda: ear.said)
    if farewell:
        await first.end(farewell)
    else:
        assert first.request.transport is not None
        first.request.transport.abort()
    await until(lambda: ear.said == ["restored", "lost"])
    await (await service.stream(1)).open()
    await until(lambda: ear.said == ["restored", "lost", "restored"])


async def test_silence_is_an_end_and_a_comment_is_none(service: Service) -> None:
    ear = Ear()
    async with following(service, ear, silence=0.2):
        stream = await service.stream(0)
        await stream.open()
        for _ in range(10):
            await asyncio.sleep(0.05)
            await stream.write(b": nothing new\n\n")
        assert ear.said == ["restored"]
        await until(lambda: ear.said == ["restored", "lost"])


async def test_who_stops_is_deaf(service: Service) -> None:
    ear = Ear()
    async with following(service, ear):
        await (await service.stream(0)).open()
        await until(lambda: ear.said)
    assert ear.said == ["restored", "lost"]


# --- the next one ---------------------------------------------------------------------------------------------


async def test_the_next_one_is_open_before_the_present_one_is_over(service: Service, ear: Ear) -> None:
    first = await service.stream(0)
    await first.open(seconds=0.1)
    second = await service.stream(1)
    await first.tell(Heartbeat.type, b"before")
    await second.open()
    await second.tell(Heartbeat.type, b"both")
    await first.tell(Heartbeat.type, b"still")
    await until(lambda: "both" in ear.said)
    await second.tell(Heartbeat.type, b"after")
    await until(lambda: "after" in ear.said)
    assert ear.said == ["restored", "before", "still", "both", "after"], (
        "the first one to its end, and nothing forgotten"
    )
    assert second.request.headers["Authorization"] == "Bearer token-2"
    await until(lambda: first.request.transport is None)


async def test_one_that_ends_as_soon_as_the_next_one_is_open_was_not_heard_to_its_end(
    service: Service, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OVERLAP", 5)
    first = await service.stream(0)
    await first.open(seconds=0.1)
    second = await service.stream(1)
    await second.open()
    await asyncio.sleep(0.05)
    await first.end("deaf")
    await until(lambda: ear.said == ["restored", "lost"])
    await until(lambda: second.request.transport is None)
    await (await service.stream(2)).open()
    await until(lambda: ear.said[-1] == "restored")


async def test_where_the_next_one_can_not_be_opened_the_present_one_lasts_to_its_end(
    service: Service, ear: Ear
) -> None:
    first = await service.stream(0)
    service.answer = lambda: web.Response(status=503)
    await first.open(seconds=0.1)
    await until(lambda: service.asked >= 3)
    await first.tell(Heartbeat.type, b"still")
    await until(lambda: ear.said == ["restored", "still"])
    service.answer = None
    second = await service.stream(1)
    await second.open()
    await second.tell(Heartbeat.type, b"after")
    await until(lambda: ear.said == ["restored", "still", "after"])


# --- what is no stream ----------------------------------------------------------------------------------------


GOOD = b'event: opened\ndata: {"seconds": 300}\n\n'
ANSWERS: list[Callable[[], web.Response]] = [
    lambda: web.Response(status=503, body=GOOD, content_type=CONTENT_TYPE),
    lambda: web.Response(status=401, body=b'{"type":"urn:staffgate:problem:token_refused"}'),
    lambda: web.Response(body=GOOD, content_type="text/plain"),
    lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
    lambda: web.Response(body=GOOD.replace(b"opened", b"surprise"), content_type=CONTENT_TYPE),
    lambda: web.Response(body=GOOD.replace(b'{"seconds": 300}', b"soon"), content_type=CONTENT_TYPE),
    lambda: web.Response(body=GOOD.replace(b'"seconds": 300', b""), content_type=CONTENT_TYPE),
    lambda: web.Response(content_type=CONTENT_TYPE),
]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_is_no_stream_is_never_heard_and_asked_for_again(
    service: Service, answer: Callable[[], web.Response]
) -> None:
    ear = Ear()
    service.answer = answer
    async with following(service, ear):
        await until(lambda: service.asked >= 2)
        assert ear.said == []
        service.answer = None
        await (await service.stream(0)).open()
        await until(lambda: ear.said == ["restored"])


async def test_without_a_token_it_is_tried_again(service: Service) -> None:
    tries: list[int] = []

    async def token() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("not yet")
        return "at last"

    ear = Ear()
    async with following(service, ear, token):
        await (await service.stream(0)).open()
        await until(lambda: ear.said == ["restored"])


async def test_an_ear_that_fails_costs_the_stream_and_not_the_hearing(service: Service) -> None:
    class Deafened(Ear):
        def heard(self, body: bytes) -> None:
            super().heard(body)
            if body == b"bang":
                raise RuntimeError(body)

    ear = Deafened()
    async with following(service, ear):
        first = await service.stream(0)
        await first.open()
        await first.tell(Heartbeat.type, b"bang")
        await (await service.stream(1)).open()
        await until(lambda: ear.said == ["restored", "bang", "lost", "restored"])
