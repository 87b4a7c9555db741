"""Links of e-mails: each good for one purpose, one person and one address, once, and not for long.

Opening one shows a page and changes nothing, because mail scanners open links too; only sending the form uses it up.
Using it does not log in: the person then logs in like anybody, second factor and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.devices import Devices
from services.identity.messages import Messages, login_name
from services.identity.password import renewals, strength
from services.identity.password.passwords import Passwords
from services.identity.session import handle
from services.identity.store import links as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.links import LinkRow
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Invalid, TooMany
from staffgate.contracts.identity import Activated, LinkPurpose, StaffActivated, StaffStatus

ACTIVATING = (LinkPurpose.CONFIRM, LinkPurpose.ACTIVATE)
LIFETIME = timedelta(hours=24)  # SP 800-63A-4 section 3.8: at most a day for e-mail
RESET_LIFETIME = timedelta(hours=1)  # somebody waits for it
_PAUSE = timedelta(minutes=1)
_MOST, _MOST_PER = 10, timedelta(days=1)  # a person, over all purposes
_WHILE = {
    LinkPurpose.CONFIRM: StaffStatus.INVITED,
    LinkPurpose.ACTIVATE: StaffStatus.INVITED,
    LinkPurpose.RESET: StaffStatus.ACTIVE,
    LinkPurpose.EMAIL: StaffStatus.ACTIVE,
}


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a link shows. `minimum`: the length that a password needs there."""

    name: str
    organisation: str
    login: str
    email: str
    minimum: int


class Links:
    def __init__(self, db: Database, messages: Messages, passwords: Passwords, devices: Devices) -> None:
        self._db = db
        self._messages = messages
        self._passwords = passwords
        self._devices = devices

    async def send(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, purpose: LinkPurpose, *, to: str = "",
        asked: bool = False,
    ) -> datetime:  # fmt: skip
        """Issue a link in the caller's transaction, which holds the person's row where there was one before; the older
        ones of that purpose are dead. When it expires. `asked`: by somebody who is not known."""
        ids, now = self._db.ids, self._db.clock.now()
        await self._limit(tx, person, asked, now)
        lifetime = RESET_LIFETIME if purpose is LinkPurpose.RESET else LIFETIME
        id, token, expires_at = ids.uuid(), handle.issue(ids, person.org), now + lifetime
        new = store.NewLink(
            id=id,
            staff=person.id,
            purpose=purpose,
            digest=handle.digest(token),
            email=to or person.email,
            asked=asked,
            expires_at=expires_at,
        )
        await store.replace_link(tx, person.org, new, now)
        await self._messages.send_link(tx, person, organisation, purpose, id, token, expires_at, new.email)
        return expires_at

    async def _limit(self, tx: Tx, person: StaffRow, asked: bool, now: datetime) -> None:
        """Administrators send one whenever they like, ten a day. What strangers ask for uses up nothing of that, and is held
        to one a minute; who has used the last one is there, and need not wait for the next."""
        sent = await store.sent_since(tx, person.org, person.id, now - _MOST_PER, asked=asked)
        if asked and sent.last is not None and now - sent.last < _PAUSE:
            wait = int((sent.last + _PAUSE - now).total_seconds()) + 1
            raise TooMany("link_just_sent", "A link was sent to this person a moment ago.", retry_after=wait)
        if sent.count >= _MOST:
            detail = "Too many links were sent to this person today; try again tomorrow."
            raise TooMany("too_many_links", detail, retry_after=3600)

    async def read(self, token: str, purposes: Sequence[LinkPurpose]) -> Invitation:
        """Whom the link is for. Uses nothing up."""
        person, organisation, link = await self.look_up(token, purposes)
        return Invitation(
            name=person.name,
            organisation=organisation.name,
            login=login_name(organisation, person),
            email=link.email,
            minimum=strength.minimum(person, organisation),
        )

    async def activate(self, token: str, password: str) -> Activated:
        """Set the first password and make the account active; of many parallel calls with one token one succeeds."""
        person, organisation, _ = await self.look_up(token, ACTIVATING)
        hashed = await renewals.fit(self._passwords, person, organisation, password)
        async with self._db.begin(person.org) as tx:
            person, organisation, _ = await self.take(tx, token, ACTIVATING)
            active = await staff_store.activate_staff(tx, person.org, person.id, hashed, self._db.clock.now())
            if active is None:
                raise dead()
            await tx.emit(StaffActivated(org=person.org, state=active.state))
            audit.note(tx, person.org, Act.USER_ACTIVATED, by=person.id, about=person.id)
            device = await self._devices.remember(tx, active)
        return Activated(login=login_name(organisation, active), device=device)

    async def look_up(
        self, token: str, purposes: Sequence[LinkPurpose]
    ) -> tuple[StaffRow, OrganisationRow, LinkRow]:  # fmt: skip
        """Whose it is, if it is good for one of these purposes. Uses nothing up."""
        org = handle.organisation(token)
        if org is None:
            raise dead()
        async with self._db.begin(org) as tx:
            link = await store.live_link(tx, org, handle.digest(token), purposes, self._db.clock.now())
            person = await staff_store.staff(tx, org, link.staff) if link else None
            return _good(link, person, await organisation_store.organisation(tx, org))

    async def take(
        self, tx: Tx, token: str, purposes: Sequence[LinkPurpose]
    ) -> tuple[StaffRow, OrganisationRow, LinkRow]:  # fmt: skip
        """Use it up, in the caller's transaction, which holds the person from now on. Of many at once one gets it."""
        assert tx.org is not None
        org, digest, now = tx.org, handle.digest(token), self._db.clock.now()
        link = await store.live_link(tx, org, digest, purposes, now)
        # The person first, as everybody does who sends a link: two orders of locking are a deadlock.
        person = await staff_store.lock_staff(tx, org, link.staff) if link else None
        link = await store.use_link(tx, org, digest, purposes, now)
        return _good(link, person, await organisation_store.organisation(tx, org))


def _good(
    link: LinkRow | None, person: StaffRow | None, organisation: OrganisationRow | None
) -> tuple[StaffRow, OrganisationRow, LinkRow]:  # fmt: skip
    """An address that is to be confirmed is another than the person's; with any other link it is the same still."""
    if link is None or person is None or organisation is None or organisation.closed_at is not None:
        raise dead()
    if not person.portal or person.status is not _WHILE[link.purpose]:
        raise dead()
    if link.purpose is not LinkPurpose.EMAIL and link.email != person.email:
        raise dead()
    return person, organisation, link


def dead() -> Invalid:
    """The same for every reason: a link tells nothing about an account to whoever holds it by mistake."""
    return Invalid("link_dead", "This link was used, replaced by a newer one, or has expired. Ask for a new one.")
