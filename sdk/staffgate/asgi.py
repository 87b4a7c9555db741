"""The guard for ASGI: an application around whatever is written in Starlette, FastAPI, Quart, Litestar or none of them.

    guarded = GuardedApp(app, RULES)
    ...
    guarded.gate = Gate(authz, sessions)

Serve `guarded`, and not `app`: then nothing stands in front of it that could change method or path. Until it has a gate,
and on every path and method without a rule, it refuses. Inside, the person is `scope["staff"]`, and `request.state.staff`
where the framework has such a thing.

A path that one reader could take for another one than the next does is refused (400, `path_ambiguous`) before any rule is
looked for: `//`, `.` and `..`, an encoded `/` or `\\`, what is encoded twice. So is a header by which some frameworks
take another method or path than the one that was asked about (400, `header_ambiguous`).

A socket is a path with the method WEBSOCKET. It is asked about when it is opened and not again: whoever sends something
over it that may be revoked meanwhile asks anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from staffgate.client import ServiceAway
from staffgate.contracts.caller import Person
from staffgate.contracts.problem import CONTENT_TYPE
from staffgate.gate import Gate, Turned, unknown
from staffgate.rules import Call, Rules, Table, let_through, plain

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WEBSOCKET = "WEBSOCKET"
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
_OVERRIDES = {
    *(b"x-http-method-override", b"x-http-method", b"x-method-override"),
    *(b"x-original-url", b"x-rewrite-url"),
}


class GuardedApp:
    def __init__(self, app: App, rules: Rules | Table, gate: Gate | None = None) -> None:
        self.gate = gate
        self._app = app
        self._rules = rules if isinstance(rules, Rules) else Rules(rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            await self._guard(scope, receive, send)
        else:
            raise ValueError(f"nobody has said who may use {scope['type']!r}")

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(event: Event) -> None:
            nonlocal begun
            begun = True
            await send(event)

        try:
            person = await self._let(scope)
            await self._app(scope if person is None else _with(scope, person), receive, sending)
        except Turned as turned:
            if begun:  # it is not ours, then
                raise
            await _refuse(turned, scope, receive, send)
        except ServiceAway:
            if begun:
                raise
            await _refuse(unknown(), scope, receive, send)

    async def _let(self, scope: Scope) -> Person | None:
        method, path = _asked(scope)
        found = self._rules.match(method, path)
        rule, parameters = found if found is not None else (None, {})

        def call(person: Person) -> Call:
            return Call(staff=person, method=method, path=path, parameters=parameters, request=scope)

        return await let_through(self.gate, rule, _headers(scope, b"authorization"), call)


def _asked(scope: Scope) -> tuple[str, str]:
    """Method and path, as everybody inside will understand them."""
    path, root = scope["path"], scope.get("root_path", "")
    if not plain(path, scope.get("raw_path")):
        detail = "This path can be understood in more than one way: send it without //, dots and encoded slashes."
        raise Turned(400, "path_ambiguous", detail)
    if not _OVERRIDES.isdisjoint(name.lower() for name, _ in scope["headers"]):
        detail = "Send the method and the path that you mean, and no header that stands for another one."
        raise Turned(400, "header_ambiguous", detail)
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    return WEBSOCKET if scope["type"] == "websocket" else scope["method"], path


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]


def _with(scope: Scope, person: Person) -> Scope:
    return {**scope, "staff": person, "state": {**scope.get("state", {}), "staff": person}}


# --- answers --------------------------------------------------------------------------------------------------


async def _refuse(turned: Turned, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _answer("http.response", turned, scope, send)
        return
    await receive()  # the client's wish to connect
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer("websocket.http.response", turned, scope, send)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": turned.code})


async def _answer(kind: str, turned: Turned, scope: Scope, send: Send) -> None:
    body = turned.body(scope["path"])
    headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **turned.headers}
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": f"{kind}.start", "status": turned.status, "headers": lines})
    await send({"type": f"{kind}.body", "body": body})
