"""Closing an organisation: the owner's, for ever, and confirmed by typing its number.

With the commit nobody of it gets in any more: every session has ended, and no login, link or refresh passes by
`closed_at`. What takes its time follows in the background, some people at a time: each is told, and deleted like anybody
who leaves, so that their personal data goes when that of the deleted does. Names stay taken.
"""

from __future__ import annotations

from datetime import timedelta

from services.identity import names
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.organisation.organisations import state_of
from services.identity.organisation.ownership import require_owner, require_still_owner
from services.identity.session.sessions import Sessions
from services.identity.staff.lifecycle import Lifecycle
from services.identity.store import closing as store
from services.identity.store import lifecycle as lifecycle_store
from services.identity.store import organisations as organisation_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid
from shared.freshness import require_fresh
from shared.rounds import Round
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    NoticeKind,
    OrganisationClosed,
    OrganisationEnded,
    StaffDeleted,
    StaffStatus,
)

_BATCH = 50
_EVERY = 60.0  # seconds: another replica may have closed it, and died


class Closing:
    def __init__(
        self, db: Database, sessions: Sessions, lifecycle: Lifecycle, messages: Messages, erase_days: int
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._lifecycle = lifecycle
        self._messages = messages
        self._erased_after = timedelta(days=erase_days)
        self.round = Round("closing", _EVERY, self.sweep)

    async def close(self, caller: Person, number: str) -> OrganisationEnded:
        require_owner(caller)
        require_fresh(caller, self._db.clock)
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            await require_still_owner(tx, caller, now)
            organisation = await organisation_store.organisation(tx, caller.org)
            if organisation is None or names.key(number) != names.key(organisation.number):
                detail = "Type your organisation's number to confirm that it is this one; nothing has been closed."
                raise Invalid("wrong_number", detail, at="$.number")
            people = await store.signed_in(tx, caller.org, now)
            closed = await organisation_store.close(tx, caller.org, now)
            if closed is None:
                raise Conflict("already_closed", "This organisation has been closed.")
            for one in people:
                await self._sessions.end_all(tx, caller.org, one, "organisation_closed")
            await tx.emit(OrganisationClosed(org=caller.org, state=state_of(closed)))
            audit.note(tx, caller.org, Act.ORG_CLOSED, by=caller)
        self.round.wake()
        return OrganisationEnded(closed_at=now, erased_after=now + self._erased_after)

    # --- in the background ------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Tell and delete the next people of a closed organisation, or erase its lists; how many that were."""
        async with self._db.begin_anywhere() as tx:
            untold = await store.untold_anywhere(tx)
            erasable = None if untold else await store.erasable_anywhere(tx, self._db.clock.now() - self._erased_after)
        if untold is not None:
            async with self._db.begin(untold) as tx:
                organisation = await organisation_store.lock_organisation(tx, untold)
                assert organisation is not None
                return await self._put_out(tx, organisation)
        if erasable is not None:
            async with self._db.begin(erasable) as tx:
                return int(await store.erase_lists(tx, erasable, self._db.clock.now()))
        return 0

    async def _put_out(self, tx: Tx, organisation: OrganisationRow) -> int:
        people = await store.next_untold(tx, organisation.org, _BATCH)
        for person in people:
            if person.status is StaffStatus.ACTIVE and person.portal:
                await self._messages.send_notice(tx, person, organisation, NoticeKind.ORGANISATION_CLOSED)
            await self._delete(tx, person)
        await store.told_up_to(tx, organisation.org, people[-1].id if people else store.LAST)
        return max(len(people), 1)

    async def _delete(self, tx: Tx, person: StaffRow) -> None:
        deleted = await lifecycle_store.delete_staff(tx, person.org, person.id, self._db.clock.now())
        if deleted is None:
            return
        await tx.emit(StaffDeleted(org=person.org, state=deleted.state))
        await self._lifecycle.put_out(tx, deleted, "organisation_closed")
        await self._lifecycle.disarm(tx, deleted)
        audit.note(tx, person.org, Act.USER_DELETED, about=person.id, reason="organisation_closed")
