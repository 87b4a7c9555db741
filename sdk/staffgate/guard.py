"""Handlers that are for those who may: who asks is verified, and authz is asked, before a line of the handler runs.

    guard = Guard(authz, sessions)

    @guard.requires("sms.send", resource=lambda request: ("inbox", request.match_info["inbox"]))
    async def send(request: web.Request) -> web.Response:
        person = request[STAFF]

401 where it is not known who asks, 403 where they may not, 404 where they may not even see it, 503 where that can't be
found out. What is guarded in no way is listed by `unguarded`, for a test of the product's own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec
from aiohttp import hdrs, web

from staffgate.access import TokenRefused
from staffgate.client import Refused, ServiceAway
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.problem import CONTENT_TYPE, Problem

STAFF = web.RequestKey("staff", Person)  # who asks, in a guarded handler
_GUARDED = "__staffgate_guarded__"

# Type, id, and what else describes it: `("contact", "7", {"owner": owner})`.
Resource = tuple[str, str] | tuple[str, str, Mapping[str, Any]]
Describe = Callable[[web.Request], Resource | Awaitable[Resource]]
Handler = Callable[..., Awaitable[web.StreamResponse]]
Guarded = TypeVar("Guarded", bound=Callable[..., Any])


class Decided(Protocol):
    @property
    def allowed(self) -> bool: ...

    @property
    def visible(self) -> bool: ...


class Decides(Protocol):
    """AuthzClient, or Replica."""

    async def decide(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> Decided: ...


class Verifies(Protocol):
    """Sessions; or a Verifier, for which a session is over only when its last token has expired."""

    def verify(self, token: str) -> Caller: ...


class Guard:
    def __init__(self, authz: Decides, sessions: Verifies) -> None:
        self._authz = authz
        self._sessions = sessions

    def requires(self, action: str, *, resource: Describe | Resource) -> Callable[[Handler], Handler]:
        """`resource` says what it is about, from the request. A resource that it can't find is its own to refuse, by an
        aiohttp.web.HTTPNotFound; it is asked only after the person is known."""

        def guard(handler: Handler) -> Handler:
            async def check(request: web.Request) -> None:
                person = self._person(request)
                found = resource(request) if callable(resource) else resource
                type, id, *more = await found if inspect.isawaitable(found) else found
                await self._require(request, person, action, type, id, *more)

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

    def unguarded(self, app: web.Application) -> list[str]:
        """Every route of the application, and of those inside it, that anybody may call."""
        routes = (route for route in app.router.routes() if not hasattr(route.handler, _GUARDED))
        return sorted({f"{route.method} {_path(route)}" for route in routes})

    # --- who, and whether -------------------------------------------------------------------------------------

    def _person(self, request: web.Request) -> Person:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _problem(request, 401, "token_missing", "Send an access token: Authorization: Bearer <token>.")
        try:
            caller = self._sessions.verify(token.strip())
        except ServiceAway as fault:
            raise _problem(request, 503, "access_unknown", "Access tokens can't be verified now; try again.") from fault
        except TokenRefused as fault:
            detail = f"This access token is not accepted ({fault})."
            raise _problem(request, 401, "token_refused", detail) from fault
        if not isinstance(caller, Person):
            raise _problem(request, 403, "wrong_caller", "This is for signed-in staff only.")
        request[STAFF] = caller
        return caller

    async def _require(
        self,
        request: web.Request,
        person: Person,
        action: str,
        type: str,
        id: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            decided = await self._authz.decide(person.staff, action, type, id, **(about or {}))
        except (ServiceAway, Refused) as fault:
            detail = "It can't be found out now whether you may do this; try again."
            raise _problem(request, 503, "authz_away", detail) from fault
        if decided.allowed:
            return
        if decided.visible:
            raise _problem(request, 403, "not_permitted", f"You may not do this here: it takes {action!r}.")
        raise _problem(request, 404, "not_found", "There is nothing of that name.")


def _guarded(handler: Handler, check: Callable[[web.Request], Awaitable[None]]) -> Handler:
    """A function that takes the request, or a method that takes it after itself."""

    @functools.wraps(handler)
    async def guarded(*arguments: Any) -> web.StreamResponse:
        await check(arguments[-1])
        return await handler(*arguments)

    setattr(guarded, _GUARDED, True)
    return guarded


def _path(route: web.AbstractRoute) -> str:
    return route.resource.canonical if route.resource is not None else "*"


_STATUS: dict[int, type[web.HTTPError]] = {
    401: web.HTTPUnauthorized,
    403: web.HTTPForbidden,
    404: web.HTTPNotFound,
    503: web.HTTPServiceUnavailable,
}
_HEADERS = {401: {hdrs.WWW_AUTHENTICATE: "Bearer"}, 503: {hdrs.RETRY_AFTER: "1"}}


def _problem(request: web.Request, status: int, code: str, detail: str) -> web.HTTPError:
    problem = Problem.of(code, status, detail, request.path)
    text = msgspec.json.encode(problem).decode()
    return _STATUS[status](text=text, content_type=CONTENT_TYPE, headers=_HEADERS.get(status))
