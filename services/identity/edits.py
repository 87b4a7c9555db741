"""Changing an account: what it is called, where its person is reached, its type, and whether it has the portal."""

from __future__ import annotations

import hashlib
from uuid import UUID

import msgspec
from msgspec import UNSET

from services.identity import audit, names
from services.identity.audit import Act
from services.identity.authority import require_administrator, require_not_above
from services.identity.lifecycle import Lifecycle, require_another, require_still_there
from services.identity.messages import Messages
from services.identity.permits import Permits, nobody
from services.identity.staff import shown
from services.identity.store import lifecycle as store
from services.identity.store import links as link_store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.lifecycle import Edited
from services.identity.store.staff import StaffRow
from services.identity.telephone import e164
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, PreconditionFailed
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import EditStaff, NoticeKind, Staff, StaffChanged, StaffStatus

_GRAVE = {"type", "portal"}  # the other services are told of it
_OWN = {"email", "mobile"}  # what its person changes, and proves to have, at /v1/me


class Edits:
    def __init__(
        self, db: Database, permits: Permits, lifecycle: Lifecycle, messages: Messages, weblink_url: str
    ) -> None:
        self._db = db
        self._permits = permits
        self._lifecycle = lifecycle
        self._messages = messages
        self._weblink_url = weblink_url

    async def edit(self, caller: Person, id: UUID, wanted: EditStaff, if_match: str | None) -> tuple[Staff, str]:
        """The account as it is now, and its tag."""
        await self._permits.require_over(caller, "edit", id)
        named = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
        if not named:
            raise Invalid("nothing_to_change", "Name at least one thing that is to be otherwise.")
        async with self._db.begin(caller.org) as tx:
            # Before the person, as everybody does who may put one of them out.
            administrators = await staff_store.lock_administrators(tx, caller.org) if _GRAVE & {*named} else []
            person = await staff_store.lock_staff(tx, caller.org, id)
            if person is None:
                raise nobody()
            require_match(if_match, person)
            new = _new(person, wanted)
            changed = {name for name in named if getattr(person, name) != getattr(new, name)}
            _require_may(caller, person, changed, administrators)
            row = await self._write(tx, caller, person, new, changed) if changed else person
        return shown(row, self._db.clock.now(), self._weblink_url), tag(row)

    async def _write(self, tx: Tx, caller: Person, person: StaffRow, new: Edited, changed: set[str]) -> StaffRow:
        if "email" in changed and _confirms(person):
            detail = "Who has activated the account changes the address: POST it to /v1/me/email."
            raise Conflict("email_confirmed", detail)
        if new.username_key != names.key(person.username):
            await _take(tx, person.org, new.username_key)
        row = await store.edit_staff(tx, person.org, person.id, new)
        if row is None:
            raise extension_taken()
        if "email" in changed:
            await link_store.kill_links_of(tx, person.org, person.id, self._db.clock.now())
        if changed & _GRAVE:
            row = await self._after_grave(tx, person, row)
        if "mobile" in changed and _confirms(row):
            await self._tell(tx, row, NoticeKind.MOBILE_CHANGED)
        audit.note(tx, person.org, Act.USER_UPDATED, by=caller, about=person.id, changed=sorted(changed))
        return row

    async def _after_grave(self, tx: Tx, before: StaffRow, row: StaffRow) -> StaffRow:
        """Their tokens say what they were: they log in anew. Without portal there is nothing to get in with."""
        await tx.emit(StaffChanged(org=row.org, state=row.state))
        await self._lifecycle.put_out(tx, row, "changed")
        if before.portal and not row.portal:
            await self._lifecycle.disarm(tx, row)
        return row

    async def _tell(self, tx: Tx, person: StaffRow, kind: NoticeKind) -> None:
        organisation = await organisation_store.organisation(tx, person.org)
        assert organisation is not None
        await self._messages.send_notice(tx, person, organisation, kind)


def tag(row: StaffRow) -> str:
    """Of what can be edited: that somebody goes for lunch is no change to their account."""
    content = (row.type, row.status, row.portal, row.username, row.extension, row.name, row.email, row.mobile)
    return f'"{hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:32]}"'


def require_match(if_match: str | None, row: StaffRow) -> None:
    """RFC 9110, section 13.1.1."""
    if if_match is None or if_match.strip() == "*":
        return
    if tag(row) not in [one.strip() for one in if_match.split(",")]:
        raise PreconditionFailed("changed_meanwhile", "It is not as you last saw it; look again.", etag=tag(row))


def extension_taken() -> Conflict:
    return Conflict("extension_taken", "Somebody in your organisation has this extension; choose another.")


def _new(person: StaffRow, wanted: EditStaff) -> Edited:
    portal = person.portal if wanted.portal is UNSET else wanted.portal
    username = person.username if wanted.username is UNSET else wanted.username
    return Edited(
        type=person.type if wanted.type is UNSET else StaffType(wanted.type),
        status=_status(person, portal),
        portal=portal,
        username=username,
        username_key=names.key(username),
        extension=person.extension if wanted.extension is UNSET else wanted.extension,
        name=person.name if wanted.name is UNSET else wanted.name.strip(),
        email=person.email if wanted.email is UNSET else wanted.email,
        mobile=person.mobile if wanted.mobile is UNSET else e164(wanted.mobile),
    )


def _status(person: StaffRow, portal: bool) -> StaffStatus:
    """Whoever gets the portal has yet to activate the account; without it there is nothing to activate."""
    if portal and not person.portal:
        return StaffStatus.INVITED
    if person.portal and not portal and person.status is StaffStatus.INVITED:
        return StaffStatus.ACTIVE
    return person.status


def _confirms(person: StaffRow) -> bool:
    """Has this person shown that they read what is sent to the address?"""
    return person.portal and person.status is not StaffStatus.INVITED


def _require_may(caller: Person, person: StaffRow, changed: set[str], administrators: list[UUID]) -> None:
    require_not_above(caller, person.type)
    if caller.staff == person.id and changed & (_GRAVE | _OWN):
        raise Forbidden("own_account", "Your own address and number you change at /v1/me, type and portal others do.")
    if not changed & _GRAVE:
        return
    if person.type is StaffType.OWNER:
        raise Forbidden("owner", "The owner stays it, with portal; hand the organisation over first.")
    if "type" in changed:
        require_administrator(caller)
    if "portal" in changed and person.status is StaffStatus.SUSPENDED:
        raise Conflict("not_active", "This account is suspended; reactivate it before its portal is changed.")
    require_another(administrators, person.id)
    require_still_there(caller, administrators)


async def _take(tx: Tx, org: UUID, username_key: str) -> None:
    if not await staff_store.take_name(tx, org, username_key):
        raise Conflict("username_taken", "Somebody in your organisation has, or had, this username; choose another.")
