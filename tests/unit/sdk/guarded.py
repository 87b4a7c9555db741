"""One product, guarded in three ways: by decorators, by aiohttp's middleware with a table, and as an ASGI application.

Each keeps a book of what ran, and authz one of what it was asked, so that a test can say: nothing ran that was not
asked about.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import msgspec
from aiohttp import web
from joserfc import jws
from joserfc.jwk import OKPKey

from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims, Verifier
from staffgate.asgi import GuardedApp
from staffgate.client import Ruling, ServiceAway
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import KeySet
from staffgate.gate import Gate
from staffgate.guard import STAFF, Guard
from staffgate.resource import Resource
from staffgate.rules import PUBLIC, SIGNED_IN, Call, Requires

ISSUER = "http://identity.test"
NOW = 1_800_000_000.0
KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "test"}, private=True)
JANE, HAN, SESSION = uuid4(), uuid4(), uuid4()


def token(staff: UUID | None = JANE, *, at: float = NOW, session: UUID = SESSION) -> str:
    person: dict[str, Any] = {"org": uuid4(), "sid": session, "roles": [StaffType.STANDARD]} if staff else {}
    claims = Claims(
        iss=ISSUER, aud=AUDIENCE, sub=str(staff or "sms"), client_id="staffgate" if staff else "sms", iat=int(at),
        exp=int(at) + LIFETIME, jti="1", **person,
    )  # fmt: skip
    header = {"alg": ALGORITHMS[0], "typ": TYPE, "kid": "test"}
    return jws.serialize_compact(header, msgspec.json.encode(claims), KEY, algorithms=ALGORITHMS)


def verifier() -> Verifier:
    verifier = Verifier(ISSUER, lambda: NOW)
    verifier.trust(KeySet(keys=[{name: str(value) for name, value in KEY.as_dict(private=False).items()}]))
    return verifier


@dataclass
class Authz:
    """What it is asked, and what it says of everything."""

    ruling: Any = field(default_factory=lambda: Ruling(allowed=True, visible=True))
    fault: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def decide(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> Any:
        self.asked.append((staff, action, type, id, properties))
        if self.fault:
            raise self.fault
        return self.ruling


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.content)

    def refused(self, status: int, code: str) -> None:
        assert (self.status, self.body["status"]) == (status, status), self
        assert self.body["type"] == f"urn:staffgate:problem:{code}"
        assert self.body.keys() == {"type", "title", "status", "detail", "instance"}
        assert self.headers["content-type"].startswith("application/problem+json")


Ask = Callable[[str, str, list[tuple[str, str]]], Any]


@dataclass
class Product:
    """`ran` is a line for each handler that ran: its name, who, and the inbox or contact that it was about."""

    authz: Authz = field(default_factory=Authz)
    sessions: Any = field(default_factory=verifier)
    explain: bool = False
    ran: list[tuple[str, UUID | None, str]] = field(default_factory=list)
    away: bool = False  # a handler that asks by itself finds nobody
    requests: Ask | None = None

    async def ask(
        self, method: str, target: str, authorization: str | None = "", headers: list[tuple[str, str]] | None = None
    ) -> Answer:
        own = [] if authorization is None else [("Authorization", authorization or f"Bearer {token()}")]
        assert self.requests is not None
        answer: Answer = await self.requests(method, target, own + (headers or []))
        return answer

    async def send(self, authorization: str | None = "") -> Answer:
        return await self.ask("POST", "/inboxes/sales/messages", authorization)

    def note(self, name: str, staff: UUID | None, about: str = "") -> dict[str, Any]:
        self.ran.append((name, staff, about))
        if self.away:
            raise ServiceAway("nobody is there")
        return {"handler": name, "staff": str(staff), "about": about}


# --- what may be done, as a table and as decorators -----------------------------------------------------------


def contact(id: str) -> tuple[str, str, dict[str, Any]] | Resource | None:
    """As a product may find it: a row, something with a type and an id, or nothing."""
    if id == "none":
        return None
    return Resource("contact", id, owner=HAN) if id == "named" else ("contact", id, {"owner": HAN})


async def owned(call: Call) -> tuple[str, str, dict[str, Any]] | Resource | None:
    return contact(call.parameters["id"])


RULES = {
    ("GET", "/inboxes/{inbox}/messages"): Requires("sms.read", ("inbox", "{inbox}")),
    ("POST", "/inboxes/{inbox}/messages"): Requires("sms.send", ("inbox", "{inbox}")),
    ("DELETE", "/inboxes/{inbox}/messages"): Requires("sms.delete", ("inbox", "{inbox}")),
    ("GET", "/contacts/{id}"): Requires("contacts.view", owned),
    ("GET", "/page"): Requires("sms.read", ("section", "sms")),
    ("GET", "/mine"): SIGNED_IN,
    ("GET", "/health"): PUBLIC,
}
# What each handler is called, what it asks for, and where it stands.
HANDLERS = {
    "read": ("GET", "/inboxes/{inbox}/messages", "sms.read"),
    "send": ("POST", "/inboxes/{inbox}/messages", "sms.send"),
    "delete": ("DELETE", "/inboxes/{inbox}/messages", "sms.delete"),
    "contact": ("GET", "/contacts/{id}", "contacts.view"),
    "page": ("GET", "/page", "sms.read"),
    "mine": ("GET", "/mine", ""),
    "health": ("GET", "/health", ""),
    "forgotten": ("POST", "/forgotten/{id}", ""),
}


def handler(product: Product, name: str) -> Any:
    async def handle(request: web.Request) -> web.Response:
        person = request.get(STAFF)
        about = request.match_info.get("inbox", request.match_info.get("id", ""))
        return web.json_response(product.note(name, person and person.staff, about))

    return handle


def decorated(product: Product, guard: Guard) -> web.Application:
    async def owned(request: web.Request) -> tuple[str, str, dict[str, Any]] | Resource | None:
        return contact(request.match_info["id"])

    inbox = ("inbox", "{inbox}")
    guards: dict[str, Any] = {
        "read": guard.requires("sms.read", resource=inbox),
        "send": guard.requires("sms.send", resource=lambda request: ("inbox", request.match_info["inbox"])),
        "delete": guard.requires("sms.delete", resource=inbox),
        "contact": guard.requires("contacts.view", resource=owned),
        "page": guard.requires("sms.read", resource=("section", "sms")),
        "mine": guard.signed_in,
        "health": guard.public,
    }
    # The route that was forgotten has no decorator, and the middleware is there to refuse it.
    app = web.Application(middlewares=[guard.middleware()])
    for name, (method, path, _) in HANDLERS.items():
        route(app, method, path, guards.get(name, lambda handle: handle)(handler(product, name)))
    return app


def tabled(product: Product, guard: Guard) -> web.Application:
    app = web.Application(middlewares=[guard.middleware(RULES)])
    for name, (method, path, _) in HANDLERS.items():
        route(app, method, path, handler(product, name))
    return app


def route(app: web.Application, method: str, path: str, handle: Any) -> None:
    """With HEAD where there is GET."""
    if method == "GET":
        app.router.add_get(path, handle)
    else:
        app.router.add_route(method, path, handle)


# --- ASGI -----------------------------------------------------------------------------------------------------


class Inner:
    """An application that routes by itself, as the frameworks do: on the path that the server has decoded."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._routes = [
            (name, method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)))
            for name, (method, path, _) in HANDLERS.items()
        ]

    def find(self, method: str, path: str) -> tuple[str, str] | None:
        for name, wanted, pattern in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted == ("GET" if method == "HEAD" else method):
                return name, "".join(found.groupdict().values())
        return None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        found = self.find(scope["method"], scope["path"])
        if found is None:
            await respond(send, 404, {"type": "routing"})
            return
        person = scope.get("staff")
        assert scope["state"].get("staff") is person
        await respond(send, 200, self._product.note(found[0], person and person.staff, found[1]))


async def respond(send: Any, status: int, body: object) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


def scope_of(method: str, target: str, headers: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    """As servers make it of a request line."""
    raw, _, query = target.partition("?")
    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "root_path": "",
        "headers": lines, "state": {}, **more,
    }  # fmt: skip


async def nothing_more() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def asked_directly(app: Any) -> Ask:
    """Without a server between."""

    async def ask(method: str, target: str, headers: list[tuple[str, str]]) -> Answer:
        sent: list[dict[str, Any]] = []

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await app(scope_of(method, target, headers), nothing_more, send)
        start, *rest = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], named, b"".join(one.get("body", b"") for one in rest))

    return ask


# --- over HTTP ------------------------------------------------------------------------------------------------


def asked_at(host: str, port: int) -> Ask:
    """The request line goes out as it is given: a client would tidy it up."""

    async def ask(method: str, target: str, headers: list[tuple[str, str]]) -> Answer:
        reader, writer = await asyncio.open_connection(host, port)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        first, *rest = head.decode("latin-1").split("\r\n")
        named = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return Answer(int(first.split()[1]), named, content)

    return ask


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[Ask]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield asked_at(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


# --- the three ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def by_decorators(product: Product) -> AsyncIterator[Product]:
    guard = Guard(product.authz, product.sessions, explain=product.explain)
    async with served(decorated(product, guard)) as product.requests:
        yield product


@asynccontextmanager
async def by_middleware(product: Product) -> AsyncIterator[Product]:
    guard = Guard(product.authz, product.sessions, explain=product.explain)
    async with served(tabled(product, guard)) as product.requests:
        yield product


@asynccontextmanager
async def by_asgi(product: Product) -> AsyncIterator[Product]:
    gate = Gate(product.authz, product.sessions, explain=product.explain)
    product.requests = asked_directly(GuardedApp(Inner(product), RULES, gate))
    yield product


WAYS: dict[str, Callable[[Product], AbstractAsyncContextManager[Product]]] = {
    "decorators": by_decorators,
    "middleware": by_middleware,
    "asgi": by_asgi,
}
