"""The mailbox over HTTP: the page, the messages as JSON for tests and the demo, the SMS gateway, the weather."""

from __future__ import annotations

import secrets

import msgspec
from aiohttp import web

from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.page import render
from deploy.local.mailbox.sms import Gateway
from deploy.local.mailbox.store import Store


class Mailbox:
    def __init__(self, store: Store, faults: Faults, smtp_port: int) -> None:
        self._store = store
        self._faults = faults
        self._smtp_port = smtp_port

    async def page(self, _request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        # A srcdoc frame lives under the page's policy, so the styles that mails carry inline have to be allowed.
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        text = render(self._store, nonce, self._smtp_port)
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def changes(self, _request: web.Request) -> web.Response:
        return web.Response(text=str(self._store.changes), headers={"Cache-Control": "no-store"})

    async def messages(self, request: web.Request) -> web.Response:
        asked = request.query
        since = asked.get("since", "0")
        if not since.isdecimal():
            return web.json_response({"error": "since is the id of a message"}, status=400)
        found = self._store.find(to=asked.get("to"), kind=asked.get("kind"), since=int(since))
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    async def clear(self, _request: web.Request) -> web.Response:
        self._store.clear()
        return web.Response(status=204)

    async def put_faults(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Faults)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._faults.smtp, self._faults.sms = wanted.smtp, wanted.sms
        return web.Response(body=msgspec.json.encode(self._faults), content_type="application/json")

    async def live(self, _request: web.Request) -> web.Response:
        return web.Response(text="live\n")


def application(mailbox: Mailbox, gateway: Gateway) -> web.Application:
    app = web.Application()
    app.add_routes(
        [
            web.get("/", mailbox.page),
            web.get("/changes", mailbox.changes),
            web.get("/messages", mailbox.messages),
            web.delete("/messages", mailbox.clear),
            web.put("/faults", mailbox.put_faults),
            web.get("/livez", mailbox.live),
            web.get("/readyz", mailbox.live),
            web.post("/2010-04-01/Accounts/{sid}/Messages.json", gateway.send),
        ]
    )
    return app
