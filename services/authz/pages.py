"""Pages of what a search finds (AuthZEN 1.0, section 8.2), and the tokens that lead from one to the next.

A token says after which result the next page begins, so that nothing comes twice when something is added meanwhile. It
is good for the request that it was given for and no other. Every replica can read it, and nobody else can make one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from shared.errors import Invalid, Malformed
from staffgate.contracts.decisions import Page, PageFound

MOST = 1000  # results on a page, however many were asked for
_DIGEST = 16
_request = msgspec.json.Encoder(order="sorted")

R = TypeVar("R")


class Asked(Protocol):
    """A search request."""

    page: Page | UnsetType


class _Token(msgspec.Struct, frozen=True, array_like=True):
    request: bytes
    limit: int | None
    after: str


class Place(msgspec.Struct, frozen=True):
    """Where a page begins and how long it may be."""

    after: str
    limit: int
    request: bytes
    asked_limit: int | None
    asked: bool


class Found(msgspec.Struct, Generic[R], frozen=True):
    """The results of one page; `after` is where the next one begins, None at the end."""

    results: Sequence[R]
    after: str | None
    total: int | None = None


class Pages:
    def __init__(self, secret: str) -> None:
        """`secret` is the same in every replica."""
        self._key = hmac.digest(secret.encode(), b"authz page tokens", "sha256")

    def place(self, kind: str, asked: Asked) -> Place:
        """Where the page that is asked for begins. Raises Invalid where the token is not one for this request."""
        page = Page() if isinstance(asked.page, UnsetType) else asked.page
        request = _digest(kind, asked, page)
        limit = None if isinstance(page.limit, UnsetType) else page.limit
        after = ""
        if page.token:
            token = self._opened(page.token)
            if token.request != request or limit not in (None, token.limit):
                raise Invalid("page_changed", "Between pages nothing but the token may change.", at="$.page")
            after, limit = token.after, token.limit
        most = MOST if limit is None else min(limit, MOST)
        return Place(after, most, request, limit, asked=asked.page is not UNSET)

    def page(self, place: Place, found: Found[Any]) -> PageFound | None:
        """What is said about a page; nothing where nobody asked and all is there."""
        if found.after is None and not place.asked:
            return None
        token = "" if found.after is None else self._sealed(_Token(place.request, place.asked_limit, found.after))
        return PageFound(next_token=token, count=len(found.results), total=found.total)

    def _sealed(self, token: _Token) -> str:
        content = msgspec.msgpack.encode(token)
        return base64.urlsafe_b64encode(self._mac(content) + content).rstrip(b"=").decode()

    def _opened(self, text: str) -> _Token:
        try:
            whole = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError as fault:
            raise _unknown() from fault
        content = whole[_DIGEST:]
        # Base64 has more than one way to write the same bytes; of a token there is one.
        same = base64.urlsafe_b64encode(whole).rstrip(b"=").decode() == text
        if not same or not hmac.compare_digest(whole[:_DIGEST], self._mac(content)):
            raise _unknown()
        return msgspec.msgpack.decode(content, type=_Token)

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:_DIGEST]


def found(
    results: Sequence[R], place: Place, key: Callable[[R], str], *, looked: str | None = None, total: int | None = None
) -> Found[R]:
    """A page of the results that come after its place; `looked` is how far was looked where that is not to the end."""
    if len(results) <= place.limit:
        return Found(results, looked, total)
    shown = results[: place.limit]
    return Found(shown, key(shown[-1]) if shown else place.after, total)


def _digest(kind: str, asked: Asked, page: Page) -> bytes:
    """Everything that may not change between pages."""
    try:
        content = _request.encode((kind, msgspec.structs.replace(asked, page=Page(properties=page.properties))))  # type: ignore[type-var]
    except RecursionError as fault:
        raise Malformed("malformed_json", "The body is nested too deeply.") from fault
    return hashlib.sha256(content).digest()[:_DIGEST]


def _unknown() -> Invalid:
    return Invalid(
        "unknown_page_token", "This is no token that was given out here; begin without one.", at="$.page.token"
    )
