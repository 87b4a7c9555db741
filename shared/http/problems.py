"""The one place where what went wrong becomes an HTTP answer: RFC 9457, application/problem+json."""

from __future__ import annotations

import msgspec
from aiohttp import web

from shared import errors
from staffgate.contracts.problem import CONTENT_TYPE, Problem

__all__ = ["CONTENT_TYPE", "Problem", "http_fault", "refused", "unexpected"]

_STATUS: tuple[tuple[type[errors.Refusal], int], ...] = (
    (errors.Malformed, 400),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.PreconditionFailed, 412),
    (errors.Invalid, 422),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
)
_HTTP_CODES = {
    404: ("no_such_page", "Nothing is here; the operations are listed at /openapi.json."),
    405: ("method_not_allowed", "This method is not offered here; see the Allow header."),
    408: ("too_slow", "The body did not arrive in time; send it again."),
    413: ("too_large", "The body is larger than is accepted."),
}

_STEP_UP = 'Bearer error="insufficient_user_authentication", max_age="300"'  # RFC 9470, section 3


def refused(refusal: errors.Refusal, instance: str) -> web.Response:
    status = next(status for kind, status in _STATUS if isinstance(refusal, kind))
    response = _problem(status, refusal.code, refusal.detail, instance, refusal.extras)
    if isinstance(refusal, errors.TooMany | errors.Unavailable | errors.Busy):
        response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = _STEP_UP if isinstance(refusal, errors.NotFresh) else "Bearer"
    return response


def unexpected(instance: str) -> web.Response:
    """No text of ours or of a library: that is in the log, under the same request id."""
    return _problem(500, "unexpected", "This is our fault; the request id says where to look in the log.", instance, {})


def http_fault(fault: web.HTTPException, instance: str) -> web.Response:
    code, detail = _HTTP_CODES.get(fault.status, ("http", fault.reason))
    response = _problem(fault.status, code, detail, instance, {})
    if "Allow" in fault.headers:
        response.headers["Allow"] = fault.headers["Allow"]
    return response


def _problem(status: int, code: str, detail: str, instance: str, extras: dict[str, object]) -> web.Response:
    problem = Problem.of(code, status, detail, instance)
    body = msgspec.json.encode({**msgspec.structs.asdict(problem), **extras})
    return web.Response(status=status, body=body, content_type=CONTENT_TYPE)
