"""Logging in: organisation and username with a password, then a second factor.

Whatever is wrong with the first step - unknown organisation, unknown person, wrong password, not activated, suspended,
without portal, locked, from outside the organisation's networks - the answer is the same, and so is the work: the same
statements in the same order, and exactly one password hash. What it was stands in the audit log alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.identity import names
from services.identity.factor import evidence, factors
from services.identity.factor.codes import Channel, Codes
from services.identity.factor.factors import Asked
from services.identity.factor.proofs import Proofs, wrong
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.admission import Admission
from services.identity.login.devices import Devices
from services.identity.login.locks import Locks, is_due
from services.identity.login.throttle import DEVICE, Counted, Throttle
from services.identity.messages import Messages
from services.identity.password import renewals
from services.identity.password.passwords import Passwords
from services.identity.session import handle
from services.identity.store import factors as factor_store
from services.identity.store import logins as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.logins import LoginRow
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from services.identity.store.throttle import FailureRow
from shared.db import Database, Tx
from shared.errors import Invalid, NotFound, Unauthenticated
from staffgate.contracts.identity import (
    CodeSent,
    FactorKind,
    FinishLogin,
    Login,
    LoginStarted,
    NoticeKind,
    PasskeyOptions,
    RememberedOrganisation,
    Tokens,
)

_LIFETIME = timedelta(minutes=10)
_DEVICE_FAILURES = 10  # and a device is known no more

# Where the organisation's name is nobody's, the same is read and written in the name of nobody.
NOBODYS = UUID(int=0)


@dataclass(frozen=True)
class Attempt:
    """What is found of somebody who asks to be let in; `org` is nobody's where there is no such organisation."""

    org: UUID
    organisation: OrganisationRow | None
    person: StaffRow | None
    known: bytes | None  # the digest of the device, if it is one that is known
    own: Sequence[Counted]  # what is theirs alone: the account, and the device
    counted: Sequence[Counted]  # what a failure is counted at, the account or the device first
    rows: Sequence[FailureRow]

    @property
    def failures(self) -> int:
        """In a row, so far."""
        own = {one.key for one in self.own}
        return sum(row.failures for row in self.rows if row.key in own)


class _NotProved(Exception):
    """Somebody who has the password showed no second factor."""


class Logins:
    def __init__(
        self, db: Database, passwords: Passwords, proofs: Proofs, codes: Codes, devices: Devices, throttle: Throttle,
        locks: Locks, admission: Admission, messages: Messages,
    ) -> None:  # fmt: skip
        self._db = db
        self._passwords = passwords
        self._proofs = proofs
        self._codes = codes
        self._devices = devices
        self._throttle = throttle
        self._locks = locks
        self._admission = admission
        self._messages = messages

    async def start(self, wanted: Login) -> LoginStarted:
        with ExitStack() as trying:
            attempt = await self._read(wanted, trying)
            reason = self._against(attempt)
            stored = None if reason or attempt.person is None else attempt.person.password_hash
            matches = await self._passwords.verify(stored, wanted.password)
            started = await self._begin(attempt, attempt.person) if matches and attempt.person is not None else None
            if started is None:
                await self._fail(attempt, reason or ("no_factor" if matches else "password"))
                raise Unauthenticated(
                    "login_failed", "Organisation, username or password is wrong, or the account can't log in."
                )
        if attempt.person is not None and stored is not None and self._passwords.outdated(stored):
            await self._rehash(attempt.person, stored, wanted.password)
        return started

    async def send_code(self, transaction: str, channel: Channel) -> CodeSent:
        """Send a fresh code, for a login or a step-up; the one before it is dead."""
        org = _org(transaction)
        async with self._db.begin(org) as tx:
            login, person, organisation = await self._begun(tx, org, transaction, FactorKind(channel))
            purpose = login.purpose
            sent = await self._codes.send(tx, person, organisation, login.id, channel, purpose=purpose)
        return CodeSent(expires_at=sent)

    async def ask_passkey(self, transaction: str) -> PasskeyOptions:
        """What a browser needs to show a passkey, for a login or a step-up."""
        org = _org(transaction)
        async with self._db.begin(org) as tx:
            login, person, _ = await self._begun(tx, org, transaction, FactorKind.PASSKEY)
            return await self._proofs.ask_passkey(tx, person, login.id)

    async def _begun(
        self, tx: Tx, org: UUID, transaction: str, kind: FactorKind
    ) -> tuple[LoginRow, StaffRow, OrganisationRow]:
        """What is open of that handle, while that factor can finish it."""
        now = self._db.clock.now()
        login = await store.open_login_or_step_up(tx, org, handle.digest(transaction), now)
        person = await staff_store.lock_staff(tx, org, login.staff) if login else None
        organisation = await organisation_store.organisation(tx, org)
        if login is None or person is None or organisation is None:
            raise _over()
        # Who steps up is in already.
        known = login.device is not None or login.purpose == "step_up"
        if self._admission.against(now, person, organisation, known=known):
            raise _over()
        if not (await self._asked(tx, person, organisation)).accepts(kind):
            raise Invalid("factor_not_available", "This account can't use that second factor; choose another.")
        return login, person, organisation

    async def finish(self, wanted: FinishLogin) -> Tokens:
        org, login = await self._proofs.take_attempt(wanted.transaction, "login", wanted)
        try:
            async with self._db.begin(org) as tx:
                return await self._finish(tx, org, login, wanted)
        except _NotProved:
            await self._tell_not_proved(org, login, wanted.factor)
            raise wrong() from None

    async def remembered_organisation(self, device: str) -> RememberedOrganisation:
        """What to type before the backslash, for a page that shows it; nothing of whose device it is."""
        org = handle.organisation(device)
        async with self._db.begin(org or NOBODYS) as tx:
            known = await self._devices.look(tx, org or NOBODYS, device)
            organisation = await organisation_store.organisation(tx, org or NOBODYS)
        if known is None or organisation is None or organisation.closed_at is not None:
            raise NotFound("not_found", "This device is not known; type the organisation.")
        return RememberedOrganisation(organisation=organisation.username or organisation.number)

    # --- the second step --------------------------------------------------------------------------------------

    async def _finish(self, tx: Tx, org: UUID, login: LoginRow, wanted: FinishLogin) -> Tokens:
        """Raises, which leaves everything as it was: a code that did not let anybody in is not used up."""
        now = self._db.clock.now()
        person = await staff_store.lock_staff(tx, org, login.staff)
        organisation = await organisation_store.organisation(tx, org)
        if person is None or organisation is None:
            raise wrong()
        if self._admission.against(now, person, organisation, known=login.device is not None):
            raise wrong()
        asked = await self._asked(tx, person, organisation)
        if not asked.accepts(wanted.factor):
            raise wrong()
        if not await self._proofs.check(tx, person, login, wanted, asked):
            raise _NotProved
        unfinished = asked.enrol or renewals.expired(person, organisation, now)
        proved = evidence.to_enrol(wanted.factor) if unfinished else evidence.of(wanted.factor)
        return await self._admission.let_in(
            tx, person, organisation, proved, known=login.device, failures=login.failures
        )

    async def _tell_not_proved(self, org: UUID, login: LoginRow, factor: FactorKind | None) -> None:
        """The person, once a login: somebody has their password."""
        async with self._db.begin(org) as tx:
            person = await staff_store.staff(tx, org, login.staff)
            organisation = await organisation_store.organisation(tx, org)
            if person is None or organisation is None:
                return
            audit.note(tx, org, Act.FACTOR_FAILED, about=person.id, ok=False, factor=factor or "none")
            if await store.tell_once(tx, org, login.id):
                await self._messages.send_notice(tx, person, organisation, NoticeKind.SECOND_FACTOR_FAILED)

    async def _asked(self, tx: Tx, person: StaffRow, organisation: OrganisationRow) -> Asked:
        """What a login can be finished with, from where it comes."""
        enrolled = await factor_store.enrolled(tx, person.org, person.id)
        return self._admission.narrowed(organisation, factors.asked(person, organisation, enrolled))

    # --- the first step ---------------------------------------------------------------------------------------

    async def _read(self, wanted: Login, trying: ExitStack) -> Attempt:
        """As many statements for nobody as for somebody. Raise TooMany, for both alike."""
        organisation_key, username_key = names.split_login(wanted.login) or ("", "")
        async with self._db.begin_anywhere() as tx:
            found = await organisation_store.organisation_by_name(tx, organisation_key)
        org = found or NOBODYS
        typed = (found or organisation_key, username_key) if username_key else ("", wanted.login)
        async with self._db.begin(org) as tx:
            organisation = await organisation_store.organisation(tx, org)
            person = await staff_store.staff_by_username(tx, org, username_key)
            device = await self._devices.look(tx, org, wanted.device)
            strange = self._throttle.everything(*typed)
            known = wanted.device if person and device and device.staff == person.id else None
            own = strange[:1] + ([self._throttle.at(DEVICE, known)] if known else [])
            counted = own[1:] if known else strange
            ahead = trying.enter_context(self._throttle.trying(counted))
            rows = await self._throttle.look(tx, [*{*own, *counted}])
        self._throttle.require_patience(counted, rows, ahead, self._db.clock.now())
        digest = handle.digest(known) if known else None
        return Attempt(org, organisation, person, digest, own, counted, rows)

    def _against(self, attempt: Attempt) -> str | None:
        now = self._db.clock.now()
        return self._admission.against(now, attempt.person, attempt.organisation, known=attempt.known is not None)

    async def _begin(self, attempt: Attempt, person: StaffRow) -> LoginStarted | None:
        """None where there is no factor that would do: the owner, from outside, without a strong one."""
        organisation, now = attempt.organisation, self._db.clock.now()
        assert organisation is not None
        transaction, expires_at = handle.issue(self._db.ids, person.org), now + _LIFETIME
        new = store.NewLogin(
            id=self._db.ids.uuid(), staff=person.id, digest=handle.digest(transaction), expires_at=expires_at,
            device=attempt.known, failures=attempt.failures,
        )  # fmt: skip
        async with self._db.begin(person.org) as tx:
            second = await self._asked(tx, person, organisation)
            if second.enrol and not second.factors:
                return None
            # The person first (the reference holds their row) and then what is counted, as everybody does.
            await store.add_login(tx, person.org, new, now)
            await self._throttle.forget(tx, attempt.own)
        return LoginStarted(
            transaction=transaction, expires_at=expires_at, factors=second.factors, enrol=second.enrol,
            password_expired=renewals.expired(person, organisation, now),
        )  # fmt: skip

    async def _fail(self, attempt: Attempt, reason: str) -> None:
        """Count it and write down why, which only an administrator reads."""
        about = None if attempt.person is None else attempt.person.id
        async with self._db.begin(attempt.org) as tx:
            failures = await self._throttle.fail(tx, attempt.counted, in_a_row=reason != "locked")
            if attempt.known is not None and failures >= _DEVICE_FAILURES:
                await self._devices.forget(tx, attempt.org, attempt.known)
            audit.note(tx, attempt.org, Act.LOGIN_FAILED, about=about, ok=False, reason=reason)
        if about is not None and reason == "password" and is_due(attempt.organisation, failures) and not attempt.known:
            await self._locks.consider(attempt.org, about, failures)

    async def _rehash(self, person: StaffRow, old: str, password: str) -> None:
        new = await self._passwords.hash(password)
        async with self._db.begin(person.org) as tx:
            await staff_store.rehash_password(tx, person.org, person.id, old, new)


def _org(transaction: str) -> UUID:
    org = handle.organisation(transaction)
    if org is None:
        raise _over()
    return org


def _over() -> Unauthenticated:
    return Unauthenticated("login_over", "This login has ended or expired; start again with the password.")
