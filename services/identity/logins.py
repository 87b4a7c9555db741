"""Logging in: organisation and username with a password, then a second factor, always.

Whatever is wrong with the first step - unknown organisation, unknown person, wrong password, not activated, suspended -
the answer is the same, and so is the work: exactly one password hash.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Literal
from uuid import UUID

from services.identity import handle, names
from services.identity.factors import Factors
from services.identity.messages import Messages
from services.identity.passwords import Passwords
from services.identity.sessions import Sessions
from services.identity.store import logins as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.staff import StaffRow
from services.identity.telephone import masked
from shared.db import Database, Tx
from shared.errors import Invalid, TooMany, Unauthenticated
from staffgate.contracts.identity import CodeSent, Factor, FactorKind, FinishLogin, LoginStarted, StaffStatus, Tokens

_LOGIN_LIFETIME = timedelta(minutes=10)
_CODE_LIFETIME = timedelta(minutes=5)
_DIGITS = {"email": 8, "sms": 6}
_ATTEMPTS = 5  # a login; 5 of 10^6 guesses
_TRIES, _TRIES_PER = 10, timedelta(hours=1)  # a person, over all logins: whoever has the password can begin many
_CODES, _CODES_PER = 5, timedelta(minutes=10)  # a person
_COOL_DOWN = timedelta(seconds=30)  # a login and channel


class Logins:
    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        factors: Factors,
        messages: Messages,
        sessions: Sessions,
        code_key: bytes,
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._factors = factors
        self._messages = messages
        self._sessions = sessions
        self._code_key = code_key

    async def start(self, login: str, password: str) -> LoginStarted:
        person = await self._person(login)
        may_log_in = person is not None and person.status is StaffStatus.ACTIVE
        stored = person.password_hash if person is not None and may_log_in else None
        if not await self._passwords.verify(stored, password) or person is None or stored is None:
            raise Unauthenticated(
                "login_failed", "Organisation, username or password is wrong, or the account can't log in."
            )
        if self._passwords.outdated(stored):
            await self._rehash(person, stored, password)
        return await self._begin(person)

    async def send_code(self, transaction: str, channel: Literal["email", "sms"]) -> CodeSent:
        """Send a fresh code; the one before it is dead."""
        org, now = self._org(transaction), self._db.clock.now()
        async with self._db.begin(org) as tx:
            login = await store.open_login(tx, org, handle.digest(transaction), now)
            person = await staff_store.lock_staff(tx, org, login.staff) if login else None
            if login is None or person is None or person.status is not StaffStatus.ACTIVE:
                raise _over()
            if FactorKind(channel) not in (factor.kind for factor in usable(person)):
                raise Invalid("factor_not_available", "This account can't use that second factor; choose another.")
            await self._limit(tx, person, login.id, channel)
            organisation = await organisation_store.organisation(tx, org)
            assert organisation is not None
            id, code = self._db.ids.uuid(), self._db.ids.digits(_DIGITS[channel])
            expires_at = now + _CODE_LIFETIME
            new = store.NewCode(
                id=id,
                login=login.id,
                staff=person.id,
                channel=channel,
                digest=self._digest(id, code),
                expires_at=expires_at,
            )
            await store.add_code(tx, org, new, now)
            await self._messages.send_code(tx, person, organisation, channel, id, code, expires_at)
        return CodeSent(expires_at=expires_at)

    async def finish(self, wanted: FinishLogin, ip: str, agent: str) -> Tokens:
        """The second factor. A try counts as soon as it is made, right or wrong, so it is committed on its own."""
        org, now = self._org(wanted.transaction), self._db.clock.now()
        async with self._db.begin(org) as tx:
            login = await store.take_attempt(tx, org, handle.digest(wanted.transaction), now, _ATTEMPTS)
        if login is None:
            raise _wrong_code()
        async with self._db.begin(org) as tx:
            person = await staff_store.lock_staff(tx, org, login.staff)
            if person is None or person.status is not StaffStatus.ACTIVE:
                raise _wrong_code()
            if await store.tries_since(tx, org, person.id, now - _TRIES_PER) > _TRIES:  # this one counted
                raise _wrong_code()
            if not await self._proves(tx, person, login.id, wanted):
                raise _wrong_code()
            if not await store.finish_login(tx, org, login.id, now):
                raise _wrong_code()
            if wanted.factor is FactorKind.SMS:
                await staff_store.confirm_mobile(tx, org, person.id, now)
            return await self._sessions.open(tx, person, wanted.factor, ip, agent)

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
            await staff_store.set_password(tx, person.org, person.id, old, new)

    async def _begin(self, person: StaffRow) -> LoginStarted:
        now = self._db.clock.now()
        transaction, expires_at = handle.issue(self._db.ids, person.org), now + _LOGIN_LIFETIME
        new = store.NewLogin(
            id=self._db.ids.uuid(), staff=person.id, digest=handle.digest(transaction), expires_at=expires_at
        )
        async with self._db.begin(person.org) as tx:
            await store.add_login(tx, person.org, new, now)
        return LoginStarted(transaction=transaction, expires_at=expires_at, factors=usable(person))

    # --- the second -------------------------------------------------------------------------------------------

    async def _proves(self, tx: Tx, person: StaffRow, login: UUID, wanted: FinishLogin) -> bool:
        if wanted.factor is FactorKind.TOTP:
            return person.totp_confirmed_at is not None and await self._factors.check_totp(tx, person, wanted.code)
        code = await store.newest_code(tx, person.org, login, wanted.factor, self._db.clock.now())
        return code is not None and hmac.compare_digest(code.digest, self._digest(code.id, wanted.code))

    async def _limit(self, tx: Tx, person: StaffRow, login: UUID, channel: str) -> None:
        now = self._db.clock.now()
        if await store.codes_of_login_since(tx, person.org, login, channel, now - _COOL_DOWN):
            raise TooMany("code_just_sent", "A code was sent a moment ago; wait for it.", retry_after=30)
        if await store.codes_since(tx, person.org, person.id, now - _CODES_PER) >= _CODES:
            raise TooMany("too_many_codes", "Too many codes were sent to this account; wait a while.", retry_after=600)

    def _digest(self, id: UUID, code: str) -> bytes:
        """Bound to one row, and so to one login, person and channel."""
        return hmac.digest(self._code_key, id.bytes + code.encode(), "sha256")

    def _org(self, transaction: str) -> UUID:
        org = handle.organisation(transaction)
        if org is None:
            raise _over()
        return org


def usable(person: StaffRow) -> list[Factor]:
    """The strongest first."""
    factors = [Factor(kind=FactorKind.TOTP)] if person.totp_confirmed_at else []
    if person.email_confirmed_at:
        name, _, domain = person.email.rpartition("@")
        factors.append(Factor(kind=FactorKind.EMAIL, hint=f"{name[:1]}***@{domain}"))
    if person.mobile:
        factors.append(Factor(kind=FactorKind.SMS, hint=masked(person.mobile)))
    return factors


def _over() -> Unauthenticated:
    return Unauthenticated("login_over", "This login has ended or expired; start again with the password.")


def _wrong_code() -> Unauthenticated:
    """Wrong, used, expired, too many tries, unknown login: the same to whoever guesses."""
    return Unauthenticated("code_wrong", "The code is wrong or no longer good. After five tries, start again.")
