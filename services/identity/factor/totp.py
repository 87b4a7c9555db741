"""The authenticator app (RFC 6238)."""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp
import segno

from services.identity.factor import factors
from services.identity.factor.enrolments import Enrolments
from services.identity.store import factors as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from shared.freshness import require_fresh
from shared.sealing import Opener
from staffgate.contracts.caller import Enrolling, Person
from staffgate.contracts.identity import FactorAdded, FactorKind, TotpEnrolment

_SECRET_LENGTH = 32  # base32 characters: 160 bits (RFC 4226 R6)
_STEP = 30
_WINDOW = 1  # steps to either side, for clocks that are a little off


class Totp:
    """Secrets rest sealed to identity's own key, which is not in the database."""

    def __init__(self, db: Database, opener: Opener, enrolments: Enrolments) -> None:
        self._db = db
        self._opener = opener
        self._enrolments = enrolments

    async def enrol(self, caller: Person | Enrolling) -> TotpEnrolment:
        """A fresh secret, shown this once; it counts when a code from it has been confirmed. Until then the app that is
        enrolled already, if any, counts on."""
        if isinstance(caller, Person):
            require_fresh(caller, self._db.clock)
        secret = self._db.ids.base32(_SECRET_LENGTH)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            await store.propose_totp(tx, caller.org, caller.staff, self._seal(person, secret))
        name = f"{organisation.name}: {person.username}"
        uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Staffgate")
        qr = segno.make(uri, error="m", micro=False).svg_data_uri(scale=4, border=4)  # 8 ms
        return TotpEnrolment(secret=secret, uri=uri, qr=qr)

    async def confirm(self, caller: Person | Enrolling, code: str) -> FactorAdded:
        """The app counts from now on; and as its code was shown, the session is one that has it."""
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._locked(tx, caller)
            sealed = await store.proposed_totp(tx, caller.org, caller.staff)
            if sealed is None:
                raise Conflict("totp_not_begun", "Begin with POST /v1/me/factors/totp.")
            step = _matching_step(self._open(person, sealed), code, now)
            if step is None:
                raise Invalid("code_wrong", "The code is wrong; enter the one that the app shows now.")
            await store.confirm_totp(tx, caller.org, caller.staff, step, now)
            return await self._enrolments.added(tx, person, organisation, caller, FactorKind.TOTP)

    async def check(self, tx: Tx, person: StaffRow, code: str) -> bool:
        """True once for a time step: a code that was seen over a shoulder is worth nothing."""
        if person.totp_sealed is None or person.totp_confirmed_at is None:
            return False
        step = _matching_step(self._open(person, person.totp_sealed), code, self._db.clock.now())
        return step is not None and await store.use_totp_step(tx, person.org, person.id, step)

    async def _locked(self, tx: Tx, caller: Person | Enrolling) -> tuple[StaffRow, OrganisationRow]:
        person = await staff_store.lock_staff(tx, caller.org, caller.staff)
        organisation = await organisation_store.organisation(tx, caller.org)
        if person is None or organisation is None:
            raise NotFound("not_found", "There is no such account.")
        if FactorKind.TOTP not in factors.allowed(person, organisation):
            raise Invalid("factor_not_allowed", "Your organisation does not allow an authenticator app.")
        return person, organisation

    def _seal(self, person: StaffRow, secret: str) -> str:
        return self._opener.seal(secret.encode(), str(person.id))

    def _open(self, person: StaffRow, sealed: str) -> str:
        return self._opener.open(sealed, str(person.id)).decode()


def _matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that the code belongs to. Every step of the window is compared, found or not."""
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // _STEP
    steps = range(present - _WINDOW, present + _WINDOW + 1)
    matching = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    return matching[-1] if matching else None
