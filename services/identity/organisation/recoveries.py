"""Letting an owner in again who has lost every factor and the mailbox: nobody in the organisation can, so an operator does.

Whoever talks an operator into it gets the organisation, so it waits, and those whom it concerns hear of it before: the
old address and everybody else who administers the organisation. An owner who can log in after all does, which stops it;
so does the operator, told by any of them. What is carried out leaves nothing to get in with but the new mailbox.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog

from services.identity import names
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.organisation.security import changes
from services.identity.password.links import Links
from services.identity.staff.lifecycle import Lifecycle
from services.identity.store import contacts as contact_store
from services.identity.store import factors as factor_store
from services.identity.store import organisations as organisation_store
from services.identity.store import ownership as ownership_store
from services.identity.store import recoveries as store
from services.identity.store import security as security_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.recoveries import RecoveryRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Database, Tx
from shared.errors import Conflict, NotFound, TooMany, Unavailable
from shared.rounds import Round
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import LinkPurpose, NoticeKind, StaffStatus

_EVERY = 60.0  # seconds; what counts is hours
_BATCH = 20
log = structlog.get_logger()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator wants, and why: both are written down."""

    email: str
    reason: str
    operator: str


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it would be about; `waiting` is what was asked before."""

    organisation: OrganisationRow
    person: StaffRow
    waiting: RecoveryRow | None


class Recoveries:
    def __init__(self, db: Database, links: Links, lifecycle: Lifecycle, messages: Messages) -> None:
        self._db = db
        self._links = links
        self._lifecycle = lifecycle
        self._messages = messages
        self.round = Round("recoveries", _EVERY, self.sweep)

    async def look(self, name: str) -> Owner:
        """The owner of the organisation of that number or username."""
        async with self._db.begin_anywhere() as tx:
            org = await organisation_store.organisation_by_name(tx, names.key(name))
        if org is None:
            raise NotFound("not_found", "There is no organisation of that number or username.")
        async with self._db.begin(org) as tx:
            organisation, person = await _owner(tx, org)
            return Owner(organisation=organisation, person=person, waiting=await store.recovery(tx, org))

    async def ask(self, org: UUID, owner: UUID, asked: Asked, wait: timedelta) -> RecoveryRow:
        """Tell everybody whom it concerns, and wait; without a wait it is carried out in the same transaction. `owner`:
        whom the operator has looked at."""
        now = self._db.clock.now()
        async with self._db.begin(org) as tx:
            organisation, person = await _owner(tx, org)
            if person.id != owner:
                raise Conflict("owner_changed", "The organisation has another owner since you looked; look again.")
            new = RecoveryRow(
                staff=person.id, email=asked.email, reason=asked.reason, operator=asked.operator, asked_at=now,
                due_at=now + wait,
            )  # fmt: skip
            if not await store.add_recovery(tx, org, new):
                raise Conflict("recovery_waits", "A recovery of this owner waits already; stop it before.")
            _note(tx, org, Act.RECOVERY_ASKED, new)
            if wait:
                hours = wait // timedelta(hours=1)
                await self._tell(tx, person, organisation, NoticeKind.RECOVERY_ASKED, hours=str(hours))
            else:
                await self._carry_out(tx, org)
        return new

    async def stop(self, org: UUID, reason: str, operator: str) -> None:
        async with self._db.begin(org) as tx:
            await staff_store.lock_administrators(tx, org)
            waiting = await store.recovery(tx, org)
            if waiting is None or not await store.stop_recovery(tx, org):
                raise NotFound("not_found", "No recovery of this organisation's owner waits.")
            audit.note(tx, org, Act.RECOVERY_STOPPED, about=waiting.staff, operator=operator, reason=reason)

    # --- when it is due ---------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Carry out what is due; how many they were. One that fails keeps no other back, and is tried again."""
        async with self._db.begin_anywhere() as tx:
            due = await store.due_anywhere(tx, self._db.clock.now(), _BATCH)
        return sum([await self._try(org) for org in due])

    async def _try(self, org: UUID) -> bool:
        trace.begin()
        try:
            async with self._db.begin(org) as tx:
                return await self._carry_out(tx, org)
        except Unavailable:
            raise
        except Exception:
            log.exception("recovery.failed", org=str(org))
            return False

    async def _carry_out(self, tx: Tx, org: UUID) -> bool:
        """False where another replica was first, or it was stopped meanwhile. Everybody who administers is held first, as
        by whoever hands the organisation over."""
        await staff_store.lock_administrators(tx, org)
        now = self._db.clock.now()
        found = await store.take_recovery(tx, org, now)
        if found is None:
            return False
        person = await staff_store.lock_staff(tx, org, found.staff)
        organisation = await organisation_store.lock_organisation(tx, org)
        if person is None or organisation is None or not _is_owner(organisation, person):
            audit.note(tx, org, Act.RECOVERY_STOPPED, about=found.staff, reason="not_owner")
            return True
        # The tries come before the passkeys, as in a login that shows one: two orders of locking are a deadlock.
        await factor_store.forget_tries(tx, org, person.id, now)
        await self._lifecycle.put_out(tx, person, "owner_recovered")
        await self._lifecycle.disarm(tx, person)
        await ownership_store.drop_offer(tx, org)
        await _open_networks(tx, organisation, found)
        changed = await contact_store.set_email(tx, org, person.id, found.email, None)
        assert changed is not None
        await self._tell(tx, person, organisation, NoticeKind.OWNER_RECOVERED)
        purpose = LinkPurpose.RESET if person.status is StaffStatus.ACTIVE else LinkPurpose.CONFIRM
        with suppress(TooMany):  # ten were sent today; the login page sends the next
            await self._links.send(tx, changed, organisation, purpose)
        _note(tx, org, Act.OWNER_RECOVERED, found)
        return True

    async def _tell(
        self, tx: Tx, owner: StaffRow, organisation: OrganisationRow, kind: NoticeKind, **facts: str
    ) -> None:  # fmt: skip
        """The owner, as they were: at the old address. And everybody else who administers the organisation."""
        await self._messages.send_notice(tx, owner, organisation, kind, **facts)
        for id in await staff_store.lock_administrators(tx, owner.org):
            one = await staff_store.staff(tx, owner.org, id)
            if one is not None and id != owner.id:
                await self._messages.send_notice(tx, one, organisation, kind, **facts)


async def _owner(tx: Tx, org: UUID) -> tuple[OrganisationRow, StaffRow]:
    """Held, after everybody who administers."""
    await staff_store.lock_administrators(tx, org)
    organisation = await organisation_store.organisation(tx, org)
    id = await store.owner(tx, org)
    person = await staff_store.lock_staff(tx, org, id) if id else None
    if organisation is None or person is None or not _is_owner(organisation, person):
        raise NotFound("no_owner", "This organisation has been closed; nobody gets in any more.")
    return organisation, person


async def _open_networks(tx: Tx, organisation: OrganisationRow, found: RecoveryRow) -> None:
    """Whoever was in the account may have set them, and the owner comes with a code by e-mail, which gets nobody past
    them. The operator's own floor stays."""
    old = organisation.policy
    if old.networks:
        new = msgspec.structs.replace(old, networks=[])
        await security_store.set_security(tx, organisation.org, new)
        lines = [*changes(old, new)]
        audit.note(tx, organisation.org, Act.SECURITY_CHANGED, operator=found.operator, changed=lines)


def _is_owner(organisation: OrganisationRow, person: StaffRow) -> bool:
    return person.type is StaffType.OWNER and organisation.closed_at is None


def _note(tx: Tx, org: UUID, act: Act, asked: RecoveryRow) -> None:
    """As the operator's act, which is nobody's of the organisation."""
    hours = (asked.due_at - asked.asked_at) // timedelta(hours=1)
    audit.note(tx, org, act, about=asked.staff, operator=asked.operator, reason=asked.reason, hours=hours)
