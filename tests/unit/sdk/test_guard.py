"""Guarded handlers: who may not, never gets as far as a line of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from joserfc import jws
from joserfc.jwk import OKPKey

from deploy.local.demo.inbox import application
from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims, Verifier
from staffgate.client import Refused, Ruling, ServiceAway
from staffgate.contracts.caller import Caller, StaffType
from staffgate.contracts.identity import KeySet
from staffgate.guard import STAFF, Guard

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


@dataclass
class Authz:
    """What it is asked, and what it says of everything."""

    ruling: Ruling = field(default_factory=lambda: Ruling(allowed=True, visible=True))
    fault: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def decide(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> Ruling:
        self.asked.append((staff, action, type, id, properties))
        if self.fault:
            raise self.fault
        return self.ruling


@dataclass
class Product:
    """An inbox, and how often its handler ran."""

    authz: Authz
    verifier: Verifier
    guard: Guard
    url: str = ""
    sent: list[UUID] = field(default_factory=list)
    session: Any = None

    def application(self) -> web.Application:
        routes, guard = web.RouteTableDef(), self.guard

        @routes.post("/inboxes/{inbox}/messages")
        @guard.requires("sms.send", resource=lambda request: ("inbox", request.match_info["inbox"]))
        async def send(request: web.Request) -> web.Response:
            self.sent.append(request[STAFF].staff)
            return web.json_response({"sent": True}, status=201)

        async def owned(request: web.Request) -> tuple[str, str, dict[str, Any]]:
            if request.match_info["id"] == "none":
                raise web.HTTPNotFound
            return "contact", request.match_info["id"], {"owner": HAN}

        @routes.get("/contacts/{id}")
        @guard.requires("contacts.view", resource=owned)
        async def contact(request: web.Request) -> web.Response:
            return web.json_response({})

        @routes.get("/page")
        @guard.requires("sms.read", resource=("section", "sms"))
        async def page(request: web.Request) -> web.Response:
            return web.json_response({})

        @routes.get("/mine")
        @guard.signed_in
        async def mine(request: web.Request) -> web.Response:
            return web.json_response({"staff": str(request[STAFF].staff)})

        @routes.get("/health")
        @guard.public
        async def health(request: web.Request) -> web.Response:
            return web.json_response({})

        app = web.Application()
        app.add_routes(routes)
        return app

    async def ask(self, method: str, path: str, authorization: str | None = "") -> tuple[int, Any, Any]:
        headers = {} if authorization is None else {"Authorization": authorization or f"Bearer {token()}"}
        async with self.session.request(method, self.url + path, headers=headers) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def send(self, authorization: str | None = "") -> tuple[int, Any, Any]:
        return await self.ask("POST", "/inboxes/sales/messages", authorization)


@pytest_asyncio.fixture
async def product() -> AsyncIterator[Product]:
    authz, verifier = Authz(), Verifier(ISSUER, lambda: NOW)
    verifier.trust(KeySet(keys=[{name: str(value) for name, value in KEY.as_dict(private=False).items()}]))
    product = Product(authz, verifier, Guard(authz, verifier))
    runner = web.AppRunner(product.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    product.url = "http://{}:{}".format(*runner.addresses[0][:2])
    async with aiohttp.ClientSession() as product.session:
        yield product
    await runner.cleanup()


def refused(answer: tuple[int, Any, Any], status: int, code: str) -> None:
    assert (answer[0], answer[1]["status"], answer[1]["type"]) == (status, status, f"urn:staffgate:problem:{code}")
    assert answer[1].keys() == {"type", "title", "status", "detail", "instance"}
    assert answer[2]["Content-Type"].startswith("application/problem+json")


async def test_who_may_gets_through_and_is_known(product: Product) -> None:
    assert (await product.send())[0] == 201
    assert product.sent == [JANE]
    assert product.authz.asked == [(JANE, "sms.send", "inbox", "sales", {})]


@pytest.mark.parametrize(
    ("ruling", "status", "code"),
    [
        (Ruling(allowed=False, visible=True, reason="grant"), 403, "not_permitted"),
        (Ruling(allowed=False, visible=False, reason="grant"), 404, "not_found"),
    ],
)
async def test_who_may_not_is_refused(product: Product, ruling: Ruling, status: int, code: str) -> None:
    product.authz.ruling = ruling
    refused(await product.send(), status, code)
    assert product.sent == []


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "token_missing"),
        ("Bearer", "token_missing"),
        ("Basic YTpi", "token_missing"),
        ("Bearer x.y.z", "token_refused"),
        (f"Bearer {token(at=NOW - 301)}", "token_refused"),
    ],
)
async def test_nobody_is_anybody_without_a_good_token(product: Product, authorization: str | None, code: str) -> None:
    answer = await product.send(authorization)
    refused(answer, 401, code)
    assert answer[2]["WWW-Authenticate"] == "Bearer"
    assert product.sent == product.authz.asked == []


async def test_a_session_that_ended_is_over(product: Product) -> None:
    product.verifier.end([SESSION])
    refused(await product.send(), 401, "token_refused")


async def test_a_product_is_no_person(product: Product) -> None:
    refused(await product.send(f"Bearer {token(None)}"), 403, "wrong_caller")


@pytest.mark.parametrize("fault", [ServiceAway("gone"), Refused(401, "token_refused", "")])
async def test_where_it_can_not_be_found_out_nobody_gets_through(product: Product, fault: Exception) -> None:
    product.authz.fault = fault
    answer = await product.send()
    refused(answer, 503, "authz_away")
    assert answer[2]["Retry-After"]
    assert product.sent == []


async def test_without_keys_nobody_can_be_told_from_anybody(product: Product) -> None:
    class Away:
        def verify(self, token: str) -> Caller:
            raise ServiceAway("identity can't be reached")

    product.guard._sessions = Away()
    refused(await product.send(), 503, "access_unknown")
    assert product.sent == product.authz.asked == []


async def test_what_it_is_about_may_be_looked_up(product: Product) -> None:
    assert (await product.ask("GET", "/contacts/7"))[0] == 200
    assert (await product.ask("GET", "/page"))[0] == 200
    assert [one[1:] for one in product.authz.asked] == [
        ("contacts.view", "contact", "7", {"owner": HAN}),
        ("sms.read", "section", "sms", {}),
    ]
    async with product.session.get(f"{product.url}/contacts/none") as response:
        assert response.status == 401, "who asks is looked at first"
    async with product.session.get(
        f"{product.url}/contacts/none", headers={"Authorization": f"Bearer {token()}"}
    ) as response:
        assert response.status == 404


async def test_signed_in_is_enough_where_the_handler_asks_itself(product: Product) -> None:
    assert (await product.ask("GET", "/mine"))[1] == {"staff": str(JANE)}
    refused(await product.ask("GET", "/mine", None), 401, "token_missing")
    assert product.authz.asked == []


async def test_a_route_without_a_guard_is_found(product: Product) -> None:
    app = product.application()
    assert product.guard.unguarded(app) == []

    async def forgotten(_request: web.Request) -> web.Response:
        return web.json_response({})

    app.router.add_get("/forgotten/{id}", forgotten)
    inner = web.Application()
    inner.router.add_post("/deep", forgotten)
    app.add_subapp("/inner", inner)
    assert product.guard.unguarded(app) == ["GET /forgotten/{id}", "HEAD /forgotten/{id}", "POST /inner/deep"]


async def test_methods_can_be_guarded(product: Product) -> None:
    guard = product.guard

    class Handlers:
        @guard.requires("sms.read", resource=("section", "sms"))
        async def page(self, request: web.Request) -> web.Response:
            return web.json_response({"staff": str(request[STAFF].staff)})

    app = web.Application()
    app.router.add_get("/", Handlers().page)
    assert guard.unguarded(app) == []
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    product.url = "http://{}:{}".format(*runner.addresses[0][:2])
    assert (await product.ask("GET", "/"))[1] == {"staff": str(JANE)}
    product.authz.ruling = Ruling(allowed=False)
    refused(await product.ask("GET", "/"), 404, "not_found")
    await runner.cleanup()


async def test_the_example_has_forgotten_no_route(product: Product) -> None:
    authz: Any = product.authz
    assert product.guard.unguarded(application(product.guard, authz)) == []
