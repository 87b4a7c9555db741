"""A person's e-mail address, mobile number and language. A new address or number is only proposed: it counts once whoever
reads there has said so.

The old address is told when it has been replaced, because that is how a person finds out who has taken over a session.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.identity.factor import factors
from services.identity.factor.codes import Codes
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages, login_name
from services.identity.password.links import Links, dead
from services.identity.session import handle
from services.identity.session.sessions import require_live
from services.identity.store import contacts as store
from services.identity.store import factors as factor_store
from services.identity.store import links as link_store
from services.identity.store import logins as login_store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.logins import LoginRow
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from services.identity.telephone import e164
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound, TooMany
from shared.freshness import require_fresh
from shared.sealing import Opener
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    EmailConfirmed,
    EmailProposed,
    FactorKind,
    LinkPurpose,
    MobileProposed,
    NoticeKind,
    StaffStatus,
    TestSent,
)

_LIFETIME = timedelta(minutes=10)
_ATTEMPTS = 5
_BETWEEN_TESTS = timedelta(minutes=1)


class Contacts:
    """A number that is to be confirmed rests sealed to identity's own key, beside the transaction that confirms it."""

    def __init__(self, db: Database, links: Links, codes: Codes, messages: Messages, opener: Opener) -> None:
        self._db = db
        self._links = links
        self._codes = codes
        self._messages = messages
        self._opener = opener

    # --- e-mail -----------------------------------------------------------------------------------------------

    async def change_email(self, caller: Person, email: str) -> EmailProposed:
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            return EmailProposed(expires_at=await self._ask(tx, person, organisation, email))

    async def propose_email(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, email: str, *, by: Person
    ) -> StaffRow:
        """By somebody who administers the person, in a transaction that holds their row; the row as it is from now on.
        Whoever can log in has to confirm it first."""
        if email == person.email:
            return person
        if person.portal and person.status is StaffStatus.ACTIVE:
            await self._ask(tx, person, organisation, email)
            return person
        if person.status is StaffStatus.SUSPENDED:
            raise Conflict("not_active", "This account is suspended; its e-mail address can be changed afterwards.")
        changed = await store.set_email(tx, person.org, person.id, email, None)
        assert changed is not None
        await link_store.kill_links_of(tx, person.org, person.id, self._db.clock.now())
        audit.note(tx, person.org, Act.EMAIL_CHANGED, by=by, about=person.id)
        return changed

    async def _ask(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, email: str) -> datetime:
        if email == person.email:
            raise Invalid("email_unchanged", "This is your address already.")
        return await self._links.send(tx, person, organisation, LinkPurpose.EMAIL, to=email)

    async def confirm_email(self, token: str) -> EmailConfirmed:
        """The new address takes the place of the old one, and what was sent to that is good for nothing any more."""
        org = handle.organisation(token)
        if org is None:
            raise dead()
        async with self._db.begin(org) as tx:
            person, organisation, link = await self._links.take(tx, token, [LinkPurpose.EMAIL])
            now = self._db.clock.now()
            await link_store.kill_links_of(tx, org, person.id, now)
            changed = await store.set_email(tx, org, person.id, link.email, now)
            assert changed is not None
            for address in (person.email, changed.email):
                await self._messages.send_notice(tx, changed, organisation, NoticeKind.EMAIL_CHANGED, to=address)
            audit.note(tx, org, Act.EMAIL_CHANGED, by=person.id, about=person.id)
        return EmailConfirmed(login=login_name(organisation, changed))

    # --- mobile -----------------------------------------------------------------------------------------------

    async def change_mobile(self, caller: Person, mobile: str) -> MobileProposed:
        """A code goes to the new number; the old one stays until it was shown."""
        require_fresh(caller, self._db.clock)
        number = e164(mobile)
        assert number is not None
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            if number == person.mobile and person.mobile_confirmed_at is not None:
                raise Invalid("mobile_unchanged", "This is your number already, and it is confirmed.")
            return await self._send_code(tx, person, organisation, caller.session, number)

    async def send_mobile_code(self, caller: Person) -> MobileProposed:
        """To the number that is there already: an administrator has entered it."""
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            if person.mobile is None or person.mobile_confirmed_at is not None:
                raise Conflict("nothing_to_confirm", "There is no mobile number that has to be confirmed.")
            return await self._send_code(tx, person, organisation, caller.session, person.mobile)

    async def confirm_mobile(self, caller: Person, transaction: str, code: str) -> None:
        login = await self._take_attempt(caller, transaction)
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            number, instead_of = self._proposed(login)
            if instead_of != (person.mobile or ""):  # somebody has entered another one meanwhile
                raise _wrong()
            if not await self._codes.check(tx, caller.org, login.id, "sms", code):
                raise _wrong()
            if not await login_store.finish_login(tx, caller.org, login.id, now):
                raise _wrong()
            changed = await store.set_mobile(tx, caller.org, caller.staff, number, now)
            assert changed is not None
            await self._messages.send_notice(tx, changed, organisation, NoticeKind.MOBILE_CHANGED)
            audit.note(tx, caller.org, Act.MOBILE_CHANGED, by=caller, about=caller.staff)

    async def remove_mobile(self, caller: Person) -> None:
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            if person.mobile is None:
                raise NotFound("not_found", "There is no mobile number.")
            changed = await store.set_mobile(tx, caller.org, caller.staff, None, None)
            assert changed is not None
            if person.mobile_confirmed_at is not None:
                await _require_another_factor(tx, changed, organisation)
            await self._messages.send_notice(tx, changed, organisation, NoticeKind.MOBILE_CHANGED)
            audit.note(tx, caller.org, Act.MOBILE_CHANGED, by=caller, about=caller.staff, removed=True)

    async def _send_code(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, session: UUID, number: str
    ) -> MobileProposed:
        ids, now = self._db.ids, self._db.clock.now()
        transaction, id = handle.issue(ids, person.org), ids.uuid()
        proposed = f"{number}\n{person.mobile or ''}"
        new = login_store.NewLogin(
            id=id,
            staff=person.id,
            digest=handle.digest(transaction),
            expires_at=now + _LIFETIME,
            purpose="mobile",
            session=session,
            sealed=self._opener.seal(proposed.encode(), str(id)),
        )
        await login_store.add_login(tx, person.org, new, now)
        expires_at = await self._codes.send(tx, person, organisation, id, "sms", to=number, purpose="mobile")
        return MobileProposed(transaction=transaction, expires_at=expires_at)

    async def _take_attempt(self, caller: Person, transaction: str) -> LoginRow:
        """A try counts as soon as it is made, right or wrong, so it is committed by itself before it is judged."""
        async with self._db.begin(caller.org) as tx:
            digest, now = handle.digest(transaction), self._db.clock.now()
            login = await login_store.take_attempt(tx, caller.org, digest, "mobile", now, _ATTEMPTS)
        if login is None or (login.staff, login.session) != (caller.staff, caller.session):
            raise _wrong()
        return login

    def _proposed(self, login: LoginRow) -> tuple[str, str]:
        """The number, and the one that it is to take the place of."""
        number, _, instead_of = self._opener.open(login.sealed or "", str(login.id)).decode().partition("\n")
        return number, instead_of

    # --- language and test ------------------------------------------------------------------------------------

    async def choose_locale(self, caller: Person, locale: str | None) -> None:
        async with self._db.begin(caller.org) as tx:
            person, _ = await self._locked(tx, caller)
            if locale != person.locale:
                await store.set_locale(tx, caller.org, caller.staff, locale)
                audit.note(tx, caller.org, Act.USER_UPDATED, by=caller, about=caller.staff, changed=["locale"])

    async def send_test(self, caller: Person) -> TestSent:
        """To the caller's own address and nobody else's, one a minute."""
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            if not await store.take_test(tx, caller.org, caller.staff, now, now - _BETWEEN_TESTS):
                wait = int(_BETWEEN_TESTS.total_seconds())
                raise TooMany("test_just_sent", "A test message was sent a moment ago; wait for it.", retry_after=wait)
            message = await self._messages.send_notice(tx, person, organisation, NoticeKind.TEST)
        return TestSent(message=message)

    async def _locked(self, tx: Tx, caller: Person) -> tuple[StaffRow, OrganisationRow]:
        person = await staff_store.lock_staff(tx, caller.org, caller.staff)
        await require_live(tx, caller, self._db.clock.now())
        organisation = await organisation_store.organisation(tx, caller.org)
        if person is None or organisation is None or person.status is not StaffStatus.ACTIVE:
            raise NotFound("not_found", "There is no such account.")
        return person, organisation


async def _require_another_factor(tx: Tx, person: StaffRow, organisation: OrganisationRow) -> None:
    """Codes went to the number, and something that will do has to be left."""
    enrolled = await factor_store.enrolled(tx, person.org, person.id)
    left = {factor.kind for factor in factors.usable(person, organisation, enrolled)} - {FactorKind.RECOVERY}
    if factors.is_required(person, organisation) and not left:
        detail = "This is your last second factor, and your organisation requires one; enrol another before."
        raise Conflict("last_factor", detail)


def _wrong() -> Invalid:
    """Wrong, used, expired, somebody else's, too many tries: the same."""
    return Invalid("code_wrong", "The code is wrong or no longer good. After five tries, ask for a new one.")
