"""A product service's side of authz: decisions, searches, and the items that permissions can name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote
from uuid import UUID

import aiohttp

from staffgate.client.transport import Transport
from staffgate.contracts import authz


class AuthzClient:
    """`token` gives the access token to ask with, usually IdentityClient.token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: Callable[[], Awaitable[str]]) -> None:
        self._transport = Transport(session, url)
        self._token = token

    async def allows(self, staff: UUID, action: str, type: str, id: str, **context: object) -> bool:
        """May this person do that to this resource? AuthZEN 1.0 section 6."""
        return (await self.decide(staff, action, type, id, **context)).decision

    async def decide(self, staff: UUID, action: str, type: str, id: str, **context: object) -> authz.Decision:
        """The decision, with its reason where `explain=True` was asked."""
        question = authz.Evaluation(
            subject=_subject(staff),
            action=authz.Action(name=action),
            resource=authz.Resource(type=type, id=id),
            context=context,
        )
        return await self._transport.ask(
            "POST", "/access/v1/evaluation", authz.Decision, token=await self._token(), body=question
        )

    async def items(self, staff: UUID, action: str, type: str, **context: object) -> list[authz.FoundResource]:
        """The registered items of a type on which this person may do that. AuthZEN 1.0 section 8.5."""
        question = authz.ResourceSearch(
            subject=_subject(staff),
            action=authz.Action(name=action),
            resource=authz.ResourceQuery(type=type),
            context=context,
        )
        found = await self._transport.ask(
            "POST", "/access/v1/search/resource", authz.ResourcesFound, token=await self._token(), body=question
        )
        return found.results

    async def register(self, org: UUID, type: str, id: str, *, section: str, label: str) -> authz.Item:
        """Make an item known, so that it can be listed, searched and granted by name."""
        body = authz.RegisterItem(section=section, label=label)
        path = f"/v1/organisations/{org}/items/{quote(type, safe='')}/{quote(id, safe='')}"
        return await self._transport.ask("PUT", path, authz.Item, token=await self._token(), body=body)


def _subject(staff: UUID) -> authz.Subject:
    return authz.Subject(type="staff", id=str(staff))
