"""A little SMS-inbox product: two inboxes, and Staffgate asked before anything is shown or sent.

This is all that a product service needs: verify the person's access token, and ask authz with a token of its own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
from aiohttp import web

from staffgate.access import TokenRefused, Verifier
from staffgate.client import AuthzClient, IdentityClient
from staffgate.contracts.caller import Person

INBOXES = {"sales": "Sales Team", "management": "Management"}


class SmsInbox:
    def __init__(self, verifier: Verifier, authz: AuthzClient) -> None:
        self._verifier = verifier
        self._authz = authz

    async def furnish(self, org: UUID) -> None:
        """Make the inboxes known, so that permissions can name them."""
        for id, label in INBOXES.items():
            await self._authz.register(org, "inbox", id, section="sms", label=label)

    async def list(self, request: web.Request) -> web.Response:
        person = self._person(request)
        seen = await self._authz.items(person.staff, "sms.read", "inbox")
        return web.json_response([item.properties["label"] for item in seen])

    async def read(self, request: web.Request) -> web.Response:
        await self._require(request, "sms.read")
        return web.json_response({"messages": ["Where are my crates?"]})

    async def send(self, request: web.Request) -> web.Response:
        await self._require(request, "sms.send")
        return web.json_response({"sent": True}, status=201)

    async def _require(self, request: web.Request, action: str) -> None:
        """Deny means "can't see it": what a person may not even view does not exist for them."""
        person = self._person(request)
        decision = await self._authz.decide(person.staff, action, "inbox", request.match_info["inbox"], explain=True)
        if decision.decision:
            return
        raise web.HTTPForbidden() if (decision.context or {}).get("visible") else web.HTTPNotFound()

    def _person(self, request: web.Request) -> Person:
        try:
            caller = self._verifier.verify(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except TokenRefused as fault:
            raise web.HTTPUnauthorized(text=str(fault)) from fault
        if not isinstance(caller, Person):
            raise web.HTTPUnauthorized(text="a person, please")
        return caller


@asynccontextmanager
async def running(
    session: aiohttp.ClientSession, issuer: str, authz_url: str, identity: IdentityClient
) -> AsyncIterator[tuple[SmsInbox, str]]:
    """The product service on a free port, and its address."""
    verifier = Verifier(issuer, time.time)
    verifier.trust(await identity.keys())
    inbox = SmsInbox(verifier, AuthzClient(session, authz_url, identity.token))
    app = web.Application()
    app.add_routes(
        [
            web.get("/inboxes", inbox.list),
            web.get("/inboxes/{inbox}/messages", inbox.read),
            web.post("/inboxes/{inbox}/messages", inbox.send),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield inbox, f"http://{host}:{port}"
    finally:
        await runner.cleanup()
