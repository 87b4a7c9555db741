"""The guard for ASGI: what it lets through, what it hands in, and that no spelling of a path leads past it."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffgate.asgi import GuardedApp
from staffgate.client import Ruling, ServiceAway
from staffgate.gate import Gate
from staffgate.rules import PUBLIC, Requires
from tests.unit.sdk.guarded import (
    HANDLERS,
    JANE,
    RULES,
    Authz,
    Inner,
    Product,
    asked_directly,
    nothing_more,
    scope_of,
    token,
    verifier,
)

SESSIONS = verifier()
JANES = [("Authorization", f"Bearer {token()}")]


def gate(authz: Authz) -> Gate:
    return Gate(authz, SESSIONS)


class Seen:
    """An application that notes what it was given, and accepts a socket."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "websocket.accept"} if scope["type"] == "websocket" else {"type": "http.response.start"})


async def events(app: Any, scope: Any) -> list[Any]:
    """What it sends. A socket is answered only after its client was heard."""
    sent: list[Any] = []
    heard = scope["type"] != "websocket"

    async def send(event: Any) -> None:
        assert heard or event["type"] == "websocket.accept"
        sent.append(event)

    async def receive() -> Any:
        nonlocal heard
        heard = True
        return {"type": "websocket.connect"} if scope["type"] == "websocket" else await nothing_more()

    await app(scope, receive, send)
    return sent


async def test_whoever_gets_in_is_known_inside_and_the_scope_of_the_server_stays_as_it_was() -> None:
    seen, authz = Seen(), Authz()
    app = GuardedApp(seen, RULES, gate(authz))
    scope = scope_of("GET", "/inboxes/sales/messages", JANES, state={"db": "a pool"})
    await events(app, scope)
    assert seen.scopes[0]["staff"].staff == JANE
    assert seen.scopes[0]["state"] == {"db": "a pool", "staff": seen.scopes[0]["staff"]}
    assert "staff" not in scope
    assert scope["state"] == {"db": "a pool"}


async def test_until_there_is_a_gate_only_what_is_public_is_answered() -> None:
    product = Product()
    app = GuardedApp(Inner(product), RULES)
    product.requests = asked_directly(app)
    (await product.send()).refused(503, "access_unknown")
    assert (await product.ask("GET", "/health")).status == 200
    app.gate = gate(product.authz)
    assert (await product.send()).status == 200


async def test_the_beginning_and_the_end_of_the_application_pass_and_what_is_unknown_does_not() -> None:
    seen = Seen()
    app = GuardedApp(seen, {}, None)
    await events(app, {"type": "lifespan"})
    assert len(seen.scopes) == 1
    with pytest.raises(ValueError, match="telnet"):
        await events(app, {"type": "telnet"})
    assert len(seen.scopes) == 1


async def test_where_the_application_is_mounted_does_not_matter() -> None:
    product = Product()
    seen = Seen()
    app = GuardedApp(seen, RULES, gate(product.authz))
    await events(app, scope_of("GET", "/api/inboxes/sales/messages", JANES, root_path="/api"))
    assert product.authz.asked == [(JANE, "sms.read", "inbox", "sales", {})]
    for elsewhere in ("/apix/inboxes/sales/messages", "/api", "/api/api/inboxes/sales/messages"):
        (start, _) = await events(app, scope_of("GET", elsewhere, JANES, root_path="/api"))
        assert start["status"] == 403
    assert len(seen.scopes) == 1


async def test_what_is_no_text_is_refused_in_a_text() -> None:
    scope = scope_of("GET", "/inboxes/sales", JANES, path="/inboxes/\ud800")
    start, body = await events(GuardedApp(Seen(), RULES, gate(Authz())), scope)
    assert start["status"] == 400
    assert b'"instance":"/inboxes/?"' in body["body"]


@pytest.mark.parametrize(
    "header",
    ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"],
)
async def test_what_some_frameworks_would_take_for_another_request_is_refused(header: str) -> None:
    product = Product()
    product.requests = asked_directly(GuardedApp(Inner(product), RULES, gate(product.authz)))
    answer = await product.ask("POST", "/inboxes/sales/messages", headers=[(header, "DELETE")])
    answer.refused(400, "header_ambiguous")
    assert product.ran == product.authz.asked == []


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def half(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ServiceAway("gone")

    with pytest.raises(ServiceAway):
        await events(GuardedApp(half, {("GET", "/"): PUBLIC}, None), scope_of("GET", "/", []))


# --- sockets --------------------------------------------------------------------------------------------------

LIVE = {
    ("WEBSOCKET", "/inboxes/{inbox}/live"): Requires("sms.read", ("inbox", "{inbox}")),
    ("GET", "/inboxes/{inbox}/page"): PUBLIC,
}


def socket_to(target: str, headers: list[tuple[str, str]], **more: Any) -> Any:
    scope = scope_of("GET", target, headers, type="websocket", subprotocols=[], **more)
    del scope["method"]
    return scope


async def test_a_socket_is_opened_for_those_who_may() -> None:
    seen, authz = Seen(), Authz()
    app = GuardedApp(seen, LIVE, gate(authz))
    assert await events(app, socket_to("/inboxes/sales/live", JANES)) == [{"type": "websocket.accept"}]
    assert seen.scopes[0]["staff"].staff == JANE
    assert authz.asked == [(JANE, "sms.read", "inbox", "sales", {})]


@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        ("/inboxes/sales/live", [], "token_missing"),
        ("/inboxes/sales/live", JANES, "not_found"),
        ("/inboxes/sales/page", JANES, "no_rule"),
        ("/inboxes//live", JANES, "path_ambiguous"),
    ],
)
async def test_and_closed_before_it_is_open_for_the_others(target: str, headers: Any, code: str) -> None:
    seen, authz = Seen(), Authz(Ruling(allowed=False))
    app = GuardedApp(seen, LIVE, gate(authz))
    closed = await events(app, socket_to(target, headers))
    assert closed == [{"type": "websocket.close", "code": 1008, "reason": code}]
    start, body = await events(app, socket_to(target, headers, extensions={"websocket.http.response": {}}))
    assert start["type"] == "websocket.http.response.start"
    assert start["status"] in (400, 401, 403, 404)
    assert code.encode() in body["body"]
    assert seen.scopes == []


# --- every spelling -------------------------------------------------------------------------------------------


class Careless(Inner):
    """An application that reads a path as generously as any was ever seen to: it decodes once more, takes a backslash for
    a slash, resolves dots, folds slashes, ignores case, a slash at the end and what stands behind a NUL."""

    def find(self, method: str, path: str) -> tuple[str, str] | None:
        path = unquote(path).replace("\\", "/").split("\0")[0]
        path = posixpath.normpath("/" + path.strip("/"))
        path = "/" + path.lstrip("/")
        words = {"inboxes", "messages", "contacts", "page", "mine", "health", "forgotten"}
        segments = [one.lower() if one.lower() in words else one for one in path.split("/")]
        return super().find(method.upper(), "/".join(segments))


PIECES = st.sampled_from(
    [
        *(
            "inboxes",
            "sales",
            "management",
            "messages",
            "contacts",
            "7",
            "page",
            "mine",
            "health",
            "forgotten",
            "Inboxes",
        ),
        *(
            "/",
            "//",
            "%2f",
            "%2F",
            "%252f",
            "\\",
            "%5c",
            ".",
            "..",
            "%2e",
            "%2e%2e",
            "%252e",
            ";",
            "%00",
            "?",
            "%3f",
            "#",
        ),
        *("%69nboxes", "%6dine", " ", "%20", "%ff", "+", "é", "%c3%a9"),
    ]
)
SOUND = st.sampled_from(["/inboxes/sales/messages", "/contacts/7", "/page", "/mine", "/health", "/forgotten/7"])


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Made of pieces, or a sound one with some put in."""
    if draw(st.booleans()):
        return "/" + draw(st.sampled_from(["", "/"])).join(draw(st.lists(PIECES, max_size=10)))
    target = draw(SOUND)
    for piece in draw(st.lists(PIECES, min_size=1, max_size=3)):
        place = draw(st.integers(0, len(target)))
        target = target[:place] + piece + target[place:]
    return target


@settings(max_examples=600, deadline=None)
@given(target=targets(), method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "get"]), with_raw=st.booleans())
async def test_no_spelling_of_a_path_leads_past_a_rule(target: str, method: str, with_raw: bool) -> None:
    """However the application inside reads it: what runs is what authz was asked about, with the same id."""
    product = Product(sessions=SESSIONS)
    app = GuardedApp(Careless(product), RULES, gate(product.authz))
    scope = scope_of(method, target.encode().decode("latin-1"), JANES)
    if not with_raw:
        del scope["raw_path"]
    await events(app, scope)
    for name, staff, about in product.ran:
        _, _, action = HANDLERS[name]
        assert name != "forgotten"
        assert name == "health" or staff == JANE
        if action:
            assert (action, about or "sms") in [(one[1], one[3]) for one in product.authz.asked]
