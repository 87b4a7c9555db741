"""The authenticator app (RFC 6238)."""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp

from services.identity import audit, evidence
from services.identity.audit import Act
from services.identity.messages import Messages
from services.identity.sessions import Sessions
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as store
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from shared.sealing import Opener
from staffgate.contracts.caller import Enrolling, Person
from staffgate.contracts.identity import FactorKind, NoticeKind, Tokens, TotpEnrolment

_SECRET_LENGTH = 32  # base32 characters: 160 bits (RFC 4226 R6)
_STEP = 30
_WINDOW = 1  # steps to either side, for clocks that are a little off


class Totp:
    """Secrets rest sealed to identity's own key, which is not in the database."""

    def __init__(self, db: Database, opener: Opener, sessions: Sessions, messages: Messages) -> None:
        self._db = db
        self._opener = opener
        self._sessions = sessions
        self._messages = messages

    async def enrol(self, caller: Person | Enrolling) -> TotpEnrolment:
        """A fresh secret, shown this once; it counts when a code from it has been confirmed."""
        secret = self._db.ids.base32(_SECRET_LENGTH)
        async with self._db.begin(caller.org) as tx:
            person = _found(await store.lock_staff(tx, caller.org, caller.staff))
            organisation = await organisation_store.organisation(tx, caller.org)
            if not await store.enrol_totp(tx, caller.org, caller.staff, self._seal(person, secret)):
                raise Conflict("totp_enrolled", "An authenticator app is enrolled already; remove it first.")
        name = f"{organisation.name}: {person.username}" if organisation else person.username
        return TotpEnrolment(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Staffgate"))

    async def confirm(self, caller: Person | Enrolling, code: str) -> Tokens:
        """The app counts from now on; and as its code was shown, the session is one that has it."""
        async with self._db.begin(caller.org) as tx:
            person = _found(await store.lock_staff(tx, caller.org, caller.staff))
            organisation = await organisation_store.organisation(tx, caller.org)
            assert organisation is not None
            if person.totp_confirmed_at is not None:
                raise Conflict("totp_enrolled", "An authenticator app is enrolled already; remove it first.")
            if not await self.check(tx, person, code):
                raise Invalid("code_wrong", "The code is wrong; enter the one that the app shows now.")
            await store.confirm_totp(tx, caller.org, caller.staff, self._db.clock.now())
            audit.note(tx, caller.org, Act.FACTOR_ADDED, by=caller, about=person.id, factor=FactorKind.TOTP)
            await self._messages.send_notice(tx, person, organisation, NoticeKind.FACTOR_ADDED, factor=FactorKind.TOTP)
            return await self._sessions.raise_assurance(tx, person, organisation, caller, evidence.of(FactorKind.TOTP))

    async def check(self, tx: Tx, person: StaffRow, code: str) -> bool:
        """True once for a time step: a code that was seen over a shoulder is worth nothing."""
        if person.totp_sealed is None:
            return False
        secret = self._opener.open(person.totp_sealed, str(person.id)).decode()
        step = _matching_step(secret, code, self._db.clock.now())
        return step is not None and await store.use_totp_step(tx, person.org, person.id, step)

    def _seal(self, person: StaffRow, secret: str) -> str:
        return self._opener.seal(secret.encode(), str(person.id))


def _matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that the code belongs to. Every step of the window is compared, found or not."""
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // _STEP
    steps = range(present - _WINDOW, present + _WINDOW + 1)
    matching = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    return matching[-1] if matching else None


def _found(person: StaffRow | None) -> StaffRow:
    if person is None:
        raise NotFound("not_found", "There is no such account.")
    return person
