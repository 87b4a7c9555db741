"""A webhook as an endpoint gets it, and what each of its answers means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiohttp import web

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Unsure
from services.notify.channels.webhook import WebhookProvider
from staffgate.webhooks import Webhooks

SECRET, NEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgbG9uZyE="
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BODY = (
    '{"id":"0198a5b0-0000-7000-8000-000000000001","source":"/identity","type":"identity.staff.deleted.v1","subject":"é",'
    '"time":"2026-11-22T09:00:00Z","org":"0198a5b0-0000-7000-8000-000000000002","sequence":3,"data":{}}'
)
MESSAGE = Outgoing(id=UUID("0198a5b0-0000-7000-8000-000000000009"), to="", text=BODY, sent_at=NOW)
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def endpoint(handle: Handle, *secrets: str, timeout: float = 10) -> AsyncIterator[WebhookProvider]:
    app = web.Application()
    app.router.add_route("*", "/{where:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks?tenant=a%20b"
    provider = WebhookProvider("sms-inbox", url, secrets or (SECRET,), timeout=timeout)
    try:
        async with provider.opened():
            yield provider
    finally:
        await runner.cleanup()


def answering(status: int, seen: list[web.Request] | None = None, **headers: str) -> Handle:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if seen is not None:
            seen.append(request)
        return web.Response(status=status, text="what a product says of Jane", headers=headers)

    return answer


async def test_it_is_posted_as_it_is_and_signed_with_every_secret() -> None:
    seen: list[web.Request] = []
    async with endpoint(answering(204, seen), SECRET, NEXT) as provider:
        assert await provider.send(MESSAGE) == Accepted(answer="204")
    (request,) = seen
    assert (request.method, request.path_qs) == ("POST", "/hooks?tenant=a%20b")
    assert request.headers["webhook-id"] == str(MESSAGE.id)
    assert request.content_type == "application/cloudevents+json"
    for secret in (SECRET, NEXT):
        envelope = Webhooks([secret], NOW.timestamp).opened(request.headers, await request.read())
        assert (envelope.type, envelope.subject) == ("identity.staff.deleted.v1", "é")


@pytest.mark.checklist("M06")
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (301, Down), (302, Down), (307, Down), (400, Deferred), (401, Down), (403, Down), (404, Down), (405, Down),
        (408, Down), (409, Deferred), (410, Rejected), (413, Deferred), (422, Deferred), (429, Down), (500, Down),
        (502, Down), (503, Down), (504, Down),
    ],
)  # fmt: skip
async def test_what_an_answer_means(status: int, meaning: type[Exception]) -> None:
    async with endpoint(answering(status, Location="/elsewhere")) as provider:
        with pytest.raises(meaning) as fault:
            await provider.send(MESSAGE)
    assert type(fault.value) is meaning
    assert str(fault.value) == str(status), "nothing of what it said is kept"


async def test_where_it_is_sent_on_to_nobody_goes() -> None:
    seen: list[web.Request] = []
    async with endpoint(answering(307, seen, Location="/elsewhere")) as provider:
        with pytest.raises(Down):
            await provider.send(MESSAGE)
    assert [request.path for request in seen] == ["/hooks"]


async def test_an_answer_without_an_end_is_not_waited_for() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with endpoint(endless) as provider:
        assert await asyncio.wait_for(provider.send(MESSAGE), 5) == Accepted(answer="200")


async def test_without_a_connection_it_was_not_taken() -> None:
    async with endpoint(answering(200)) as provider:
        pass
    async with provider.opened():
        with pytest.raises(Down, match="no connection"):
            await provider.send(MESSAGE)


async def test_without_an_answer_it_may_have_been_taken() -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def gone(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    for handle in (silent, gone):
        async with endpoint(handle, timeout=0.3) as provider:
            with pytest.raises(Unsure, match="no answer"):
                await provider.send(MESSAGE)
