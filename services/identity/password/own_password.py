"""Changing one's own password: with the present one, and everything else that one is signed in with ends."""

from __future__ import annotations

from datetime import timedelta

from services.identity.factor import evidence, factors
from services.identity.factor.evidence import Evidence
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.password import renewals
from services.identity.password.passwords import Passwords
from services.identity.session.sessions import Sessions
from services.identity.store import links as link_store
from services.identity.store import logins as login_store
from services.identity.store import organisations as organisation_store
from services.identity.store import passwords as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from staffgate.contracts.caller import Enrolling, Person
from staffgate.contracts.identity import NoticeKind, Tokens

_TRIES, _TRIES_PER = 5, timedelta(hours=1)


class OwnPassword:
    def __init__(self, db: Database, passwords: Passwords, sessions: Sessions, messages: Messages) -> None:
        self._db = db
        self._passwords = passwords
        self._sessions = sessions
        self._messages = messages

    async def change(self, caller: Person | Enrolling, current: str, password: str) -> Tokens:
        """The answer takes the place of the session's tokens. Of those who may only enrol yet it is open to them whose
        password has expired; who enrols a factor does that first."""
        person, organisation, former = await self._begin(caller)
        if not await self._passwords.verify(person.password_hash, current):
            await self._failed(caller)
            raise Invalid("password_wrong", "The present password is wrong.")
        async with self._db.begin(caller.org) as tx:
            await store.forget_failures(tx, caller.org, caller.staff)
        if password == current:
            raise Invalid("password_unchanged", "This is the present password; choose another.")
        hashed = await renewals.fit(self._passwords, person, organisation, password, former)
        async with self._db.begin(caller.org) as tx:
            locked = await staff_store.lock_staff(tx, caller.org, caller.staff)
            if locked is None or locked.password_hash != person.password_hash:
                raise Conflict("password_changed", "The password has been changed meanwhile; log in with the new one.")
            return await self._put(tx, locked, organisation, caller, hashed)

    async def _begin(self, caller: Person | Enrolling) -> tuple[StaffRow, OrganisationRow, list[str]]:
        """A try counts as soon as it is made: of many at once no more are judged than one after the other."""
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, caller.staff)
            organisation = await organisation_store.organisation(tx, caller.org)
            if person is None or organisation is None:
                raise NotFound("not_found", "There is no such account.")
            if isinstance(caller, Enrolling) and not renewals.expired(person, organisation, now):
                raise Forbidden("wrong_caller", "Enrol a second factor first.")
            if await store.failures_since(tx, caller.org, caller.staff, now - _TRIES_PER) >= _TRIES:
                detail = (
                    "The present password was wrong too often; wait an hour, or ask for a link that sets a new one."
                )
                raise TooMany("too_many_tries", detail, retry_after=3600)
            await store.add_failure(tx, caller.org, caller.staff, now)
            return person, organisation, await renewals.former_of(tx, person, organisation)

    async def _failed(self, caller: Person | Enrolling) -> None:
        async with self._db.begin(caller.org) as tx:
            audit.note(tx, caller.org, Act.PASSWORD_CHANGE_FAILED, by=caller, about=caller.staff, ok=False)

    async def _put(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling, hashed: str
    ) -> Tokens:
        org, id, now = person.org, person.id, self._db.clock.now()
        changed = await renewals.put(tx, person, organisation, hashed, now)
        assert changed is not None
        await link_store.kill_links_of(tx, org, id, now)
        await login_store.end_logins_of(tx, org, id, now)
        await self._sessions.end_all(tx, org, id, "password_changed", but=caller.session)
        await self._messages.send_notice(tx, changed, organisation, NoticeKind.PASSWORD_CHANGED)
        audit.note(tx, org, Act.PASSWORD_CHANGED, by=caller, about=id)
        return await self._sessions.renew(tx, changed, organisation, caller, _proved(changed, organisation, caller))


def _proved(person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling) -> Evidence:
    """What the session is worth from now on: where only the expired password was in the way, what the login has shown."""
    if isinstance(caller, Person):
        return Evidence([*caller.amr], caller.acr)
    factor = evidence.shown(caller.amr)
    asked = factors.asked(person, organisation, [factor] if factor else [])
    enough = not asked.enrol and (asked.nothing or factor in asked.kinds)
    return evidence.of(factor) if enough else evidence.to_enrol(factor)
