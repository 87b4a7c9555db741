"""Typed operations: a handler's signature is the whole description of its route.

    @api.post("/v1/staff", status=201)
    async def add_staff(identity: Identity, caller: Person, body: AddStaff) -> Staff: ...

The first parameter is the service. `caller` says who may ask (a Person, a Product, either; without it, anybody), `body`
is decoded from JSON, `form` from an urlencoded body, `content` is a file as it came, `query` is decoded from the query
string, `source` is the Source of the request, `head` its line and headers as they came, `if_match` and `idempotency_key`
are those headers or None, `basic` are a client's credentials in the header or None, and any other name is part of the
path.

The result is encoded as JSON; None is 204. A Download is sent as a file, an EventStream as it happens, Tagged[View] is a
View with its ETag, and Cacheable[View] one that may be kept for a while. What can be read and is not acceptable is answered 422, or 400 where a
standard wants that (`invalid=400`); `oauth_errors` are those of RFC 6749. The same signatures make the OpenAPI document.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from types import UnionType
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from aiohttp import hdrs, web

from shared import trace
from shared.errors import Forbidden, Invalid, Malformed, NotFound, Refusal, Unauthenticated
from shared.http import oauth
from shared.http.files import Content, Download, received, sent
from shared.http.flow import EventStream, flowing
from shared.http.head import Head
from shared.http.patience import BODY_WITHIN
from shared.http.replies import Replies, again, digest_of, kept, key_of
from shared.trace import Source as Source
from staffgate.contracts.caller import Caller

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])
View = TypeVar("View")

# What an operation leaves for the one log event of its request.
OPERATION = web.RequestKey("operation", str)
CALLER = web.RequestKey("caller", object)
PROBLEM = web.RequestKey("problem", str)
AT_ONCE = web.RequestKey("at_once", bool)
TURN = web.RequestKey("turn", asyncio.Lock)

# Bytes of a request's body, and objects in it. What is more may take milliseconds to answer at once: a thousand evaluations
# 1.4, or 16 where none was asked before. One a turn of the event loop, then: when 32 connections had one each, the broker's
# answers took ten such turns to be read, and the process thought itself deaf (126 such requests a second, and 499 from 4).
HEAVY, MANY = 1 << 14, 256

_encode = msgspec.json.Encoder().encode


# The body of an answer to a caller's body; None where it can't be given without waiting, or where there is a refusal.
AtOnce = Callable[[Caller, bytes], bytes | None]


class Authenticate(Protocol):
    """Who shows this access token; raises Unauthenticated."""

    async def __call__(self, token: str) -> Caller: ...


class Tagged(msgspec.Struct, Generic[View], frozen=True):
    """A result, and the ETag of what it shows (RFC 9110, section 8.8.3), quotes included; None where it has none."""

    view: View
    etag: str | None


class Cacheable(msgspec.Struct, Generic[View], frozen=True):
    """A result that whoever asks may keep for so many seconds, and everybody on the way: it is the same for all."""

    view: View
    seconds: int


class Operation:
    """One route, worked out once when the service is put together."""

    def __init__(
        self, method: str, path: str, status: int, handler: Callable[..., Awaitable[Any]], invalid: int = 422,
        oauth_errors: bool = False, at_once: Callable[[Any], AtOnce] | None = None,
    ) -> None:  # fmt: skip
        self.method = method
        self.path = path
        self.status = status
        self.invalid = invalid
        self.oauth_errors = oauth_errors
        self.at_once = at_once
        self.handler = handler
        self.name = handler.__name__
        hints = get_type_hints(handler, include_extras=True)
        self.result = hints.pop("return", None)
        self.tagged = get_origin(self.result) is Tagged
        if get_origin(self.result) in (Tagged, Cacheable):
            (self.result,) = get_args(self.result)
        self.types = {name: hints[name] for name in list(inspect.signature(handler).parameters)[1:]}
        self.callers = _callers(self.types.get("caller"))
        # Whoever takes the key as an argument sees to it, within the transaction of what it is for.
        self._repeatable = method == hdrs.METH_POST and "idempotency_key" not in self.types
        self._takes_body = not {"body", "form", "content"}.isdisjoint(self.types)
        self.in_path = re.findall(r"{(\w+)}", path)
        self._body = msgspec.json.Decoder(self.types["body"]) if "body" in self.types else None
        self.content: Content | None = get_args(self.types["content"])[1] if "content" in self.types else None

    async def __call__(
        self, service: object, authenticate: Authenticate, request: web.Request, replies: Replies | None = None
    ) -> web.Response:
        try:
            return await self._handle(service, authenticate, request, replies)
        except Refusal as fault:
            if self.oauth_errors and (said := oauth.refused(fault, request.path)) is not None:
                request[PROBLEM] = fault.code
                return said
            if self.invalid == 422 or not isinstance(fault, Invalid):
                raise
            raise Malformed(fault.code, fault.detail, **fault.extras) from fault

    async def _handle(
        self, service: object, authenticate: Authenticate, request: web.Request, replies: Replies | None
    ) -> web.Response:
        arguments: dict[str, object] = {}
        if self.callers:
            caller = arguments["caller"] = await self._caller(authenticate, request)
            key = key_of(request) if self._repeatable else None
            if replies is not None and key is not None:
                return await self._once(service, request, arguments, replies, caller, key)
        return await self._run(service, request, arguments)

    async def _once(
        self, service: object, request: web.Request, arguments: dict[str, object], replies: Replies, caller: Caller,
        key: str,
    ) -> web.Response:  # fmt: skip
        before = await replies.begin(caller, key, digest_of(request, await _body(request)))
        if before is not None:
            return again(before)
        try:
            response = await self._run(service, request, arguments)
        except BaseException:
            await replies.forget(caller, key)
            raise
        await replies.keep(caller, key, kept(response))
        return response

    async def _run(self, service: object, request: web.Request, arguments: dict[str, object]) -> web.Response:
        if self.at_once is not None and request.content_type == JSON:
            request[AT_ONCE] = True
            caller: Any = arguments["caller"]
            answer = await _answered_at_once(self.at_once(service), caller, request)
            if answer is not None:
                return web.Response(body=answer, content_type=JSON)
        for name in self.in_path:
            arguments[name] = self._path_part(name, request)
        if "query" in self.types:
            arguments["query"] = _convert(dict(request.query), self.types["query"], "query string")
        if "source" in self.types:
            arguments["source"] = trace.source()
        if "head" in self.types:
            arguments["head"] = _head(request)
        if "basic" in self.types:
            arguments["basic"] = oauth.basic(request)
        if "if_match" in self.types:
            arguments["if_match"] = request.headers.get(hdrs.IF_MATCH)
        if "idempotency_key" in self.types:
            arguments["idempotency_key"] = request.headers.get("Idempotency-Key")
        if self._body is not None:
            arguments["body"] = await self._json(request)
        if "form" in self.types:
            arguments["form"] = await self._form(request)
        if self.content is not None:
            arguments["content"] = await received(request, self.content)
        if not self._takes_body and (await _body(request)).strip() not in (b"", b"{}"):
            raise Malformed(
                "body_not_wanted", "This operation takes no body: what is said in one would be passed over."
            )
        return self._answer(await self.handler(service, **arguments))

    async def _caller(self, authenticate: Authenticate, request: web.Request) -> Caller:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_missing", "Send an access token: Authorization: Bearer <token>.")
        caller = await authenticate(token.strip())
        if not isinstance(caller, self.callers):
            raise Forbidden("wrong_caller", f"This is for {_names(self.callers)} only.")
        request[CALLER] = caller
        return caller

    def _path_part(self, name: str, request: web.Request) -> object:
        try:
            return msgspec.convert(request.match_info[name], self.types[name], strict=False)
        except msgspec.ValidationError as fault:
            raise NotFound("not_found", "There is nothing of that name.") from fault

    async def _json(self, request: web.Request) -> object:
        if request.content_type != JSON:
            raise Malformed("wrong_content_type", f"Send the body as Content-Type: {JSON}.")
        assert self._body is not None
        try:
            return self._body.decode(await _body(request))
        except msgspec.ValidationError as fault:
            raise _invalid(fault, "body") from fault
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise Malformed("malformed_json", f"The body is not JSON: {fault}.") from fault

    async def _form(self, request: web.Request) -> object:
        if request.content_type != FORM:
            raise Malformed("wrong_content_type", f"Send the body as Content-Type: {FORM}.")
        # Python knows encodings that take minutes for a body (punycode) and that make lone surrogates (utf-7).
        if (request.charset or "utf-8").lower() != "utf-8":
            raise Malformed("wrong_charset", "Send the form in UTF-8.")
        await _body(request)
        try:
            posted = await request.post()
        except (ValueError, LookupError) as fault:
            raise Malformed("malformed_form", "The body is not an urlencoded form.") from fault
        fields = dict(posted)
        if len(fields) != len(posted):  # which of them is meant, each reader would say differently
            raise Malformed("repeated_field", "A field of the form stands there twice.")
        return _convert(fields, self.types["form"], "form")

    def _answer(self, result: object) -> web.Response:
        if isinstance(result, web.Response):
            return result
        if isinstance(result, Download):
            return sent(result)
        if isinstance(result, EventStream):
            return flowing(result)
        if result is None:
            return web.Response(status=204)
        if isinstance(result, Cacheable):
            headers = {hdrs.CACHE_CONTROL: f"public, max-age={result.seconds}"}
            return web.Response(status=self.status, body=_encode(result.view), content_type=JSON, headers=headers)
        view, etag = (result.view, result.etag) if isinstance(result, Tagged) else (result, None)
        headers = {} if etag is None else {hdrs.ETAG: etag}
        return web.Response(status=self.status, body=_encode(view), content_type=JSON, headers=headers)


class Api:
    """The operations of one service."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def _add(self, method: str, path: str, status: int, **options: Any) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            self.operations.append(Operation(method, path, status, handler, **options))
            return handler

        return add

    def get(self, path: str) -> Callable[[Handler], Handler]:
        return self._add(hdrs.METH_GET, path, 200)

    def post(
        self, path: str, *, status: int = 200, invalid: Literal[400, 422] = 422, oauth_errors: bool = False,
        at_once: Callable[[Any], AtOnce] | None = None,
    ) -> Callable[[Handler], Handler]:  # fmt: skip
        """`at_once` gives, of the service, what may answer without the handler: the same, and sooner."""
        return self._add(hdrs.METH_POST, path, status, invalid=invalid, oauth_errors=oauth_errors, at_once=at_once)

    def put(self, path: str, *, status: int = 200) -> Callable[[Handler], Handler]:
        return self._add(hdrs.METH_PUT, path, status)

    def patch(self, path: str, *, status: int = 200) -> Callable[[Handler], Handler]:
        return self._add(hdrs.METH_PATCH, path, status)

    def delete(self, path: str, *, status: int = 200) -> Callable[[Handler], Handler]:
        return self._add(hdrs.METH_DELETE, path, status)

    def include(self, other: Api) -> None:
        """A service with many operations keeps them in several modules."""
        self.operations += other.operations

    def routes(
        self, service: object, authenticate: Authenticate, replies: Replies | None = None
    ) -> Sequence[web.RouteDef]:
        paths, turn = [operation.path.split("/") for operation in self.operations], asyncio.Lock()
        return [
            _route(operation, _pattern(operation.path, paths), service, authenticate, replies, turn)
            for operation in self.operations
        ]


def _pattern(path: str, paths: Sequence[list[str]]) -> str:
    """A word that is a path of its own is nobody's id: PATCH /v1/staff/export is a method that is not offered there."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        words = {other[place] for other in paths if other[:place] == path.split("/")[:place] and len(other) > place}
        literal = "|".join(sorted(re.escape(word) for word in words if not word.startswith("{")))
        if part.startswith("{") and literal:
            parts[place] = f"{{{part[1:-1]}:(?!(?:{literal})(?:/|$))[^/]+}}"
    return "/".join(parts)


def _route(
    operation: Operation, path: str, service: object, authenticate: Authenticate, replies: Replies | None,
    turn: asyncio.Lock,
) -> web.RouteDef:  # fmt: skip
    async def handle(request: web.Request) -> web.StreamResponse:
        request[OPERATION], request[TURN] = operation.name, turn
        return await operation(service, authenticate, request, replies)

    return web.route(operation.method, path, handle)


def _callers(annotation: Any) -> tuple[type, ...]:
    if annotation is None:
        return ()
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _names(callers: tuple[type, ...]) -> str:
    words = {
        "Person": "signed-in staff",
        "Product": "product services",
        "Enrolling": "staff who have to enrol a factor first",
    }
    return " and ".join(words.get(caller.__name__, caller.__name__) for caller in callers)


def _head(request: web.Request) -> Head:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Head(target=request.raw_path, content_type=request.content_type, headers=headers)


def _convert(values: dict[str, Any], kind: Any, where: str) -> object:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as fault:
        raise _invalid(fault, where) from fault


def is_heavy(body: bytes) -> bool:
    """A thousand evaluations that say nothing of their own have three bytes each."""
    return len(body) > HEAVY or body.count(b"{") > MANY


async def _answered_at_once(answer: AtOnce, caller: Caller, request: web.Request) -> bytes | None:
    body = await _body(request)
    if not is_heavy(body):
        return answer(caller, body)
    async with request[TURN]:
        answered = answer(caller, body)
        await asyncio.sleep(0)  # and everybody else has theirs
    return answered


async def _body(request: web.Request) -> bytes:
    try:
        if request.content.is_eof():  # all of it is here: nothing to wait for, and no clock to set
            return await request.read()
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except web.RequestPayloadError as fault:
        raise Malformed("malformed_body", "The body is not encoded as its Content-Encoding says.") from fault
    except TimeoutError as fault:
        raise web.HTTPRequestTimeout from fault


def _invalid(fault: msgspec.ValidationError, where: str) -> Invalid:
    """msgspec says `what - at `$.path``; the path becomes a member of its own."""
    what, _, at = str(fault).partition(" - at `")
    return Invalid("invalid", f"{what} ({where}).", at=at.rstrip("`") or "$")
