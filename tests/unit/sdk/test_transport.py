"""How the clients ask: what is safe is asked again, what was refused says why, and everything else is "away"."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.contracts.changes import ResetGrants

ALLOWED = {"decision": True, "context": {"reason": "role", "visible": True, "revision": 7, "news": 1}}


class Service:
    """Answers in turn what it was told to, the last for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = [(200, ALLOWED)]
        self.asked = 0

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(body, str):
            return web.Response(status=status, text=body)
        return web.json_response(body, status=status)


async def token() -> str:
    return "token"


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = "http://{}:{}".format(*runner.addresses[0][:2])  # type: ignore[attr-defined]
    yield service
    await runner.cleanup()


@pytest_asyncio.fixture
async def client(service: Any) -> AsyncIterator[AuthzClient]:
    async with aiohttp.ClientSession() as session:
        yield AuthzClient(session, service.url, token)


async def allowed(client: AuthzClient) -> bool:
    return await client.allowed(uuid4(), "sms.read", "inbox", "sales")


async def test_what_is_behind_a_decision_is_told_and_news_are_ignored(client: AuthzClient) -> None:
    ruling = await client.decide(uuid4(), "sms.read", "inbox", "sales")
    assert (ruling.allowed, ruling.reason, ruling.visible, ruling.revision) == (True, "role", True, 7)


async def test_a_question_is_asked_again_and_a_change_is_not(client: AuthzClient, service: Service) -> None:
    service.answers = [(503, {}), (500, "oh"), (200, ALLOWED)]
    assert await allowed(client)
    assert service.asked == 3
    service.answers, service.asked = [(503, {})], 0
    with pytest.raises(ServiceAway):
        await client.change([ResetGrants(staff=uuid4())])
    assert service.asked == 1


async def test_what_is_refused_is_refused_at_once_and_says_why(client: AuthzClient, service: Service) -> None:
    service.answers = [(403, {"type": "urn:staffgate:problem:others", "detail": "Ask about yourself."})]
    with pytest.raises(Refused) as refused:
        await allowed(client)
    assert (refused.value.status, refused.value.code, service.asked) == (403, "others", 1)


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[1]", '{"decision": "yes"}', '{"decision": true, "context": {"visible": 1}}', "\xff"]
)
async def test_an_answer_that_is_none_allows_nothing(client: AuthzClient, service: Service, body: str) -> None:
    service.answers = [(200, body)]
    with pytest.raises(ServiceAway):
        await allowed(client)


async def test_a_denial_that_tells_nothing_shows_nothing(client: AuthzClient, service: Service) -> None:
    service.answers = [(200, {"decision": False})]
    ruling = await client.decide(uuid4(), "sms.read", "inbox", "sales")
    assert (ruling.allowed, ruling.visible) == (False, False)


async def test_who_is_not_there_is_away() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ServiceAway):
            await allowed(AuthzClient(session, "http://127.0.0.1:1", token))
