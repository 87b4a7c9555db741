"""What becomes of an account: invited -> active <-> suspended, and deleted from each of them, for ever.

Every step is one change, one event and one entry of the audit log, in one transaction.
"""

from __future__ import annotations

from uuid import UUID

from services.identity.authority import require_not_above
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.permits import Permits, nobody
from services.identity.session.sessions import Sessions
from services.identity.staff.accounts import shown
from services.identity.store import factors as factor_store
from services.identity.store import lifecycle as store
from services.identity.store import links as link_store
from services.identity.store import logins as login_store
from services.identity.store import staff as staff_store
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import Staff, StaffDeleted, StaffReactivated, StaffStatus, StaffSuspended


class Lifecycle:
    def __init__(self, db: Database, permits: Permits, sessions: Sessions, weblink_url: str) -> None:
        self._db = db
        self._permits = permits
        self._sessions = sessions
        self._weblink_url = weblink_url

    async def suspend(self, caller: Person, id: UUID, handover_to: UUID | None = None) -> Staff:
        """Out everywhere: no login, no refresh, and the access tokens that are out are refused by every service."""
        await self._permits.require_over(caller, "edit", id)
        await self._require_in_sight(caller, handover_to)
        async with self._db.begin(caller.org) as tx:
            person = await self._held(tx, caller, id, handover_to)
            changed = await store.suspend_staff(tx, caller.org, id, self._db.clock.now())
            if changed is None:
                raise _not(StaffStatus.ACTIVE, person)
            await tx.emit(StaffSuspended(org=caller.org, state=changed.state, handover_to=handover_to))
            await self.put_out(tx, changed, "suspended")
            audit.note(tx, caller.org, Act.USER_SUSPENDED, by=caller, about=id, handover_to=_text(handover_to))
        return shown(changed, self._db.clock.now(), self._weblink_url)

    async def reactivate(self, caller: Person, id: UUID) -> Staff:
        """The account works again; the person logs in anew."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            person = _found(await staff_store.lock_staff(tx, caller.org, id))
            require_not_above(caller, person.type)
            changed = await store.reactivate_staff(tx, caller.org, id)
            if changed is None:
                raise _not(StaffStatus.SUSPENDED, person)
            await tx.emit(StaffReactivated(org=caller.org, state=changed.state))
            audit.note(tx, caller.org, Act.USER_REACTIVATED, by=caller, about=id)
        return shown(changed, self._db.clock.now(), self._weblink_url)

    async def delete(self, caller: Person, id: UUID, handover_to: UUID | None = None) -> None:
        """A tombstone is left, so that neither the id nor the username is anybody's again."""
        await self._permits.require_over(caller, "delete", id)
        await self._require_in_sight(caller, handover_to)
        async with self._db.begin(caller.org) as tx:
            await self._held(tx, caller, id, handover_to)
            deleted = _found(await store.delete_staff(tx, caller.org, id, self._db.clock.now()))
            await tx.emit(StaffDeleted(org=caller.org, state=deleted.state, handover_to=handover_to))
            await self.put_out(tx, deleted, "deleted")
            await self.disarm(tx, deleted)
            audit.note(tx, caller.org, Act.USER_DELETED, by=caller, about=id, handover_to=_text(handover_to))

    async def log_out(self, caller: Person, id: UUID) -> None:
        """End everything that the person is signed in with. They may log in anew."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            person = _found(await staff_store.lock_staff(tx, caller.org, id))
            require_not_above(caller, person.type)
            ended = await self._sessions.end_all(tx, caller.org, id, "ended_by_admin")
            await login_store.end_logins_of(tx, caller.org, id, self._db.clock.now())
            audit.note(tx, caller.org, Act.SESSIONS_ENDED, by=caller, about=id, sessions=len(ended))

    async def put_out(self, tx: Tx, person: StaffRow, reason: str) -> None:
        """Sessions end, logins that were begun come to nothing, and links of e-mails are dead."""
        now = self._db.clock.now()
        await self._sessions.end_all(tx, person.org, person.id, reason)
        await login_store.end_logins_of(tx, person.org, person.id, now)
        await link_store.kill_links_of(tx, person.org, person.id, now)

    async def disarm(self, tx: Tx, person: StaffRow) -> None:
        """Nothing that the person ever proved counts any more: password, factors, known devices."""
        await store.forget_password(tx, person.org, person.id)
        await factor_store.drop_factors(tx, person.org, person.id)

    # --- who may be put out, and to whom their work may go ----------------------------------------------------

    async def _held(self, tx: Tx, caller: Person, id: UUID, handover_to: UUID | None) -> StaffRow:
        """The person, whom the caller may put out, held until the commit as the receiver is."""
        # All of them, and before the person: of two who put each other out, or hand over to each other, one comes second.
        administrators = await staff_store.lock_administrators(tx, caller.org)
        person = _found(await staff_store.lock_staff(tx, caller.org, id))
        receiver = await staff_store.lock_staff(tx, caller.org, handover_to) if handover_to else None
        if id == caller.staff:
            raise Forbidden("own_account", "You can't put out your own account.")
        if person.type is StaffType.OWNER:
            raise Forbidden("owner", "The owner can't be put out; hand the organisation over first.")
        require_not_above(caller, person.type)
        require_another(administrators, id)
        require_still_there(caller, administrators)
        if handover_to is not None:
            _require_receiver(person, receiver)
        return person

    async def _require_in_sight(self, caller: Person, handover_to: UUID | None) -> None:
        """Whom the caller may not see is not there for them."""
        if handover_to is None:
            return
        try:
            await self._permits.require_over(caller, "view", handover_to)
        except (Forbidden, NotFound) as fault:
            raise _no_receiver() from fault


def require_another(administrators: list[UUID], id: UUID) -> None:
    if administrators == [id]:
        raise Conflict("last_administrator", "This is the last active administrator; somebody has to be left.")


def require_still_there(caller: Person, administrators: list[UUID]) -> None:
    """Of two administrators who put each other out at once, one does: the other is none any more."""
    if caller.administers and caller.staff not in administrators:
        raise Unauthenticated("token_refused", "This access token is not accepted (session_ended).")


def _require_receiver(person: StaffRow, receiver: StaffRow | None) -> None:
    if receiver is None or receiver.id == person.id:
        raise _no_receiver()
    if receiver.status is not StaffStatus.ACTIVE or not receiver.portal:
        raise _no_receiver()


def _no_receiver() -> Invalid:
    detail = "Work is handed over to a colleague whose account is active, with portal; name one of them, or nobody."
    return Invalid("handover_impossible", detail, at="$.handover_to")


def _text(id: UUID | None) -> str:
    return "" if id is None else str(id)


def _not(wanted: StaffStatus, person: StaffRow) -> Conflict:
    return Conflict(f"not_{wanted}", f"This account is {person.status}; only one that is {wanted} can be changed so.")


def _found(row: StaffRow | None) -> StaffRow:
    if row is None:
        raise nobody()
    return row
