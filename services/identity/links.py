"""Links that confirm an e-mail address and set the first password.

Opening one shows a page and changes nothing, because mail scanners open links too; only sending the form uses it up.
Using it does not log in: the person then logs in like anybody, second factor and all.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.identity import audit, handle
from services.identity.audit import Act
from services.identity.devices import Devices
from services.identity.messages import Messages, login_name
from services.identity.passwords import Passwords, require_strength
from services.identity.store import links as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Invalid
from staffgate.contracts.identity import Activated, LinkPurpose, StaffActivated, StaffStatus

_LIFETIME = timedelta(hours=24)  # SP 800-63A-4 section 3.8: at most a day for e-mail


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a link shows."""

    name: str
    organisation: str
    login: str


class Links:
    def __init__(self, db: Database, messages: Messages, passwords: Passwords, devices: Devices) -> None:
        self._db = db
        self._messages = messages
        self._passwords = passwords
        self._devices = devices

    async def send(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, purpose: LinkPurpose) -> datetime:
        """Issue a link in the caller's transaction; the older ones of that purpose are dead. When it expires."""
        ids, now = self._db.ids, self._db.clock.now()
        id, token, expires_at = ids.uuid(), handle.issue(ids, person.org), now + _LIFETIME
        new = store.NewLink(
            id=id,
            staff=person.id,
            purpose=purpose,
            digest=handle.digest(token),
            email=person.email,
            expires_at=expires_at,
        )
        await store.replace_link(tx, person.org, new, now)
        await self._messages.send_link(tx, person, organisation, purpose, id, token, expires_at, person.email)
        return expires_at

    async def read(self, token: str) -> Invitation:
        """Whom the link is for. Uses nothing up."""
        person, organisation = await self._look_up(token)
        return Invitation(name=person.name, organisation=organisation.name, login=login_name(organisation, person))

    async def activate(self, token: str, password: str) -> Activated:
        """Set the first password and make the account active; of many parallel calls with one token one succeeds."""
        person, organisation = await self._look_up(token)
        require_strength(password, _words(person, organisation))
        hashed = await self._passwords.hash(password)
        now = self._db.clock.now()
        async with self._db.begin(person.org) as tx:
            # The person first, as everybody does who sends a link: two orders of locking are a deadlock.
            await staff_store.lock_staff(tx, person.org, person.id)
            if await store.use_link(tx, person.org, handle.digest(token), now) is None:
                raise _dead()
            active = await staff_store.activate_staff(tx, person.org, person.id, hashed, now)
            if active is None:
                raise _dead()
            await tx.emit(StaffActivated(org=person.org, state=active.state))
            audit.note(tx, person.org, Act.USER_ACTIVATED, by=person.id, about=person.id)
            device = await self._devices.remember(tx, active)
        return Activated(login=login_name(organisation, active), device=device)

    async def _look_up(self, token: str) -> tuple[StaffRow, OrganisationRow]:
        org = handle.organisation(token)
        if org is None:
            raise _dead()
        async with self._db.begin(org) as tx:
            person, organisation = await self._owner_of(tx, org, token)
        if person is None or organisation is None or person.status is not StaffStatus.INVITED:
            raise _dead()
        return person, organisation

    async def _owner_of(self, tx: Tx, org: UUID, token: str) -> tuple[StaffRow | None, OrganisationRow | None]:
        link = await store.live_link(tx, org, handle.digest(token), self._db.clock.now())
        if link is None:
            return None, None
        person = await staff_store.staff(tx, org, link.staff)
        if person is None or person.email != link.email:
            return None, None
        return person, await organisation_store.organisation(tx, org)


def _words(person: StaffRow, organisation: OrganisationRow) -> list[str]:
    return [
        person.username,
        organisation.username or organisation.name,
        *person.name.split(),
        *organisation.name.split(),
    ]


def _dead() -> Invalid:
    """The same for every reason: a link tells nothing about an account to whoever holds it by mistake."""
    return Invalid("link_dead", "This link was used, replaced by a newer one, or has expired. Ask for a new one.")
