"""Handing the organisation over: the owner offers, an administrator accepts, and only then it changes hands.

Both show a factor again for it (RFC 9470): neither a stolen token nor a slip of the hand moves an organisation. The offer
is dead as soon as one of the two is not any more what it was made by or to; the database sees to that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.organisation.organisations import state_of
from services.identity.permits import nobody
from services.identity.session.sessions import Sessions, require_live
from services.identity.store import organisations as organisation_store
from services.identity.store import ownership as store
from services.identity.store import staff as staff_store
from services.identity.store.ownership import OfferRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import (
    NoticeKind,
    OfferOwnership,
    OrganisationTransferred,
    OwnershipOffer,
    StaffChanged,
    StaffStatus,
)

_LIFETIME = timedelta(days=7)


class Ownership:
    def __init__(self, db: Database, sessions: Sessions, messages: Messages) -> None:
        self._db = db
        self._sessions = sessions
        self._messages = messages

    async def offer(self, caller: Person, wanted: OfferOwnership) -> OwnershipOffer:
        """In the place of an offer that was made before."""
        require_owner(caller)
        require_fresh(caller, self._db.clock)
        now = self._db.clock.now()
        new = OfferRow(offered_by=caller.staff, offered_to=wanted.to, offered_at=now, expires_at=now + _LIFETIME)
        async with self._db.begin(caller.org) as tx:
            await require_still_owner(tx, caller, self._db.clock.now())
            other = await staff_store.staff(tx, caller.org, wanted.to)
            if other is None:
                raise nobody()
            if other.type is not StaffType.ADMINISTRATOR or other.status is not StaffStatus.ACTIVE or not other.portal:
                raise Conflict("not_administrator", "Only an active administrator can become the owner.")
            await store.put_offer(tx, caller.org, new)
            audit.note(tx, caller.org, Act.OWNERSHIP_OFFERED, by=caller, about=other.id)
            await self._tell(tx, NoticeKind.OWNERSHIP_OFFERED, other)
        return _shown(new)

    async def show(self, caller: Person) -> OwnershipOffer:
        """To the two whom it concerns; there is none for anybody else."""
        async with self._db.begin(caller.org) as tx:
            return _shown(await self._found(tx, caller))

    async def withdraw(self, caller: Person) -> None:
        """The owner's; and it is not there to be accepted any more."""
        require_owner(caller)
        async with self._db.begin(caller.org) as tx:
            await require_still_owner(tx, caller, self._db.clock.now())
            found = await self._found(tx, caller)
            await store.drop_offer(tx, caller.org)
            audit.note(tx, caller.org, Act.OWNERSHIP_WITHDRAWN, by=caller, about=found.offered_to)

    async def decline(self, caller: Person) -> None:
        async with self._db.begin(caller.org) as tx:
            await staff_store.lock_administrators(tx, caller.org)
            found = await self._found(tx, caller, made_to_caller=True)
            await store.drop_offer(tx, caller.org)
            audit.note(tx, caller.org, Act.OWNERSHIP_DECLINED, by=caller, about=found.offered_by)

    async def accept(self, caller: Person) -> None:
        """The types of both change at once; both log in anew, for their tokens say what they were."""
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            # All of them: neither of the two is suspended meanwhile, and of accepting and withdrawing one comes second.
            await staff_store.lock_administrators(tx, caller.org)
            await require_live(tx, caller, self._db.clock.now())
            found = await self._found(tx, caller, made_to_caller=True)
            await store.drop_offer(tx, caller.org)
            old, new = found.offered_by, found.offered_to
            # In this order: an organisation has one owner at most at any moment.
            was = await store.set_type(tx, caller.org, old, StaffType.OWNER, StaffType.ADMINISTRATOR)
            now = await store.set_type(tx, caller.org, new, StaffType.ADMINISTRATOR, StaffType.OWNER)
            if was is None or now is None:
                raise _no_offer()
            await self._transferred(tx, was, now)
            audit.note(tx, caller.org, Act.OWNERSHIP_TRANSFERRED, by=caller, about=new)
            audit.note(tx, caller.org, Act.OWNERSHIP_TRANSFERRED, by=caller, about=old)

    async def _transferred(self, tx: Tx, old: StaffRow, new: StaffRow) -> None:
        organisation = await organisation_store.count_version(tx, old.org)
        assert organisation is not None
        told = OrganisationTransferred(org=old.org, state=state_of(organisation), old_owner=old.id, new_owner=new.id)
        await tx.emit(told)
        for person in (old, new):
            await tx.emit(StaffChanged(org=person.org, state=person.state))
            await self._sessions.end_all(tx, person.org, person.id, "ownership_transferred")
            await self._messages.send_notice(tx, person, organisation, NoticeKind.OWNERSHIP_TRANSFERRED)

    async def _found(self, tx: Tx, caller: Person, *, made_to_caller: bool = False) -> OfferRow:
        found = await store.live_offer(tx, caller.org, self._db.clock.now())
        concerned = (
            () if found is None else (found.offered_to,) if made_to_caller else (found.offered_by, found.offered_to)
        )
        if found is None or caller.staff not in concerned:
            raise _no_offer()
        return found

    async def _tell(self, tx: Tx, kind: NoticeKind, person: StaffRow) -> None:
        organisation = await organisation_store.organisation(tx, person.org)
        assert organisation is not None
        await self._messages.send_notice(tx, person, organisation, kind)


def require_owner(caller: Person) -> None:
    if caller.type is not StaffType.OWNER:
        raise Forbidden("owner_only", "This is for the organisation's owner.")


async def require_still_owner(tx: Tx, caller: Person, now: datetime) -> None:
    """With everybody held who can administer: the token may have been issued before the organisation changed hands."""
    await staff_store.lock_administrators(tx, caller.org)
    await require_live(tx, caller, now)
    person = await staff_store.staff(tx, caller.org, caller.staff)
    if person is None or person.type is not StaffType.OWNER:
        raise Forbidden("owner_only", "This is for the organisation's owner.")


def _no_offer() -> NotFound:
    return NotFound("no_offer", "The organisation is not offered to anybody, or not any more.")


def _shown(row: OfferRow) -> OwnershipOffer:
    return OwnershipOffer(
        offered_by=row.offered_by, to=row.offered_to, offered_at=row.offered_at, expires_at=row.expires_at
    )
