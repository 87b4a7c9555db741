"""A little SMS-inbox product: two inboxes, and Staffgate asked before anything is shown or sent.

This is all that a product service needs, and meant to be copied: the guard verifies who asks and refuses whoever may
not; the replica decides from memory, hears of every change, and asks authz for what it does not know.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
from aiohttp import web

from staffgate.client import IdentityClient
from staffgate.guard import STAFF, Guard
from staffgate.replica import Replica
from staffgate.sessions import Sessions

INBOXES = {"sales": "Sales Team", "management": "Management"}


def application(guard: Guard, authz: Replica) -> web.Application:
    """Every route says what it takes; `guard.unguarded` finds one that does not."""
    routes = web.RouteTableDef()

    def inbox(request: web.Request) -> tuple[str, str]:
        return "inbox", request.match_info["inbox"]

    @routes.get("/inboxes")
    @guard.signed_in
    async def show_inboxes(request: web.Request) -> web.Response:
        seen = await authz.search(request[STAFF].staff, "sms.read", "inbox")
        return web.json_response([item.label for item in seen])

    @routes.get("/inboxes/{inbox}/messages")
    @guard.requires("sms.read", resource=inbox)
    async def read(_request: web.Request) -> web.Response:
        return web.json_response({"messages": ["Where are my crates?"]})

    @routes.post("/inboxes/{inbox}/messages")
    @guard.requires("sms.send", resource=inbox)
    async def send(_request: web.Request) -> web.Response:
        return web.json_response({"sent": True}, status=201)

    app = web.Application()
    app.add_routes(routes)
    return app


class SmsInbox:
    """The product, running at `url`."""

    def __init__(self, url: str, authz: Replica) -> None:
        self.url = url
        self._authz = authz

    async def furnish(self, org: UUID) -> None:
        """Make the inboxes known, so that permissions can name them."""
        for id, label in INBOXES.items():
            await self._authz.client.register(org, "inbox", id, section="sms", label=label)


@asynccontextmanager
async def running(
    session: aiohttp.ClientSession, issuer: str, authz_url: str, amqp_url: str | None, identity: IdentityClient
) -> AsyncIterator[SmsInbox]:
    """The product service on a free port. Without RabbitMQ it hears nothing, and asks each time."""
    async with (
        Sessions(identity, issuer, amqp_url=amqp_url) as sessions,
        Replica(session, authz_url, identity.token, amqp_url=amqp_url) as authz,
    ):
        runner = web.AppRunner(application(Guard(authz, sessions), authz), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield SmsInbox(f"http://{host}:{port}", authz)
        finally:
            await runner.cleanup()
