"""A network in which packets vanish, and nobody is told: how long somebody waits for a decision then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from staffgate.client import AuthzClient, Patience, ServiceAway, Session, Wire
from staffgate.client.token import ServiceToken
from staffgate.contracts.identity import Tokens
from tests.faults.lines import Line, State
from tests.unit.sdk.servers import served

ANSWER = b'{"decision":true}'
QUICK = Patience(connect=30.0, answer=30.0, total=30.0, decision=0.2)
SOON = 10.0  # seconds: far from both


async def token() -> str:
    return "token"


@pytest_asyncio.fixture(params=["wire", "aiohttp"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[Session]:
    async with Wire() if request.param == "wire" else aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=ANSWER)

    async with served(answer) as url:
        line = Line(urlsplit(url).port or 0)
        async with line.laid():
            yield line


def client_of(session: Session, line: Line) -> AuthzClient:
    return AuthzClient(session, f"http://127.0.0.1:{line.port}", token, patience=QUICK)


async def allowed(client: AuthzClient) -> bool:
    return await client.allowed(uuid4(), "sms.read", "inbox", "sales")


async def waited(asked: Awaitable[object]) -> float:
    """For nothing."""
    began = time.monotonic()
    with pytest.raises(ServiceAway):
        await asked
    return time.monotonic() - began


@pytest.mark.parametrize("state", [State.SWALLOWED, State.HELD])
async def test_a_decision_is_waited_for_no_longer_than_said(session: Session, line: Line, state: State) -> None:
    client = client_of(session, line)
    assert await asyncio.gather(*(allowed(client) for _ in range(3))) == [True] * 3
    line.becomes(state)
    much = asyncio.create_task(client.standings(uuid4()))
    assert await waited(allowed(client)) < SOON
    assert not much.done(), "much at once may take its time"
    much.cancel()


async def test_a_connection_that_is_not_taken_costs_no_more(session: Session, line: Line) -> None:
    line.becomes(State.HELD)
    assert await waited(allowed(client_of(session, line))) < SOON


async def test_a_token_that_does_not_come_costs_no_more(session: Session, line: Line) -> None:
    async def never() -> str:
        return await asyncio.Event().wait() and ""

    client = AuthzClient(session, f"http://127.0.0.1:{line.port}", never, patience=QUICK)
    assert await waited(allowed(client)) < SOON


async def test_a_services_own_token_that_does_not_come_costs_no_more(session: Session, line: Line) -> None:
    async def never() -> Tokens:
        await asyncio.Event().wait()
        raise AssertionError

    own = ServiceToken(never)
    client = AuthzClient(session, f"http://127.0.0.1:{line.port}", own, patience=QUICK)
    assert await waited(allowed(client)) < SOON


async def test_for_a_token_that_is_at_hand_no_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async def issued() -> Tokens:
        return Tokens(access_token="own", token_type="Bearer", expires_in=300, refresh_token=None)

    set_for, real = list[float](), asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        set_for.append(seconds or 0)
        return real(seconds)

    async with Wire() as wire, forgetful(3) as (url, _):
        client = AuthzClient(wire, url, ServiceToken(issued), patience=Patience(decision=2.0))
        assert await allowed(client)
        monkeypatch.setattr(asyncio, "timeout", timeout)
        assert await allowed(client)
    assert set_for == []


async def test_another_connection_may_be_better(session: Session) -> None:
    """Something between has forgotten those that there are: nobody is told, and new ones are made as ever."""
    async with forgetful() as (url, made):
        client = AuthzClient(session, url, token, patience=Patience(decision=2.0))
        assert await allowed(client)
        assert await allowed(client), "on the second try"
        assert made[0] == 2


async def test_those_that_are_as_old_are_not_tried() -> None:
    async with Wire() as wire, forgetful(3) as (url, made):
        client = AuthzClient(wire, url, token, patience=Patience(decision=2.0))
        await asyncio.gather(*(allowed(client) for _ in range(3)))
        assert await allowed(client)
        assert made[0] == 4


async def test_whoever_doubts_gets_a_new_one_at_once() -> None:
    """As a replica does when something that it loads, which may take its time, is silent for long."""
    async with Wire() as wire, forgetful() as (url, made):
        client = AuthzClient(wire, url, token, patience=Patience(tries=1))
        assert await allowed(client)
        client.doubt()
        assert await allowed(client)
        assert made[0] == 2


@asynccontextmanager
async def forgetful(forgotten: int = 1) -> AsyncIterator[tuple[str, list[int]]]:
    """The first of its connections, so many, answer once, and those after them for ever."""
    made = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made[0] += 1
        forgets, answered = made[0] <= forgotten, 0
        while await reader.read(1 << 16):
            if forgets and answered:
                continue
            answered += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
