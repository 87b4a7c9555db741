"""Staff accounts: adding people, showing them, and inviting them in."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from services.identity import names
from services.identity.authority import require_not_above
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.password.links import LIFETIME, Links
from services.identity.permits import Permits, nobody
from services.identity.session.sessions import require_live
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as store
from services.identity.store.staff import StaffRow
from services.identity.telephone import e164
from shared.db import Database
from shared.errors import Conflict, Forbidden, Invalid
from shared.ids import Ids
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import (
    Activation,
    ActivationSent,
    AddStaff,
    LinkPurpose,
    Staff,
    StaffAdded,
    StaffStatus,
    Unreachable,
)
from staffgate.contracts.level import Level


class StaffAccounts:
    def __init__(self, db: Database, links: Links, permits: Permits, weblink_url: str) -> None:
        self._db = db
        self._links = links
        self._permits = permits
        self._weblink_url = weblink_url

    async def add(self, caller: Person, wanted: AddStaff) -> Staff:
        """The new person is invited; nothing is sent until somebody asks for it, so permissions can be set before."""
        await self._permits.require(caller, "create")
        require_no_more_than_own(caller, wanted)
        new = drafted(self._db.ids, wanted)
        async with self._db.begin(caller.org) as tx:
            await require_live(tx, caller, self._db.clock.now())
            if not await store.take_name(tx, caller.org, new.username_key):
                detail = "Somebody in your organisation has, or had, this username; choose another."
                raise Conflict("username_taken", detail)
            person = await store.add_staff(tx, caller.org, new, self._db.clock.now())
            if person is None:
                raise Conflict("extension_taken", "Somebody in your organisation has this extension; choose another.")
            await tx.emit(StaffAdded(org=caller.org, state=person.state))
            audit.note(tx, caller.org, Act.USER_CREATED, by=caller, about=person.id, type=person.type)
        return shown(person, self._db.clock.now(), self._weblink_url)

    async def show(self, caller: Person, id: UUID) -> Staff:
        return (await self.tagged(caller, id))[0]

    async def tagged(self, caller: Person, id: UUID) -> tuple[Staff, str]:
        """With the tag that an edit can be bound to. Everybody sees their own account, whatever authz says."""
        if id != caller.staff:
            await self._permits.require_over(caller, "view", id)
        async with self._db.begin(caller.org) as tx:
            row = _found(await store.staff(tx, caller.org, id))
        return shown(row, self._db.clock.now(), self._weblink_url), tag(row)

    async def send_activation(self, caller: Person, id: UUID) -> ActivationSent:
        """Any time, and again at will: the newest link is the only one that works."""
        await self._permits.require_over(caller, "edit", id)
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person = _found(await store.lock_staff(tx, caller.org, id))
            require_not_above(caller, person.type)
            if person.status is not StaffStatus.INVITED:
                raise Conflict("not_invited", f"This account is {person.status}; only one not activated yet can be.")
            organisation = await organisation_store.organisation(tx, caller.org)
            assert organisation is not None
            purpose = LinkPurpose.CONFIRM if person.type is StaffType.OWNER else LinkPurpose.ACTIVATE
            expires_at = await self._links.send(tx, person, organisation, purpose)
            count = await store.count_activation(tx, caller.org, id, now)
            audit.note(tx, caller.org, Act.ACTIVATION_SENT, by=caller, about=id)
        return ActivationSent(sent_at=now, sent_count=count, expires_at=expires_at)


def shown(row: StaffRow, now: datetime, weblink_url: str) -> Staff:
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
        locale=row.locale,
        default_level=row.default_level,
        route_anywhere=row.route_anywhere,
        activation=_activation(row, now),
        activation_sent_at=row.activation_sent_at,
        activation_sent_count=row.activation_sent_count,
        weblink=None if row.weblink is None else weblink_url + row.weblink,
        unreachable=_unreachable(row),
        version=row.version,
    )


def _unreachable(row: StaffRow) -> list[Unreachable]:
    found = []
    if row.email_failure and row.email_failed_at:
        found.append(Unreachable(channel="email", reason=row.email_failure, since=row.email_failed_at))
    if row.mobile_failure and row.mobile_failed_at:
        found.append(Unreachable(channel="sms", reason=row.mobile_failure, since=row.mobile_failed_at))
    return found


def tag(row: StaffRow) -> str:
    """Of what can be edited: that somebody goes for lunch is no change to their account."""
    content = (
        row.type,
        row.status,
        row.portal,
        row.username,
        row.extension,
        row.name,
        row.email,
        row.mobile,
        row.locale,
    )
    return f'"{hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:32]}"'


def _activation(row: StaffRow, now: datetime) -> Activation:
    if row.status is StaffStatus.INVITED:
        if row.activation_sent_at is None:
            return Activation.NOT_SENT
        if row.email_failure:
            return Activation.UNDELIVERABLE
        return Activation.SENT if now < row.activation_sent_at + LIFETIME else Activation.EXPIRED
    return Activation.DONE if row.portal else Activation.NOT_NEEDED


def drafted(ids: Ids, wanted: AddStaff) -> store.NewStaff:
    """As it is to be written; the same for one who is added and for each one of a file."""
    username = _username(wanted)
    return store.NewStaff(
        id=ids.uuid(),
        type=StaffType(wanted.type),
        username=username,
        username_key=names.key(username),
        extension=wanted.extension,
        portal=wanted.portal,
        weblink=ids.secret(),
        name=wanted.name.strip(),
        email=wanted.email,
        mobile=e164(wanted.mobile),
        locale=wanted.locale,
        default_level=wanted.default_level,
        route_anywhere=wanted.route_anywhere,
    )


def _username(wanted: AddStaff) -> str:
    if wanted.username is not None:
        return wanted.username
    if wanted.extension is None:
        raise Invalid("username_missing", "Give a username, or an extension that it is taken from.")
    return wanted.extension


def require_no_more_than_own(caller: Person, wanted: AddStaff) -> None:
    """Nobody hands out more than they have (permission model, section 6)."""
    require_not_above(caller, StaffType(wanted.type))
    if not caller.administers and (wanted.default_level is not Level.DENY or wanted.route_anywhere):
        detail = "Add them with the default level Deny, and give them permissions afterwards."
        raise Forbidden("more_than_own", detail)


def _found(row: StaffRow | None) -> StaffRow:
    if row is None:
        raise nobody()
    return row
