"""Around every operation: trace, one log event, problems instead of exceptions, headers that make answers safe."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from shared import trace
from shared.errors import Refusal
from shared.http import problems
from shared.http.operation import AT_ONCE, CALLER, OPERATION, PROBLEM
from shared.http.times import Times
from staffgate.contracts.caller import Person, Product

_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",  # believed over TLS only (RFC 6797, section 8.1)
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
}
REQUEST_ID = "X-Request-ID"

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()
seconds = Times("http_request_seconds", "Time to answer", ["operation", "status"])


def telling(trusted_proxies: int) -> Middleware:
    """The outermost: one event a request, written when it is over. So many proxies in front of us are our own."""

    @web.middleware
    async def tell(request: web.Request, handler: Handle) -> web.StreamResponse:
        trace.came_from(trace.Source(_address(request, trusted_proxies), _agent(request)))
        return await _tell(request, handler)

    return tell


async def _tell(request: web.Request, handler: Handle) -> web.StreamResponse:
    started = time.perf_counter()
    trace_id = trace.begin(request.headers.get("traceparent"))
    response = await _answer(request, handler)
    headers = response.headers
    headers[REQUEST_ID] = request.headers.get(REQUEST_ID, trace_id)
    for name, value in SAFE.items():
        headers.setdefault(name, value)
    operation = request.get(OPERATION, "none")
    took = time.perf_counter() - started
    seconds.of(operation, response.status).observe(took)
    # What is asked thousands of times a second, and was simply answered, is in the metrics only.
    if request.path not in _QUIET and not (AT_ONCE in request and response.status < 400):
        _write(request, response, operation, trace_id, took)
    return response


async def _answer(request: web.Request, handler: Handle) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        request[PROBLEM] = refusal.code
        return problems.refused(refusal, request.path)
    except web.HTTPException as fault:
        return problems.http_fault(fault, request.path)
    except Exception:
        log.exception("http.unexpected", method=request.method, path=request.path)
        return problems.unexpected(request.path)


def _address(request: web.Request, trusted: int) -> str:
    """Each proxy adds at the end of X-Forwarded-For whom it was asked by: what our own added is true, what stands before
    it anybody can have written."""
    if not trusted:
        return request.remote or ""
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", []) for hop in value.split(",")]
    return hops[-trusted] if len(hops) >= trusted and _is_address(hops[-trusted]) else request.remote or ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _agent(request: web.Request) -> str:
    """As text that can be stored: bytes that are no UTF-8 come as lone surrogates."""
    agent = request.headers.get(hdrs.USER_AGENT, "")[:200]
    return agent if agent.isascii() else agent.encode(errors="replace").decode()


def _write(request: web.Request, response: web.StreamResponse, operation: str, trace_id: str, took: float) -> None:
    # The path and never the query: a link token travels there.
    level = log.error if response.status >= 500 else log.info
    level(
        f"http.{operation}",
        method=request.method,
        path=request.path,
        status=response.status,
        problem=request.get(PROBLEM),
        caller=_name(request.get(CALLER)),
        ip=trace.source().ip,
        bytes=request.headers.get(hdrs.CONTENT_LENGTH),
        trace_id=trace_id,
        ms=round(took * 1000, 2),
    )


def _name(caller: object) -> str | None:
    if isinstance(caller, Product):
        return f"product:{caller.name}"
    return f"staff:{caller.staff}" if isinstance(caller, Person) else None
