"""Changing an account: what it is called, where its person is reached, its type, and whether it has the portal."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET

from services.identity import names
from services.identity.authority import require_administrator, require_not_above
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.permits import Permits, nobody
from services.identity.staff.accounts import shown, tag
from services.identity.staff.contacts import Contacts
from services.identity.staff.lifecycle import Lifecycle, require_another, require_still_there
from services.identity.store import lifecycle as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.lifecycle import Edited
from services.identity.store.staff import StaffRow
from services.identity.telephone import e164
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid
from shared.freshness import require_fresh
from shared.preconditions import require_match
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import EditStaff, NoticeKind, Staff, StaffChanged, StaffStatus

_GRAVE = {"type", "portal"}  # the other services are told of it
_OWN = {"email", "mobile"}  # what its person changes, and proves to have, at /v1/me


class Edits:
    def __init__(
        self, db: Database, permits: Permits, lifecycle: Lifecycle, contacts: Contacts, messages: Messages,
        weblink_url: str,
    ) -> None:  # fmt: skip
        self._db = db
        self._permits = permits
        self._lifecycle = lifecycle
        self._contacts = contacts
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
            require_match(if_match, tag(person))
            changed = _changed(person, _new(person, wanted), {*named})
            self._require_may(caller, person, changed, administrators)
            row = await self._change(tx, caller, person, wanted, changed) if changed else person
        return shown(row, self._db.clock.now(), self._weblink_url), tag(row)

    async def _change(
        self, tx: Tx, caller: Person, person: StaffRow, wanted: EditStaff, changed: set[str]
    ) -> StaffRow:  # fmt: skip
        """An address that its person has shown to read is only proposed: the rest is changed at once."""
        organisation = await organisation_store.organisation(tx, person.org)
        assert organisation is not None
        row = person
        if isinstance(wanted.email, str) and "email" in changed:
            row = await self._contacts.propose_email(tx, person, organisation, wanted.email, by=caller)
            wanted = msgspec.structs.replace(wanted, email=UNSET)
        if changed - {"email"}:
            row = await self._write(tx, row, _new(row, wanted))
        if changed & _GRAVE:
            await self._after_grave(tx, person, row)
        if "mobile" in changed and _confirms(row):
            await self._messages.send_notice(tx, row, organisation, NoticeKind.MOBILE_CHANGED)
        audit.note(tx, person.org, Act.USER_UPDATED, by=caller, about=person.id, changed=sorted(changed))
        return row

    async def _write(self, tx: Tx, person: StaffRow, new: Edited) -> StaffRow:
        if new.username_key != names.key(person.username):
            await _take(tx, person.org, new.username_key)
        row = await store.edit_staff(tx, person.org, person.id, new)
        if row is None:
            raise Conflict("extension_taken", "Somebody in your organisation has this extension; choose another.")
        return row

    async def _after_grave(self, tx: Tx, before: StaffRow, row: StaffRow) -> None:
        """Their tokens say what they were: they log in anew. Without portal there is nothing to get in with."""
        await tx.emit(StaffChanged(org=row.org, state=row.state))
        await self._lifecycle.put_out(tx, row, "changed")
        if before.portal and not row.portal:
            await self._lifecycle.disarm(tx, row)

    def _require_may(self, caller: Person, person: StaffRow, changed: set[str], administrators: list[UUID]) -> None:
        require_not_above(caller, person.type)
        if caller.staff == person.id and changed & (_GRAVE | _OWN):
            raise Forbidden(
                "own_account", "Your own address and number you change at /v1/me; type and portal others do."
            )
        if changed & _GRAVE:
            _require_may_gravely(caller, person, changed, administrators)
        if "type" in changed or (_confirms(person) and changed & _OWN):
            require_fresh(caller, self._db.clock)


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
        locale=person.locale if wanted.locale is UNSET else wanted.locale,
    )


def _changed(person: StaffRow, new: Edited, named: set[str]) -> set[str]:
    return {name for name in named if getattr(person, name) != getattr(new, name)}


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


def _require_may_gravely(caller: Person, person: StaffRow, changed: set[str], administrators: list[UUID]) -> None:
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
