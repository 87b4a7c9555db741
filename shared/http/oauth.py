"""What the token endpoint does in its own way: how a client signs in (RFC 6749 section 2.3.1), and how it is refused
(section 5.2). Such an answer is a problem like any other, said in OAuth's members besides."""

from __future__ import annotations

import base64
from urllib.parse import unquote_plus

import msgspec
from aiohttp import hdrs, web

from shared.errors import Invalid, Malformed, Refusal, Unauthenticated
from staffgate.contracts.problem import OAuthProblem, Problem

_REALM = 'Basic realm="staffgate", charset="UTF-8"'


class Basic(msgspec.Struct, frozen=True, kw_only=True):
    """A client's name and secret, as they came in the header."""

    client_id: str
    client_secret: str


def basic(request: web.Request) -> Basic | None:
    """None where the header says nothing of this kind. Both parts are urlencoded before they are joined."""
    scheme, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
        client_id, client_secret = (unquote_plus(part, errors="strict") for part in (name, secret))
    except ValueError as fault:
        raise _unreadable() from fault
    if not colon:
        raise _unreadable()
    return Basic(client_id=client_id, client_secret=client_secret)


def refused(refusal: Refusal, instance: str) -> web.Response | None:
    """None where OAuth has no word for it, as for a service that is away."""
    if not isinstance(refusal, Unauthenticated | Invalid | Malformed):
        return None
    status = 401 if isinstance(refusal, Unauthenticated) else 400
    problem = Problem.of(refusal.code, status, refusal.detail, instance)
    said = OAuthProblem(
        **msgspec.structs.asdict(problem), error=_error(refusal), error_description=_plain(refusal.detail)
    )
    headers = {hdrs.WWW_AUTHENTICATE: _REALM} if status == 401 else {}
    return web.Response(status=status, body=msgspec.json.encode(said), content_type="application/json", headers=headers)


def _error(refusal: Refusal) -> str:
    if "error" in refusal.extras:
        return str(refusal.extras["error"])
    if isinstance(refusal, Unauthenticated):
        return "invalid_client"
    return "unsupported_grant_type" if refusal.extras.get("at") == "$.grant_type" else "invalid_request"


def _plain(text: str) -> str:
    """The characters that an error_description may have."""
    printable = "".join(one if " " <= one <= "~" else "?" for one in text)
    return printable.replace('"', "'").replace("\\", "/")


def _unreadable() -> Unauthenticated:
    return Unauthenticated("invalid_client", "The Basic credentials can't be read.")
