"""An SMS inbox: a whole product service behind Staffgate, to be read and copied.

Who asks is verified, and what they may is decided, in this process. Changes of it are heard within milliseconds: over
RabbitMQ where there is an AMQP_URL, and over authz's event stream otherwise. The messages are in PostgreSQL.
"""

import os
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from aiohttp import ClientSession, web

from staffgate.client import IdentityClient, Refused
from staffgate.contracts.catalogue import Feature, Manifest, Section
from staffgate.decision import Columns
from staffgate.guard import STAFF, Guard
from staffgate.replica import Replica
from staffgate.sessions import Sessions
from staffgate.stream import Stream

# What can be permitted here. Whatever is changed in it takes a higher version.
MANIFEST = Manifest(
    "sms", "SMS", version=1,
    sections=(Section("sms", "SMS", items=("inbox",)),),
    features=(
        Feature("sms.read", "Read messages", "sms", "view"),
        Feature("sms.send", "Send messages", "sms", "create"),
        Feature("sms.delete", "Delete messages", "sms", "delete"),
    ),
)  # fmt: skip
TABLE = """CREATE TABLE IF NOT EXISTS message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org uuid NOT NULL, inbox text NOT NULL,
    number text NOT NULL, text text NOT NULL)"""
MESSAGE = Columns(id="inbox", owner=None, team=None)  # a row is as its inbox is, which the registry knows
INBOX = ("inbox", "{inbox}")  # what most requests are about: the inbox in their path
AT_INBOX = "/inboxes/{inbox:[a-z0-9-]{1,64}}"


class NewInbox(msgspec.Struct):
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    owner: UUID | None = None


class NewMessage(msgspec.Struct):
    number: Annotated[str, msgspec.Meta(pattern=r"^\+[1-9]\d{6,14}$(?!\n)")]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1600, pattern=r"^[^\x00]+$(?!\n)")]


async def body(request: web.Request, kind: Any) -> Any:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise web.HTTPBadRequest(text=f"{fault}\n") from fault


def routes(guard: Guard, authz: Replica, db: asyncpg.Pool) -> web.RouteTableDef:
    """Every route says what it takes; `guard.unguarded` finds one that does not."""
    routes = web.RouteTableDef()

    @routes.put(AT_INBOX)
    @guard.requires("sms.approve", resource=INBOX)  # whoever names an owner hands out what owners may
    async def register(request: web.Request) -> web.Response:
        id, new = request.match_info["inbox"], await body(request, NewInbox)
        await authz.client.register(request[STAFF].org, "inbox", id, section="sms", label=new.label, owner=new.owner)
        return web.json_response({"id": id, "label": new.label})

    @routes.get("/inboxes")
    @guard.signed_in
    async def show_inboxes(request: web.Request) -> web.Response:
        """Those that one may see, and whether there is to be a button for sending."""
        seen = await authz.search(request[STAFF], "sms.read", "inbox")
        may = {inbox: await authz.allowed(request[STAFF], "sms.send", inbox) for inbox in seen}
        return web.json_response([{"id": one.id, "label": one.label, "send": may[one]} for one in seen])

    @routes.get(AT_INBOX + "/messages")
    @guard.requires("sms.read", resource=INBOX)
    async def read(request: web.Request) -> web.Response:
        query = "SELECT id, number, text FROM message WHERE org = $1 AND inbox = $2 ORDER BY id DESC LIMIT 100"
        found = await db.fetch(query, request[STAFF].org, request.match_info["inbox"])
        return web.json_response([dict(row) for row in found])

    @routes.post(AT_INBOX + "/messages")
    @guard.requires("sms.send", resource=INBOX)
    async def send(request: web.Request) -> web.Response:
        new = await body(request, NewMessage)
        insert = "INSERT INTO message (org, inbox, number, text) VALUES ($1, $2, $3, $4) RETURNING id"
        id = await db.fetchval(insert, request[STAFF].org, request.match_info["inbox"], new.number, new.text)
        return web.json_response({"id": id}, status=201)

    @routes.delete(AT_INBOX + r"/messages/{message:\d{1,18}}")
    @guard.requires("sms.delete", resource=INBOX)
    async def delete(request: web.Request) -> web.Response:
        row = (request[STAFF].org, request.match_info["inbox"], int(request.match_info["message"]))
        await db.execute("DELETE FROM message WHERE org = $1 AND inbox = $2 AND id = $3", *row)
        return web.Response(status=204)

    @routes.get("/messages")
    @guard.signed_in
    async def search(request: web.Request) -> web.Response:
        """`?text=` in every inbox that one may read: one query, in which the database leaves out the others."""
        person, text = request[STAFF], request.query.get("text", "").replace("\0", "")
        allowed, values = await authz.where(person, "sms.read", "inbox", MESSAGE, first=3)
        query = f"SELECT inbox, number, text FROM message WHERE org = $1 AND strpos(text, $2) > 0 AND {allowed}"
        return web.json_response([dict(row) for row in await db.fetch(query, person.org, text, *values)])

    @routes.get(AT_INBOX + "/why")
    @guard.requires("sms.read", resource=INBOX)
    async def explain(request: web.Request) -> web.Response:
        """`?action=sms.send`: why one may, or may not."""
        inbox, action = request.match_info["inbox"], request.query.get("action", "sms.read")
        why = await authz.explain(request[STAFF], action, "inbox", inbox)
        return web.json_response({"allowed": why.decision, "because": why.because})

    @routes.get("/metrics")
    @guard.public
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=authz.metrics(), content_type="text/plain")

    return routes


async def application() -> web.Application:
    env, stack, amqp = os.environ, AsyncExitStack(), os.environ.get("AMQP_URL")
    db = await stack.enter_async_context(asyncpg.create_pool(env["DATABASE_URL"]))
    session = await stack.enter_async_context(ClientSession())
    identity = IdentityClient(session, env["IDENTITY_URL"], "sms", env["CLIENT_SECRET"])
    stream = partial(Stream, session, env["AUTHZ_URL"], identity.token)
    sessions = await stack.enter_async_context(Sessions(identity, env["IDENTITY_URL"], amqp_url=amqp, stream=stream))
    authz = Replica(session, env["AUTHZ_URL"], identity.token, amqp_url=amqp, stream=not amqp)
    await stack.enter_async_context(authz)
    await db.execute(TABLE)
    try:
        await authz.client.publish(MANIFEST)
    except Refused as refused:
        if refused.code != "version_superseded":  # else a newer one of us is at work already
            raise
    guard = Guard(authz, sessions)
    app = web.Application(middlewares=[guard.middleware()])  # refuses a route that was forgotten
    app.add_routes(routes(guard, authz, db))
    app.on_cleanup.append(lambda _app: stack.aclose())
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(os.environ.get("PORT", "8190")), print=None)
