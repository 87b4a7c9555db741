"""Logging in: organisation and username with a password, then a second factor.

Whatever is wrong with the first step - unknown organisation, unknown person, wrong password, not activated, suspended -
the answer is the same, and so is the work: exactly one password hash.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.identity import audit, evidence, factors, handle, names
from services.identity.audit import Act
from services.identity.codes import Channel, Codes
from services.identity.evidence import Evidence
from services.identity.passwords import Passwords
from services.identity.proofs import Proofs, wrong
from services.identity.sessions import Sessions
from services.identity.store import logins as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Invalid, Unauthenticated
from staffgate.contracts.identity import CodeSent, Factor, FactorKind, FinishLogin, LoginStarted, StaffStatus, Tokens

_LIFETIME = timedelta(minutes=10)


class Logins:
    def __init__(self, db: Database, passwords: Passwords, proofs: Proofs, codes: Codes, sessions: Sessions) -> None:
        self._db = db
        self._passwords = passwords
        self._proofs = proofs
        self._codes = codes
        self._sessions = sessions

    async def start(self, login: str, password: str) -> LoginStarted:
        person = await self._person(login)
        may_log_in = person is not None and person.portal and person.status is StaffStatus.ACTIVE
        stored = person.password_hash if person is not None and may_log_in else None
        if not await self._passwords.verify(stored, password) or person is None or stored is None:
            raise Unauthenticated(
                "login_failed", "Organisation, username or password is wrong, or the account can't log in."
            )
        if self._passwords.outdated(stored):
            await self._rehash(person, stored, password)
        return await self._begin(person)

    async def send_code(self, transaction: str, channel: Channel) -> CodeSent:
        """Send a fresh code; the one before it is dead."""
        org, now = _org(transaction), self._db.clock.now()
        async with self._db.begin(org) as tx:
            login = await store.open_login(tx, org, handle.digest(transaction), "login", now)
            person = await staff_store.lock_staff(tx, org, login.staff) if login else None
            organisation = await organisation_store.organisation(tx, org)
            if login is None or person is None or organisation is None or person.status is not StaffStatus.ACTIVE:
                raise _over()
            offered, _ = await self._offered(tx, person, organisation)
            if FactorKind(channel) not in (factor.kind for factor in offered):
                raise Invalid("factor_not_available", "This account can't use that second factor; choose another.")
            return CodeSent(expires_at=await self._codes.send(tx, person, organisation, login.id, channel))

    async def finish(self, wanted: FinishLogin) -> Tokens:
        org, login = await self._proofs.take_attempt(wanted.transaction, "login")
        async with self._db.begin(org) as tx:
            person = await staff_store.lock_staff(tx, org, login.staff)
            organisation = await organisation_store.organisation(tx, org)
            if person is None or organisation is None or person.status is not StaffStatus.ACTIVE:
                raise wrong()
            offered, enrol = await self._offered(tx, person, organisation)
            if wanted.factor not in [factor.kind for factor in offered]:
                raise wrong()
            if not await self._proofs.check(tx, person, login, wanted):
                raise wrong()
            proved = evidence.to_enrol(wanted.factor) if enrol else evidence.of(wanted.factor)
            return await self._let_in(tx, person, organisation, proved)

    async def _let_in(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, proved: Evidence) -> Tokens:
        audit.note(tx, person.org, Act.LOGIN, by=person.id, about=person.id, amr=proved.amr, acr=proved.acr)
        return await self._sessions.open(tx, person, organisation, proved)

    async def _offered(self, tx: Tx, person: StaffRow, organisation: OrganisationRow) -> tuple[list[Factor], bool]:
        """The factors that this login can be finished with, and whether it only leads to enrolling one."""
        offered = factors.usable(person, organisation, ())
        return (offered, False) if offered else (factors.to_enrol_by(person), True)

    # --- the first step ---------------------------------------------------------------------------------------

    async def _person(self, login: str) -> StaffRow | None:
        parts = names.split_login(login)
        if parts is None:
            return None
        organisation, username = parts
        async with self._db.begin_anywhere() as tx:
            org = await organisation_store.organisation_by_name(tx, organisation)
        if org is None:
            return None
        async with self._db.begin(org) as tx:
            return await staff_store.staff_by_username(tx, org, username)

    async def _rehash(self, person: StaffRow, old: str, password: str) -> None:
        new = await self._passwords.hash(password)
        async with self._db.begin(person.org) as tx:
            await staff_store.rehash_password(tx, person.org, person.id, old, new)

    async def _begin(self, person: StaffRow) -> LoginStarted:
        now = self._db.clock.now()
        transaction, expires_at = handle.issue(self._db.ids, person.org), now + _LIFETIME
        new = store.NewLogin(
            id=self._db.ids.uuid(), staff=person.id, digest=handle.digest(transaction), expires_at=expires_at
        )
        async with self._db.begin(person.org) as tx:
            organisation = await organisation_store.organisation(tx, person.org)
            assert organisation is not None
            await store.add_login(tx, person.org, new, now)
            offered, enrol = await self._offered(tx, person, organisation)
        return LoginStarted(transaction=transaction, expires_at=expires_at, factors=offered, enrol=enrol)


def _org(transaction: str) -> UUID:
    org = handle.organisation(transaction)
    if org is None:
        raise _over()
    return org


def _over() -> Unauthenticated:
    return Unauthenticated("login_over", "This login has ended or expired; start again with the password.")
