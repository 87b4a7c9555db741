"""aiohttp handlers that are for those who may: who asks is verified, and authz is asked, before a line of them runs.

    guard = Guard(authz, sessions)

    @guard.requires("sms.send", resource=("inbox", "{inbox}"))
    async def send(request: web.Request) -> web.Response:
        person = request[STAFF]

401 where it is not known who asks, 403 where they may not, 404 where they may not even see it, 503 where that can't be
found out. What is guarded in no way is listed by `unguarded`, for a test of the product's own, and refused by the
`middleware`, which also takes a table of rules in place of decorators.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from staffgate.client import ServiceAway
from staffgate.contracts.caller import Person
from staffgate.contracts.problem import CONTENT_TYPE
from staffgate.gate import Decides, Found, Gate, Resource, Turned, Verifies, unknown
from staffgate.rules import Call, Rules, Table, filled, let_through

STAFF = web.RequestKey("staff", Person)  # who asks, in a guarded handler
_GUARDED = "__staffgate_guarded__"

Describe = Callable[[web.Request], Found]
Handler = Callable[..., Awaitable[web.StreamResponse]]
Guarded = TypeVar("Guarded", bound=Callable[..., Any])


class Guard:
    """`explain` tells in every refusal which rule it was; for a developer's own machine, as it tells strangers too."""

    def __init__(self, authz: Decides, sessions: Verifies, *, explain: bool = False) -> None:
        self._gate = Gate(authz, sessions, explain=explain)

    def requires(self, action: str, *, resource: Describe | Resource) -> Callable[[Handler], Handler]:
        """`resource` says what it is about: an id of the form `{name}` is that parameter of the path. A function finds it
        from the request, and None where there is nothing; it is asked only after the person is known."""

        def guard(handler: Handler) -> Handler:
            async def check(request: web.Request) -> None:
                person = self._person(request)
                found = resource(request) if callable(resource) else filled(resource, request.match_info)
                await self._gate.require(person, action, found)

            return _guarded(handler, check)

        return guard

    def signed_in(self, handler: Handler) -> Handler:
        """For whoever is signed in: what they may see of it, the handler asks itself (`rows`, `search`)."""

        async def check(request: web.Request) -> None:
            self._person(request)

        return _guarded(handler, check)

    def public(self, handler: Guarded) -> Guarded:
        """For everybody, and that is on purpose."""
        setattr(handler, _GUARDED, True)
        return handler

    def middleware(self, rules: Rules | Table | None = None) -> Middleware:
        """For an application's `middlewares`. A route that has neither a rule nor a decorator is refused (403, `no_rule`);
        what the router does not know, it refuses itself."""
        table = _rules(rules)

        async def let(request: web.Request) -> None:
            # The router has decided which route it is, and is believed: two readings of one path are a way past both.
            route, name = request.match_info.route, _name(request.match_info.route)
            method = request.method if route.method == hdrs.METH_ANY else route.method
            rule = table.of(method, name)
            if request.match_info.http_exception is not None or (rule is None and _is_guarded(route)):
                return
            parameters = request.match_info

            def call(person: Person) -> Call:
                return Call(staff=person, method=method, path=request.path, parameters=parameters, request=request)

            person = await let_through(self._gate, rule, request.headers.getall(hdrs.AUTHORIZATION, ()), call)
            if person is not None:
                request[STAFF] = person

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            with _problems(request):
                await let(request)
                return await handler(request)

        return guarded

    def unguarded(self, app: web.Application, rules: Rules | Table | None = None) -> list[str]:
        """Every route of the application, and of those inside it, that has neither a decorator nor one of these rules."""
        table = _rules(rules)
        open_ones = (route for route in app.router.routes() if not _is_guarded(route))
        return table.missing((route.method, _name(route)) for route in open_ones)

    def _person(self, request: web.Request) -> Person:
        person = self._gate.person(request.headers.getall(hdrs.AUTHORIZATION, ()))
        request[STAFF] = person
        return person


def _rules(rules: Rules | Table | None) -> Rules:
    return rules if isinstance(rules, Rules) else Rules(rules or {})


def _guarded(handler: Handler, check: Callable[[web.Request], Awaitable[None]]) -> Handler:
    """A function that takes the request, or a method that takes it after itself."""

    @functools.wraps(handler)
    async def guarded(*arguments: Any) -> web.StreamResponse:
        request: web.Request = arguments[-1]
        with _problems(request):
            await check(request)
            return await handler(*arguments)

    setattr(guarded, _GUARDED, True)
    return guarded


def _is_guarded(route: web.AbstractRoute) -> bool:
    return hasattr(route.handler, _GUARDED)


def _name(route: web.AbstractRoute) -> str:
    """The route's path, as a rule names it."""
    if route.resource is None:
        return "*"
    below = "/*" if isinstance(route.resource, web.StaticResource) else ""
    return route.resource.canonical + below


# --- answers --------------------------------------------------------------------------------------------------

_STATUS: dict[int, type[web.HTTPError]] = {
    401: web.HTTPUnauthorized,
    403: web.HTTPForbidden,
    404: web.HTTPNotFound,
    503: web.HTTPServiceUnavailable,
}


@contextmanager
def _problems(request: web.Request) -> Iterator[None]:
    """What was turned away is answered as a problem; and so is a handler that asked, and could not be told."""
    try:
        yield
    except Turned as turned:
        raise _problem(request, turned) from turned
    except ServiceAway as fault:
        if request.writer.output_size:  # the answer has begun
            raise
        raise _problem(request, unknown()) from fault


def _problem(request: web.Request, turned: Turned) -> web.HTTPError:
    text = turned.body(request.path).decode()
    return _STATUS[turned.status](text=text, content_type=CONTENT_TYPE, headers=turned.headers)
