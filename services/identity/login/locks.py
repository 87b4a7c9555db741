"""Locked accounts: where the organisation wants it, after so many wrong passwords in a row from devices not known.

A lock looks like a wrong password. It does not keep out whoever comes from a known device or has used a reset link, so a
stranger can lock nobody out by guessing; it ends by itself, by an administrator or by a reset.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.identity.authority import require_administrator
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.throttle import Throttle
from services.identity.messages import Messages
from services.identity.permits import Permits, nobody
from services.identity.staff.accounts import shown
from services.identity.store import logins as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from shared.db import Database
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import NoticeKind, Staff, StaffStatus


class Locks:
    def __init__(
        self, db: Database, throttle: Throttle, messages: Messages, permits: Permits, weblink_url: str
    ) -> None:
        self._db = db
        self._weblink_url = weblink_url
        self._throttle = throttle
        self._messages = messages
        self._permits = permits

    async def consider(self, org: UUID, staff: UUID, failures: int) -> None:
        """After a wrong password; in a transaction of its own, for the person comes before what was counted there."""
        async with self._db.begin(org) as tx:
            organisation = await organisation_store.organisation(tx, org)
            person = await staff_store.lock_staff(tx, org, staff)
            now = self._db.clock.now()
            if organisation is None or person is None or not is_due(organisation, failures):
                return
            if person.status is not StaffStatus.ACTIVE or person.locked(now):
                return
            minutes = organisation.policy.lock.minutes
            until = None if minutes is None else now + timedelta(minutes=minutes)
            await store.lock_account(tx, org, staff, now, until)
            await self._throttle.begin_anew(tx, person)
            audit.note(tx, org, Act.LOCKED, about=staff, failures=failures)
            facts = {"failures": str(failures), "minutes": "" if minutes is None else str(minutes)}
            await self._messages.send_notice(tx, person, organisation, NoticeKind.ACCOUNT_LOCKED, **facts)

    async def unlock(self, caller: Person, id: UUID) -> Staff:
        """Let them try again: neither a lock nor a back-off is left. Also where there was none."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, id)
            if person is None:
                raise nobody()
            if person.type is not StaffType.STANDARD:
                require_administrator(caller)
            await store.unlock_account(tx, caller.org, id)
            await self._throttle.forgive(tx, person)
            audit.note(tx, caller.org, Act.UNLOCKED, by=caller, about=id)
            unlocked = await staff_store.staff(tx, caller.org, id)
        assert unlocked is not None
        return shown(unlocked, self._db.clock.now(), self._weblink_url)


def is_due(organisation: OrganisationRow | None, failures: int) -> bool:
    after = None if organisation is None else organisation.policy.lock.after
    return after is not None and failures >= after
