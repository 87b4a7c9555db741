"""A product service's side of identity: its own access token, the keys that verify others', and who was put out."""

from __future__ import annotations

import time
from uuid import UUID

import aiohttp

from staffgate.client.transport import Transport
from staffgate.contracts.identity import KeySet, Revocations, Tokens


class IdentityClient:
    def __init__(self, session: aiohttp.ClientSession, url: str, client_id: str, client_secret: str) -> None:
        self._transport = Transport(session, url)
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._token = ""
        self._good_until = 0.0

    async def token(self) -> str:
        """An access token of this product service, kept until shortly before it expires (RFC 6749 section 4.4)."""
        if time.monotonic() >= self._good_until:
            form = {"grant_type": "client_credentials", **self._credentials}
            tokens = await self._transport.ask("POST", "/oauth/token", Tokens, data=form)
            self._token = tokens.access_token
            self._good_until = time.monotonic() + tokens.expires_in * 0.8
        return self._token

    async def keys(self) -> KeySet:
        """The public keys that access tokens are signed with (RFC 7517)."""
        return await self._transport.ask("GET", "/.well-known/jwks.json", KeySet)

    async def ended_sessions(self) -> list[UUID]:
        """Sessions that ended while a token of theirs may be unexpired: what a late joiner has missed."""
        answer = await self._transport.ask("GET", "/v1/revocations", Revocations, token=await self.token())
        return answer.sessions
