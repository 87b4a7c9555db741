"""A person's side of notify: what became of messages, how they look, and where they go. A console's, for the most part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Literal, TypeVar
from uuid import UUID

from staffgate.client.line import Patience, Session
from staffgate.client.paging import pages, query_of
from staffgate.client.transport import Token, Transport, Versioned
from staffgate.contracts import notify

T = TypeVar("T")


class NotifyClient:
    """`session` is a Wire, or a session of aiohttp; `token` gives the person's access token: notify answers nobody else.

    Everything here raises ServiceAway while notify can't be reached, and Refused where it turns the request down.
    """

    def __init__(self, session: Session, url: str, token: Token, *, patience: Patience | None = None) -> None:
        self._transport = Transport(session, url, patience)
        self._token = token

    # --- messages ---------------------------------------------------------------------------------------------

    async def deliveries(self, asked: notify.DeliveryQuery | None = None) -> AsyncIterator[notify.Delivery]:
        """What became of messages, the newest first: of one's own, and for administrators of everybody's."""
        ask = partial(self._ask, "GET", "/v1/deliveries", notify.DeliveryList)
        async for page in pages(ask, query_of(asked)):
            for delivery in page.deliveries:
                yield delivery

    async def replay(self, delivery: UUID) -> None:
        """Try a dead one again."""
        await self._ask("POST", f"/v1/deliveries/{delivery}/replay", type(None))

    async def drop(self, delivery: UUID) -> None:
        """Give up one that waits or is dead: what it says is erased. What somebody needs to get in takes a factor shown in the
        last five minutes; what warns a person can't be dropped."""
        await self._ask("POST", f"/v1/deliveries/{delivery}/drop", type(None))

    # --- how they look ----------------------------------------------------------------------------------------

    async def templates(self) -> notify.TemplateList:
        return await self._ask("GET", "/v1/templates", notify.TemplateList)

    async def preview(self, asked: notify.AskPreview) -> notify.Preview:
        """What a message looks like to a person who is made up; nothing is sent."""
        return await self._ask("POST", "/v1/previews", notify.Preview, body=asked, safe=True)

    async def branding(self) -> Versioned[notify.Branding]:
        return await self._versioned("GET", "/v1/branding", notify.Branding)

    async def set_branding(self, wanted: notify.SetBranding, *, if_match: str = "") -> Versioned[notify.Branding]:
        """All of it but the logo. `if_match` is the etag of what was changed: Refused (412) where somebody was faster."""
        return await self._versioned("PUT", "/v1/branding", notify.Branding, body=wanted, if_match=if_match)

    async def set_logo(
        self, picture: bytes, kind: Literal["image/png", "image/jpeg"], *, if_match: str = ""
    ) -> Versioned[notify.Branding]:
        return await self._versioned(
            "PUT", "/v1/branding/logo", notify.Branding, content=picture, content_type=kind, if_match=if_match
        )

    async def remove_logo(self, *, if_match: str = "") -> Versioned[notify.Branding]:
        return await self._versioned("DELETE", "/v1/branding/logo", notify.Branding, if_match=if_match)

    # --- where they go ----------------------------------------------------------------------------------------

    async def sending_policy(self) -> Versioned[notify.SendingPolicy]:
        """The countries that SMS are sent to."""
        return await self._versioned("GET", "/v1/sending-policy", notify.SendingPolicy)

    async def set_sending_policy(
        self, wanted: notify.SetSendingPolicy, *, if_match: str = ""
    ) -> Versioned[notify.SendingPolicy]:
        """Takes a factor shown in the last five minutes."""
        return await self._versioned(
            "PUT", "/v1/sending-policy", notify.SendingPolicy, body=wanted, if_match=if_match
        )  # fmt: skip

    async def suppressions(self, asked: notify.SuppressionQuery | None = None) -> AsyncIterator[notify.Suppression]:
        """The addresses that nothing is sent to, the newest first."""
        ask = partial(self._ask, "GET", "/v1/suppressions", notify.SuppressionList)
        async for page in pages(ask, query_of(asked), by="before"):
            for suppression in page.suppressions:
                yield suppression

    async def suppress(self, channel: Literal["email", "sms"], address: str) -> notify.Suppression:
        """Send nothing but warnings to this address from now on. Takes a factor shown in the last five minutes."""
        body = notify.AddSuppression(channel=channel, address=address)
        return await self._ask("POST", "/v1/suppressions", notify.Suppression, body=body)

    async def allow(self, suppression: UUID) -> None:
        """Send to this address again."""
        await self._ask("DELETE", f"/v1/suppressions/{suppression}", type(None))

    async def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        return await self._transport.ask(method, path, kind, token=self._token, **options)

    async def _versioned(self, method: str, path: str, kind: type[T], **options: Any) -> Versioned[T]:
        return await self._transport.ask_versioned(method, path, kind, token=self._token, **options)
