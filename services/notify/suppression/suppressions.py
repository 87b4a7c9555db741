"""The list of addresses that nothing is sent to: asked right before a message is sent, so that what is on it counts at once.

Each organisation has its own. A hard bounce or a complaint puts an address there, three soft bounces within a week do, and
an administrator may; only an administrator takes it off. It is kept by address, so whoever gets a new one is free of it.

What an administrator puts there holds back no warning: else whoever takes over somebody's account would first see to it that
they don't hear of it. What came back or was complained of holds back everything, and takes the place of that.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from services.notify.authority import require_administrator
from services.notify.kinds import warns
from services.notify.store import suppressions as store
from services.notify.store.deliveries import Claim
from services.notify.store.suppressions import Address, NewSuppression
from services.notify.suppression.addresses import E164, Addresses, canonical, masked
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import Email, Mobile
from staffgate.contracts.notify import (
    AddSuppression,
    Suppression,
    SuppressionChanged,
    SuppressionList,
    SuppressionQuery,
    SuppressionReason,
)

_SOFT, _WITHIN = 3, timedelta(days=7)

log = structlog.get_logger()
suppressed = Counter("notify_suppressions_total", "Addresses that were put on the list", ["channel", "reason"])


class Suppressions:
    def __init__(self, db: Database, addresses: Addresses) -> None:
        self._db = db
        self._addresses = addresses

    async def holds(self, tx: Tx, claim: Claim, address: str) -> bool:
        """Whether nothing is to be sent to this address. That the message goes there is written down in the same statement:
        a bounce names the message, and nobody knows by then to whom it was."""
        if claim.channel == "webhook":
            return False
        to = self._address(claim.org, claim.channel, address)
        return await store.noted(tx, claim.id, to, warns=warns(claim.template))

    async def note_unreachable(self, tx: Tx, claim: Claim) -> None:
        """The provider has said at once that there is nobody; in the transaction that writes that down."""
        if to := await store.address_of(tx, claim.org, claim.id):
            await self.suppress(tx, to, "bounced", claim.staff)

    # --- what providers tell ----------------------------------------------------------------------------------

    async def note_bounce(self, tx: Tx, to: Address, staff: UUID | None, *, permanent: bool) -> None:
        """In the transaction that writes the bounce down."""
        now = self._db.clock.now()
        if permanent or await store.bounces(tx, to, now, _WITHIN) >= _SOFT:
            await self.suppress(tx, to, "bounced", staff)

    async def suppress(self, tx: Tx, to: Address, reason: SuppressionReason, staff: UUID | None) -> None:
        new = NewSuppression(id=self._db.ids.uuid(), reason=reason, staff=staff)
        if gone := await store.give_way(tx, to):
            await _tell_gone(tx, to.org, gone, by=None)
        if await store.add(tx, to, new, self._db.clock.now()):
            await _tell(tx, to.org, new, to.channel)

    # --- what administrators do -------------------------------------------------------------------------------

    async def list(self, caller: Person, asked: SuppressionQuery) -> SuppressionList:
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            found = await store.newest(tx, caller.org, asked.channel, asked.before, asked.limit + 1)
        shown = found[: asked.limit]
        return SuppressionList(suppressions=shown, next=shown[-1].id if len(found) > asked.limit else None)

    async def add(self, caller: Person, wanted: AddSuppression) -> Suppression:
        """With a factor that was shown a moment ago: nobody whose address it is gets a code or a link there any more."""
        require_administrator(caller)
        require_fresh(caller, self._db.clock)
        to = self._address(caller.org, wanted.channel, _read(wanted))
        new = NewSuppression(id=self._db.ids.uuid(), reason="added", added_by=caller.staff)
        async with self._db.begin(caller.org) as tx:
            if not await store.add(tx, to, new, self._db.clock.now()):
                raise Conflict("already_suppressed", "Nothing is sent to this address already.")
            await _tell(tx, caller.org, new, to.channel)
            added = await store.one(tx, caller.org, new.id)
        assert added is not None
        return added

    async def remove(self, caller: Person, id: UUID) -> None:
        """Messages go there again from now on; what was refused meanwhile stays refused."""
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            gone = await store.remove(tx, caller.org, id)
            if gone is None:
                raise NotFound("not_found", "There is no such entry on the list.")
            await _tell_gone(tx, caller.org, gone, by=caller.staff)

    def _address(self, org: UUID, channel: str, address: str) -> Address:
        digest = self._addresses.digest(channel, address)
        return Address(org=org, channel=channel, address=digest, masked=masked(channel, address))


async def _tell(tx: Tx, org: UUID, new: NewSuppression, channel: str) -> None:
    suppressed.labels(channel, new.reason).inc()
    log.info("suppression.added", suppression=str(new.id), channel=channel, reason=new.reason)
    await tx.emit(
        SuppressionChanged(
            org=org, suppression=new.id, channel=channel, reason=new.reason, staff=new.staff, by=new.added_by
        )
    )  # fmt: skip


async def _tell_gone(tx: Tx, org: UUID, gone: Suppression, by: UUID | None) -> None:
    log.info("suppression.removed", suppression=str(gone.id), channel=gone.channel)
    await tx.emit(
        SuppressionChanged(
            org=org, suppression=gone.id, channel=gone.channel, reason=gone.reason, staff=gone.staff, removed=True, by=by
        )
    )  # fmt: skip


def _read(wanted: AddSuppression) -> str:
    by_sms, address = wanted.channel == "sms", wanted.address.strip()
    try:
        msgspec.convert(address, Mobile if by_sms else Email)
        if by_sms:
            msgspec.convert(canonical("sms", address), E164)
    except msgspec.ValidationError as fault:
        what = "a telephone number in international form" if by_sms else "an e-mail address"
        raise Invalid("address_invalid", f"Give {what}.", at="$.address") from fault
    return address
