"""A product service's side of identity: its own access token, the keys that verify others', and who was put out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from staffgate.client.line import Patience, Session
from staffgate.client.token import ServiceToken
from staffgate.client.transport import Transport
from staffgate.contracts.identity import (
    Availability,
    AvailabilityList,
    CheckNumber,
    CheckVisitor,
    KeySet,
    NumberChecked,
    NumberPurpose,
    Revocations,
    Tokens,
    VisitorChecked,
    WeblinkAddressee,
)

T = TypeVar("T")


class IdentityClient:
    """`session` is a Wire, or a session of aiohttp; `client_id` and `client_secret` are what identity knows the product by.

    Everything here raises ServiceAway while identity can't be reached, and Refused where it turns the request down.
    """

    def __init__(
        self, session: Session, url: str, client_id: str, client_secret: str, *, patience: Patience | None = None
    ) -> None:  # fmt: skip
        self._transport = Transport(session, url, patience)
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        # Await it for an access token of this product, or hand it on: it is what the other clients take as `token`.
        self.token = ServiceToken(self._fetch)

    async def _fetch(self) -> Tokens:
        form = {"grant_type": "client_credentials", **self._credentials}
        return await self._transport.ask("POST", "/oauth/token", Tokens, form=form, safe=True)

    async def keys(self) -> KeySet:
        """The public keys that access tokens are signed with (RFC 7517)."""
        return await self._transport.ask("GET", "/.well-known/jwks.json", KeySet)

    async def ended_sessions(self) -> list[UUID]:
        """Sessions that ended while a token of theirs may be unexpired: what a late joiner has missed."""
        return (await self._ask("GET", "/v1/revocations", Revocations)).sessions

    # --- what products have to know of staff and visitors ------------------------------------------------------

    async def availability(self, org: UUID, staff: Collection[UUID]) -> list[Availability]:
        """Who of these (100 at most) takes enquiries now, and on which channels. Later changes come as events."""
        params = {"org": str(org), "staff": ",".join(map(str, staff))}
        path = "/v1/availability"
        return (await self._ask("GET", path, AvailabilityList, params=params)).availability

    async def number_allowed(self, org: UUID, number: str, purpose: NumberPurpose) -> bool:
        """May staff of this organisation appear with this number, as caller or as sender of SMS?"""
        asked = CheckNumber(org=org, number=number, purpose=purpose)
        return (await self._ask("POST", "/v1/numbers/check", NumberChecked, body=asked, safe=True)).allowed

    async def visitor_blocked(
        self, org: UUID, *, number: str | None = None, email: str | None = None, ip: str | None = None
    ) -> bool:
        """Is this visitor turned away, by any of what is known of them?"""
        asked = CheckVisitor(org=org, number=number, email=email, ip=ip)
        return (await self._ask("POST", "/v1/visitors/check", VisitorChecked, body=asked, safe=True)).blocked

    async def addressee(self, weblink: str) -> WeblinkAddressee:
        """Whom a weblink leads to; Refused with `not_found` where it leads nowhere (any more)."""
        return await self._ask("GET", f"/v1/weblinks/{quote(weblink, safe='')}", WeblinkAddressee)

    async def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        return await self._transport.ask(method, path, kind, token=self.token, **options)
