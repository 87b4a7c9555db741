"""A person's side of identity: themselves, their colleagues, and for who may, the accounts of those."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from staffgate.client.line import Patience, Session
from staffgate.client.paging import pages, query_of
from staffgate.client.transport import Token, Transport, Versioned
from staffgate.contracts import identity

T = TypeVar("T")


class StaffClient:
    """`session` is a Wire, or a session of aiohttp; `token` gives the person's access token.

    Everything here raises ServiceAway while identity can't be reached, and Refused where it turns the request down. What
    makes something or sends something goes under an Idempotency-Key, and so is tried again too: it is done once. Give a
    `key` of your own where it has to stay the same after a restart.
    """

    def __init__(self, session: Session, url: str, token: Token, *, patience: Patience | None = None) -> None:
        self._transport = Transport(session, url, patience)
        self._token = token

    async def me(self) -> identity.Staff:
        return await self._ask("GET", "/v1/me", identity.Staff)

    async def organisation(self) -> identity.Organisation:
        return await self._ask("GET", "/v1/organisation", identity.Organisation)

    async def set_availability(self, state: identity.AvailabilityName) -> identity.Availability:
        """Go online, away or offline."""
        body = identity.SetAvailability(state=state)
        return await self._ask("PUT", "/v1/me/availability", identity.Availability, body=body)

    # --- colleagues -------------------------------------------------------------------------------------------

    async def list(self, asked: identity.StaffQuery | None = None) -> AsyncIterator[identity.Staff]:
        """Whom the person may view, a page after the other."""
        ask = partial(self._ask, "GET", "/v1/staff", identity.StaffList)
        async for page in pages(ask, query_of(asked)):
            for one in page.staff:
                yield one

    async def show(self, staff: UUID) -> Versioned[identity.Staff]:
        return await self._versioned("GET", f"/v1/staff/{staff}", body=None)

    async def add(self, wanted: identity.AddStaff, *, key: str = "") -> identity.Staff:
        """Not activated yet, and nothing is sent."""
        return await self._ask("POST", "/v1/staff", identity.Staff, body=wanted, key=key or str(uuid4()))

    async def edit(
        self, staff: UUID, wanted: identity.EditStaff, *, if_match: str = ""
    ) -> Versioned[identity.Staff]:  # fmt: skip
        """What is named changes, the rest stays. `if_match` is an etag: Refused (412) where somebody was faster."""
        return await self._versioned("PATCH", f"/v1/staff/{staff}", body=wanted, if_match=if_match)

    async def send_activation(self, staff: UUID, *, key: str = "") -> identity.ActivationSent:
        """The activation e-mail, for the first time or again; the links sent before are dead."""
        path = f"/v1/staff/{staff}/activation-email"
        return await self._ask("POST", path, identity.ActivationSent, key=key or str(uuid4()))

    async def suspend(self, staff: UUID, *, handover_to: UUID | None = None, key: str = "") -> identity.Staff:
        """Out everywhere, within a second."""
        params, key = _handover(handover_to), key or str(uuid4())
        return await self._ask("POST", f"/v1/staff/{staff}/suspend", identity.Staff, params=params, key=key)

    async def reactivate(self, staff: UUID, *, key: str = "") -> identity.Staff:
        return await self._ask("POST", f"/v1/staff/{staff}/reactivate", identity.Staff, key=key or str(uuid4()))

    async def log_out(self, staff: UUID, *, key: str = "") -> None:
        """End every session of a person; the account stays as it is."""
        await self._ask("POST", f"/v1/staff/{staff}/logout", type(None), key=key or str(uuid4()))

    async def delete(self, staff: UUID, *, handover_to: UUID | None = None) -> None:
        """For ever."""
        await self._ask("DELETE", f"/v1/staff/{staff}", type(None), params=_handover(handover_to))

    async def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        return await self._transport.ask(method, path, kind, token=self._token, **options)

    async def _versioned(self, method: str, path: str, **options: Any) -> Versioned[identity.Staff]:
        return await self._transport.ask_versioned(method, path, identity.Staff, token=self._token, **options)


def _handover(to: UUID | None) -> dict[str, str]:
    return {} if to is None else {"handover_to": str(to)}
