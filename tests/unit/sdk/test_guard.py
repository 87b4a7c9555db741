"""Guarded handlers: who may not, never gets as far as a line of them. Each of the three guards keeps all of this."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web

from staffgate.client import Refused, Ruling, ServiceAway
from staffgate.contracts.authz import Target
from staffgate.contracts.caller import Caller
from staffgate.guard import STAFF, Guard
from staffgate.rules import PUBLIC, Requires
from tests.unit.sdk.guarded import (
    HAN,
    HANDLERS,
    JANE,
    NOW,
    RULES,
    SESSION,
    WAYS,
    Authz,
    Product,
    decorated,
    served,
    tabled,
    token,
    verifier,
)


@pytest_asyncio.fixture(params=WAYS)
async def product(request: Any) -> AsyncIterator[Product]:
    async with WAYS[request.param](Product()) as product:
        yield product


async def test_who_may_gets_through_and_is_known(product: Product) -> None:
    answer = await product.send()
    assert (answer.status, answer.body["staff"]) == (200, str(JANE))
    assert product.ran == [("send", JANE, "sales")]
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
    answer = await product.send()
    answer.refused(status, code)
    assert answer.body["instance"] == "/inboxes/sales/messages"
    assert "grant" not in answer.body["detail"], "why is told to nobody who was not meant to know"
    assert product.ran == []


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "token_missing"),
        ("Bearer", "token_missing"),
        ("Bearer ", "token_missing"),
        ("Basic YTpi", "token_missing"),
        ("Bearer x.y.z", "token_refused"),
        ("Bearer \xe9.\xff.\xfe", "token_refused"),
        (f"Bearer {token(at=NOW - 301)}", "token_refused"),
    ],
)
async def test_nobody_is_anybody_without_a_good_token(product: Product, authorization: str | None, code: str) -> None:
    answer = await product.send(authorization)
    answer.refused(401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert product.ran == product.authz.asked == []


async def test_of_two_tokens_neither_is_taken(product: Product) -> None:
    """Everybody on the way would read another one."""
    answer = await product.ask("GET", "/mine", headers=[("Authorization", f"Bearer {token(HAN)}")])
    answer.refused(401, "token_missing")
    assert product.ran == []


async def test_a_session_that_ended_is_over(product: Product) -> None:
    product.sessions.end([SESSION])
    (await product.send()).refused(401, "token_refused")
    (await product.ask("GET", "/mine")).refused(401, "token_refused")


async def test_a_product_is_no_person(product: Product) -> None:
    (await product.send(f"Bearer {token(None)}")).refused(403, "wrong_caller")


@pytest.mark.parametrize("fault", [ServiceAway("gone"), Refused(401, "token_refused", "")])
async def test_where_it_can_not_be_found_out_nobody_gets_through(product: Product, fault: Exception) -> None:
    product.authz.fault = fault
    answer = await product.send()
    answer.refused(503, "authz_away")
    assert answer.headers["retry-after"]
    assert product.ran == []


async def test_a_handler_that_asks_by_itself_and_is_not_told_answers_the_same(product: Product) -> None:
    product.away = True
    (await product.ask("GET", "/mine")).refused(503, "authz_away")
    (await product.send()).refused(503, "authz_away")


@pytest.mark.parametrize("way", WAYS)
async def test_without_keys_nobody_can_be_told_from_anybody(way: str) -> None:
    class Away:
        def verify(self, token: str) -> Caller:
            raise ServiceAway("identity can't be reached")

    async with WAYS[way](Product(sessions=Away())) as product:
        (await product.send()).refused(503, "access_unknown")
        assert product.ran == product.authz.asked == []


async def test_what_it_is_about_may_be_looked_up(product: Product) -> None:
    assert (await product.ask("GET", "/contacts/7")).status == 200
    assert (await product.ask("GET", "/page")).status == 200
    assert [one[1:] for one in product.authz.asked] == [
        ("contacts.view", "contact", "7", {"owner": HAN}),
        ("sms.read", "section", "sms", {}),
    ]
    assert (await product.ask("GET", "/contacts/named")).status == 200
    assert product.authz.asked.pop()[1:] == ("contacts.view", "contact", "named", {"owner": str(HAN)})
    (await product.ask("GET", "/contacts/none", None)).refused(401, "token_missing")  # who asks is looked at first
    (await product.ask("GET", "/contacts/none")).refused(404, "not_found")
    assert (len(product.authz.asked), len(product.ran)) == (2, 3)


async def test_signed_in_is_enough_where_the_handler_asks_itself(product: Product) -> None:
    assert (await product.ask("GET", "/mine")).body["staff"] == str(JANE)
    (await product.ask("GET", "/mine", None)).refused(401, "token_missing")
    assert product.authz.asked == []


async def test_what_is_public_is_so_for_everybody(product: Product) -> None:
    assert (await product.ask("GET", "/health", None)).status == 200
    assert (await product.ask("GET", "/health", "Bearer x.y.z")).status == 200
    assert product.ran == [("health", None, "")] * 2


async def test_a_route_that_was_forgotten_is_refused(product: Product) -> None:
    (await product.ask("POST", "/forgotten/7")).refused(403, "no_rule")
    (await product.ask("POST", "/forgotten/7", None)).refused(403, "no_rule")
    assert product.ran == product.authz.asked == []


@pytest.mark.parametrize("way", WAYS)
async def test_for_a_developer_the_refusal_says_why(way: str) -> None:
    rule = uuid4()
    target = Target(section="sms", item="inbox:sales")
    ruling = Ruling(allowed=False, visible=True, reason="grant", rule=rule, target=target, revision=12)
    async with WAYS[way](Product(Authz(ruling), explain=True)) as product:
        detail = (await product.send()).body["detail"]
    assert detail.endswith(f"(grant {rule} on section sms, item inbox:sales, at revision 12)")


# --- strange requests -----------------------------------------------------------------------------------------

STRANGE = [
    "//inboxes/sales/messages", "/inboxes//sales/messages", "/inboxes/sales//messages", "/inboxes/sales/messages/",
    "/inboxes/sales/messages//", "/./inboxes/sales/messages", "/inboxes/./sales/messages", "/x/../inboxes/sales/messages",
    "/inboxes/sales/../management/messages", "/inboxes/../inboxes/sales/messages", "/%2e/inboxes/sales/messages",
    "/inboxes/%2e%2e/messages", "/inboxes/sales%2f..%2fmanagement/messages", "/inboxes/sales%2Fmessages",
    "/inboxes%2Fsales/messages", "/inboxes/sales/messages%2F", "/inboxes/sales%5c..%5cmanagement/messages",
    "/inboxes/sales%252f..%252fmanagement/messages", "/INBOXES/sales/messages", "/Inboxes/sales/Messages",
    "/inboxes/sales/messages%00", "/inboxes/sales%00/messages", "/inboxes/%ff/messages", "/inboxes/%ed%a0%80/messages",
    "/inboxes/sales/messages;x=1", "/inboxes/sales;x=1/messages", "/inboxes/sales/messages?inbox=management",
    "/inboxes/sales/messages%3Finbox=management", "/inboxes/sales/messages#x", "/inboxes//messages",
    "/inboxes/%20/messages", "/%69nboxes/s%61les/messages", "/inboxes/\\/messages", "http://x.test/inboxes/sales/messages",
    "/health/../inboxes/sales/messages", "/health%2f..%2finboxes/sales/messages", "/health/../mine", "/mine/",
    "/contacts/7%2f8", "/contacts/..%2fmine", "*", "", "/",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "get", "Get", "XYZ"])
async def test_nothing_runs_that_was_not_asked_about(product: Product, method: str) -> None:
    """Whatever the path is written like: what the handler was told is what authz was asked."""
    actions = {name: action for name, (_, _, action) in HANDLERS.items()}
    for target in STRANGE:
        if not target and product.requests.__qualname__.startswith("asked_at"):  # type: ignore[union-attr]
            continue  # no request line
        product.ran.clear()
        product.authz.asked.clear()
        answer = await product.ask(method, target)
        assert answer.status < 500, (method, target, answer)
        asked = [(one[1], one[3]) for one in product.authz.asked]
        for name, staff, about in product.ran:
            assert name == "health" or staff == JANE
            if actions[name]:
                assert (actions[name], about or "sms") in asked, (method, target)
            assert HANDLERS[name][0] == method or (method == "HEAD" and HANDLERS[name][0] == "GET")


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_header_does_not_make_another_method_of_it(product: Product, header: str) -> None:
    await product.ask("POST", "/inboxes/sales/messages", headers=[(header, "DELETE")])
    assert not [name for name, _, _ in product.ran if name != "send"]
    assert not [action for _, action, *_ in product.authz.asked if action != "sms.send"]


async def test_head_is_asked_for_like_get(product: Product) -> None:
    product.authz.ruling = Ruling(allowed=False, visible=False)
    answer = await product.ask("HEAD", "/inboxes/sales/messages")
    assert answer.status == 404
    assert product.ran == []
    product.authz.ruling = Ruling(allowed=True)
    assert (await product.ask("HEAD", "/inboxes/sales/messages")).status == 200
    assert product.authz.asked == [(JANE, "sms.read", "inbox", "sales", {})] * 2


# --- aiohttp --------------------------------------------------------------------------------------------------


async def test_a_route_without_a_guard_is_found() -> None:
    guard = Guard(Authz(), verifier())
    app = decorated(Product(), guard)
    assert guard.unguarded(app) == ["POST /forgotten/{id}"]
    assert guard.unguarded(tabled(Product(), guard), RULES) == ["POST /forgotten/{id}"]

    async def forgotten(_request: web.Request) -> web.Response:
        return web.json_response({})

    app.router.add_get("/forgotten/{id}", forgotten)
    inner = web.Application()
    inner.router.add_post("/deep", forgotten)
    app.add_subapp("/inner", inner)
    app.router.add_static("/files", ".")
    assert guard.unguarded(app) == [
        *("GET /files/*", "GET /forgotten/{id}", "HEAD /files/*", "HEAD /forgotten/{id}"),
        *("POST /forgotten/{id}", "POST /inner/deep"),
    ]


async def test_what_is_inside_of_an_application_is_guarded_by_the_one_around() -> None:
    product = Product()
    guard = Guard(product.authz, product.sessions)

    async def deep(request: web.Request) -> web.Response:
        return web.json_response(product.note(request.method, request[STAFF].staff, request.match_info["inbox"]))

    inner = web.Application()
    inner.router.add_route("*", r"/{inbox:[a-z]+}/deep", deep)
    rules = {
        ("GET", "/inner/{inbox}/deep"): Requires("sms.read", ("inbox", "{inbox}")),
        ("GET", "/files/*"): PUBLIC,
    }
    app = web.Application(middlewares=[guard.middleware(rules)])
    app.add_subapp("/inner", inner)
    app.router.add_static("/files", __file__.rpartition("/")[0])
    assert guard.unguarded(app, rules) == []
    async with served(app) as product.requests:
        assert (await product.ask("GET", "/inner/sales/deep")).status == 200
        (await product.ask("DELETE", "/inner/sales/deep")).refused(403, "no_rule")
        assert (await product.ask("GET", "/files/test_guard.py", None)).status == 200
        assert (await product.ask("GET", "/nowhere", None)).status == 404
        assert (await product.ask("POST", "/files/test_guard.py", None)).status == 405
    assert product.authz.asked == [(JANE, "sms.read", "inbox", "sales", {})]
    assert product.ran == [("GET", JANE, "sales")]


async def test_a_rule_is_for_the_route_that_runs_and_not_for_what_a_middleware_makes_of_the_request() -> None:
    product = Product()
    guard = Guard(product.authz, product.sessions)

    @web.middleware
    async def overriding(request: web.Request, handler: Any) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request.clone(method="GET", rel_url="/health"))
        return answer

    app = tabled(product, guard)
    app.middlewares.insert(0, overriding)
    async with served(app) as product.requests:
        await product.ask("DELETE", "/inboxes/sales/messages")
    assert product.authz.asked == [(JANE, "sms.delete", "inbox", "sales", {})]


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    product = Product()
    guard = Guard(product.authz, product.sessions)

    @guard.signed_in
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        raise ServiceAway("gone")

    app = web.Application()
    app.router.add_get("/", stream)
    async with served(app) as product.requests:
        answer = await product.ask("GET", "/")
    assert answer.status == 200
    assert b"problem" not in answer.content


async def test_methods_can_be_guarded() -> None:
    product = Product()
    guard = Guard(product.authz, product.sessions)

    class Handlers:
        @guard.requires("sms.read", resource=("section", "sms"))
        async def page(self, request: web.Request) -> web.Response:
            return web.json_response({"staff": str(request[STAFF].staff)})

    app = web.Application()
    app.router.add_get("/", Handlers().page)
    assert guard.unguarded(app) == []
    async with served(app) as product.requests:
        assert (await product.ask("GET", "/")).body == {"staff": str(JANE)}
        product.authz.ruling = Ruling(allowed=False)
        (await product.ask("GET", "/")).refused(404, "not_found")
