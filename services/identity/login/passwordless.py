"""Logging in with a passkey and nothing else: it makes sure of its user, so it is two factors by itself."""

from __future__ import annotations

import hmac
from datetime import datetime
from uuid import UUID

from services.identity import names
from services.identity.factor import ceremonies, evidence, factors
from services.identity.factor.ceremonies import Known
from services.identity.factor.passkeys import Passkeys, unreadable
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.admission import Admission
from services.identity.login.devices import Devices
from services.identity.session import handle
from services.identity.store import organisations as organisation_store
from services.identity.store import passkeys as store
from services.identity.store import staff as staff_store
from services.identity.store.passkeys import PasskeyRow
from shared.db import Database, Tx
from shared.errors import Unauthenticated
from staffgate.contracts.event import NOBODYS
from staffgate.contracts.identity import FactorKind, FinishPasskeyLogin, PasskeyLoginStarted, Tokens

_LENGTHS = (16, 20, 32, 32)  # of the credential ids that are made most
_COUNTS = (1, 1, 1, 1, 2, 2, 3)  # of passkeys that a person has


class Passwordless:
    """Whose login it is shows at its end, so until then it is nobody's."""

    def __init__(self, db: Database, passkeys: Passkeys, devices: Devices, admission: Admission, key: bytes) -> None:
        self._db = db
        self._passkeys = passkeys
        self._devices = devices
        self._admission = admission
        self._key = key

    async def begin(self, login: str | None) -> PasskeyLoginStarted:
        """The same whoever it is: a name that nobody has gets a list of passkeys too, and the same one each time."""
        known = [] if login is None else [Known(one) for one in await self._listed(login)]
        transaction = handle.issue(self._db.ids, NOBODYS)
        async with self._db.begin(NOBODYS) as tx:
            asking = await self._passkeys.asking(tx, NOBODYS, handle.digest(transaction), known, alone=True)
        return PasskeyLoginStarted(transaction=transaction, expires_at=asking.expires_at, options=asking.options)

    async def finish(self, wanted: FinishPasskeyLogin) -> Tokens:
        if not ceremonies.is_assertion(wanted.credential):
            raise unreadable()
        now, digest = self._db.clock.now(), handle.digest(wanted.transaction)
        async with self._db.begin(NOBODYS) as tx:
            challenge = await store.take_challenge(tx, NOBODYS, digest, now)
        async with self._db.begin_anywhere() as tx:
            id = ceremonies.credential_id(wanted.credential)
            org = await store.organisation_of_credential_anywhere(tx, id) or NOBODYS
        async with self._db.begin(org) as tx:
            passkey = await self._passkeys.check_alone(tx, org, challenge, wanted.credential)
        tokens = await self._let_in(org, passkey, wanted.device, now) if passkey is not None else None
        if tokens is None:
            about = None if passkey is None else passkey.staff
            async with self._db.begin(org) as tx:
                audit.note(tx, org, Act.LOGIN_FAILED, about=about, ok=False, reason="passkey")
            raise Unauthenticated("login_failed", "This passkey is not good here, or the account can't log in.")
        return tokens

    async def _let_in(self, org: UUID, passkey: PasskeyRow, device: str | None, now: datetime) -> Tokens | None:
        """None where the person may not come in: nothing is told of why."""
        async with self._db.begin(org) as tx:
            person = await staff_store.lock_staff(tx, org, passkey.staff)
            organisation = await organisation_store.organisation(tx, org)
            known = await self._known(tx, org, passkey.staff, device)
            # It was checked in a transaction of its own: a recovery, or its person, may have taken it away since.
            if passkey.id not in {row.id for row in await store.passkeys_of(tx, org, passkey.staff)}:
                return None
            if self._admission.against(now, person, organisation, known=known is not None):
                return None
            assert person is not None
            assert organisation is not None
            if FactorKind.PASSKEY not in factors.allowed(person, organisation):
                return None
            proved = evidence.of(FactorKind.PASSKEY, password=False)
            return await self._admission.let_in(tx, person, organisation, proved, known=known)

    async def _known(self, tx: Tx, org: UUID, staff: UUID, device: str | None) -> bytes | None:
        row = await self._devices.look(tx, org, device)
        return handle.digest(device) if device is not None and row is not None and row.staff == staff else None

    async def _listed(self, login: str) -> list[bytes]:
        """As many statements for nobody as for somebody."""
        organisation_key, username_key = names.split_login(login) or ("", "")
        async with self._db.begin_anywhere() as tx:
            found = await organisation_store.organisation_by_name(tx, organisation_key)
        org = found or NOBODYS
        async with self._db.begin(org) as tx:
            person = await staff_store.staff_by_username(tx, org, username_key)
            rows = await store.passkeys_of(tx, org, NOBODYS if person is None else person.id)
        # By the organisation's id where there is one: under each of its two names the list is the same, as a real one is.
        made_up = self._made_up(f"{found or organisation_key}\\{username_key or login}")
        return [row.credential for row in rows] or made_up

    def _made_up(self, login: str) -> list[bytes]:
        """Credential ids that nobody has (WebAuthn Level 3, section 14.6.2)."""
        seed = hmac.digest(self._key, b"no passkey" + login.encode(errors="replace"), "sha256")
        ids = [hmac.digest(self._key, seed + bytes([n]), "sha256") for n in range(_COUNTS[seed[0] % len(_COUNTS)])]
        return [id[: _LENGTHS[id[-1] % len(_LENGTHS)]] for id in ids]
