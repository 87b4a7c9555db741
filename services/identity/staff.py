"""Staff accounts: adding people, putting them out and letting them back in. invited -> active <-> suspended."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity import audit, names
from services.identity.audit import Act
from services.identity.links import Links
from services.identity.permits import Permits, nobody
from services.identity.sessions import Sessions
from services.identity.store import logins as login_store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as store
from services.identity.store.staff import StaffRow
from services.identity.telephone import e164
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import (
    ActivationSent,
    AddStaff,
    LinkPurpose,
    Staff,
    StaffAdded,
    StaffList,
    StaffReactivated,
    StaffStatus,
    StaffSuspended,
)
from staffgate.contracts.level import Level


class StaffAccounts:
    def __init__(self, db: Database, links: Links, permits: Permits, sessions: Sessions) -> None:
        self._db = db
        self._links = links
        self._permits = permits
        self._sessions = sessions

    async def add(self, caller: Person, wanted: AddStaff) -> Staff:
        """The new person is invited; nothing is sent until somebody asks for it, so permissions can be set before."""
        await self._permits.require(caller, "create")
        _require_no_more_than_own(caller, wanted)
        username = _username(wanted)
        new = store.NewStaff(
            id=self._db.ids.uuid(),
            type=StaffType(wanted.type),
            username=username,
            username_key=names.key(username),
            extension=wanted.extension,
            portal=wanted.portal,
            weblink=self._db.ids.secret(),
            name=wanted.name.strip(),
            email=wanted.email,
            mobile=e164(wanted.mobile),
            default_level=wanted.default_level,
            route_anywhere=wanted.route_anywhere,
        )
        async with self._db.begin(caller.org) as tx:
            if not await store.take_name(tx, caller.org, new.username_key):
                detail = "Somebody in your organisation has, or had, this username; choose another."
                raise Conflict("username_taken", detail)
            person = await store.add_staff(tx, caller.org, new, self._db.clock.now())
            if person is None:
                raise Conflict("extension_taken", "Somebody in your organisation has this extension; choose another.")
            await tx.emit(StaffAdded(org=caller.org, state=person.state))
            audit.note(tx, caller.org, Act.USER_CREATED, by=caller, about=person.id, type=person.type)
        return shown(person, self._db.clock.now())

    async def list(self, caller: Person) -> StaffList:
        """Those whom the caller may view."""
        rows = await self._permits.rows(caller)
        async with self._db.begin(caller.org) as tx:
            return StaffList(
                staff=[shown(row, self._db.clock.now()) for row in await store.staff_within(tx, caller.org, rows)]
            )

    async def show(self, caller: Person, id: UUID) -> Staff:
        """Everybody sees their own account, whatever authz says."""
        if id != caller.staff:
            await self._permits.require_over(caller, "view", id)
        async with self._db.begin(caller.org) as tx:
            return shown(_found(await store.staff(tx, caller.org, id)), self._db.clock.now())

    async def send_activation(self, caller: Person, id: UUID) -> ActivationSent:
        """Any time, and again at will: the newest link is the only one that works."""
        await self._permits.require_over(caller, "edit", id)
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person = _found(await store.lock_staff(tx, caller.org, id))
            if person.status is not StaffStatus.INVITED:
                raise Conflict("not_invited", f"This account is {person.status}; only one not activated yet can be.")
            organisation = await organisation_store.organisation(tx, caller.org)
            assert organisation is not None
            purpose = LinkPurpose.CONFIRM if person.type is StaffType.OWNER else LinkPurpose.ACTIVATE
            expires_at = await self._links.send(tx, person, organisation, purpose)
            count = await store.count_activation(tx, caller.org, id, now)
            audit.note(tx, caller.org, Act.ACTIVATION_SENT, by=caller, about=id)
        return ActivationSent(sent_at=now, sent_count=count, expires_at=expires_at)

    async def suspend(self, caller: Person, id: UUID) -> Staff:
        """Out everywhere: no login, no refresh, and the access tokens that are out are refused by every service."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            # All of them, and before the person: of two who suspend each other one comes second, and is not the last.
            administrators = await store.lock_administrators(tx, caller.org)
            person = _found(await store.lock_staff(tx, caller.org, id))
            if id == caller.staff:
                raise Forbidden("own_account", "You can't suspend your own account.")
            if person.type is StaffType.OWNER:
                raise Forbidden("owner", "The owner can't be suspended; hand the organisation over first.")
            _require_not_above(caller, person.type)
            if administrators == [id]:
                raise Conflict("last_administrator", "This is the last active administrator; somebody has to be left.")
            changed = await self._change(tx, person, StaffStatus.ACTIVE, StaffStatus.SUSPENDED)
            await tx.emit(StaffSuspended(org=caller.org, state=changed.state))
            await self._sessions.end_all(tx, caller.org, id, "suspended")
            await login_store.end_logins_of(tx, caller.org, id, self._db.clock.now())
            audit.note(tx, caller.org, Act.USER_SUSPENDED, by=caller, about=id)
        return shown(changed, self._db.clock.now())

    async def reactivate(self, caller: Person, id: UUID) -> Staff:
        """The account works again; the person logs in anew."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            person = _found(await store.lock_staff(tx, caller.org, id))
            _require_not_above(caller, person.type)
            changed = await self._change(tx, person, StaffStatus.SUSPENDED, StaffStatus.ACTIVE)
            await tx.emit(StaffReactivated(org=caller.org, state=changed.state))
            audit.note(tx, caller.org, Act.USER_REACTIVATED, by=caller, about=id)
        return shown(changed, self._db.clock.now())

    async def _change(self, tx: Tx, person: StaffRow, old: StaffStatus, new: StaffStatus) -> StaffRow:
        changed = await store.set_status(tx, person.org, person.id, old, new)
        if changed is None:
            raise Conflict(f"not_{old}", f"This account is {person.status}; only one that is {old} can become {new}.")
        return changed


def shown(row: StaffRow, now: datetime) -> Staff:
    return Staff(
        id=row.id,
        type=row.type,
        status=row.status,
        locked=row.locked(now),
        username=row.username,
        extension=row.extension,
        portal=row.portal,
        roles=row.role_names,
        team=row.team_name,
        availability=row.availability,
        name=row.name,
        email=row.email,
        mobile=row.mobile,
        default_level=row.default_level,
        route_anywhere=row.route_anywhere,
        activation_sent_at=row.activation_sent_at,
        activation_sent_count=row.activation_sent_count,
        version=row.version,
    )


def _username(wanted: AddStaff) -> str:
    if wanted.username is not None:
        return wanted.username
    if wanted.extension is None:
        raise Invalid("username_missing", "Give a username, or an extension that it is taken from.")
    return wanted.extension


def _require_not_above(caller: Person, type: StaffType) -> None:
    """A type is above all levels: permission to edit staff accounts reaches no administrator's."""
    if type is not StaffType.STANDARD and not caller.administers:
        raise Forbidden("administrators_only", "This is for the organisation's owner and administrators.")


def _require_no_more_than_own(caller: Person, wanted: AddStaff) -> None:
    """Nobody hands out more than they have (permission model, section 6)."""
    _require_not_above(caller, StaffType(wanted.type))
    if not caller.administers and (wanted.default_level is not Level.DENY or wanted.route_anywhere):
        detail = "Add them with the default level Deny, and give them permissions afterwards."
        raise Forbidden("more_than_own", detail)


def _found(row: StaffRow | None) -> StaffRow:
    if row is None:
        raise nobody()
    return row
