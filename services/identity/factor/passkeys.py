"""Passkeys (WebAuthn): adding one, and showing it as the second factor of a login or as the whole of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from webauthn.helpers import base64url_to_bytes

from services.identity.factor import ceremonies, factors
from services.identity.factor.ceremonies import Ceremonies, Known, Refused
from services.identity.factor.enrolments import Enrolments, shown_passkey
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages, login_name
from services.identity.store import organisations as organisation_store
from services.identity.store import passkeys as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.passkeys import PasskeyRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Enrolling, Person
from staffgate.contracts.identity import AddPasskey, FactorAdded, FactorKind, NoticeKind, Passkey, PasskeyOptions
from staffgate.contracts.identity.factors import Json

LIFETIME = timedelta(minutes=5)
_MOST = 20  # a person

log = structlog.get_logger()


class Passkeys:
    def __init__(self, db: Database, ceremonies: Ceremonies, enrolments: Enrolments, messages: Messages) -> None:
        self._db = db
        self._ceremonies = ceremonies
        self._enrolments = enrolments
        self._messages = messages

    # --- having one -------------------------------------------------------------------------------------------

    async def offer(self, caller: Person | Enrolling) -> PasskeyOptions:
        """What a browser needs to make one. For this session."""
        if isinstance(caller, Person):
            require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._account(tx, caller)
            has = await store.passkeys_of(tx, caller.org, caller.staff)
            if len(has) >= _MOST:
                raise Conflict("too_many_passkeys", f"{_MOST} passkeys are enough; remove one first.")
            challenge, expires_at = await self._challenge(tx, caller.org, caller.session.bytes)
        known = [Known(row.credential, row.transports) for row in has]
        login = login_name(organisation, person)
        options = self._ceremonies.creation(user_handle(person), login, person.name, challenge, known)
        return PasskeyOptions(expires_at=expires_at, options=options)

    async def add(self, caller: Person | Enrolling, wanted: AddPasskey) -> FactorAdded:
        made = await self._made(caller, wanted.credential)
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._account(tx, caller)
            new = store.NewPasskey(
                id=self._db.ids.uuid(),
                staff=caller.staff,
                credential=made.credential,
                public_key=made.public_key,
                sign_count=made.sign_count,
                synced=made.synced,
                transports=made.transports,
                name=wanted.name.strip(),
            )
            if not await store.add_passkey(tx, caller.org, new, self._db.clock.now()):
                raise Conflict("passkey_taken", "This passkey is in use for an account already; make a new one.")
            return await self._enrolments.added(
                tx, person, organisation, caller, FactorKind.PASSKEY, passkey=new.id
            )  # fmt: skip

    async def _made(self, caller: Person | Enrolling, credential: Json) -> ceremonies.Made:
        """The challenge is used up, whatever comes of what can be read."""
        if not ceremonies.is_creation(credential):
            raise unreadable()
        async with self._db.begin(caller.org) as tx:
            challenge = await store.take_challenge(tx, caller.org, caller.session.bytes, self._db.clock.now())
        try:
            if challenge is None:
                raise Refused("no challenge")
            return self._ceremonies.made(credential, challenge)
        except Refused as fault:
            log.info("passkeys.not_added", reason=str(fault))
            detail = "This is no passkey that was made for this session; begin again with its options."
            raise Invalid("passkey_refused", detail) from fault

    async def rename(self, caller: Person, id: UUID, name: str) -> Passkey:
        async with self._db.begin(caller.org) as tx:
            row = await store.rename_passkey(tx, caller.org, caller.staff, id, name.strip())
            if row is None:
                raise _none()
            audit.note(tx, caller.org, Act.FACTOR_RENAMED, by=caller, about=caller.staff, passkey=str(id))
        return shown_passkey(row)

    async def remove(self, caller: Person, id: UUID) -> None:
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            await staff_store.lock_staff(tx, caller.org, caller.staff)
            if not await store.drop_passkey(tx, caller.org, caller.staff, id):
                raise _none()
            await self._enrolments.removed(tx, caller, FactorKind.PASSKEY)

    # --- showing one ------------------------------------------------------------------------------------------

    async def ask(self, tx: Tx, person: StaffRow, transaction: UUID) -> PasskeyOptions:
        """For a login or step-up that was begun, as its second factor."""
        has = await store.passkeys_of(tx, person.org, person.id)
        known = [Known(row.credential, row.transports) for row in has]
        return await self.asking(tx, person.org, transaction.bytes, known, alone=False)

    async def asking(self, tx: Tx, org: UUID, about: bytes, known: list[Known], *, alone: bool) -> PasskeyOptions:
        challenge, expires_at = await self._challenge(tx, org, about)
        return PasskeyOptions(expires_at=expires_at, options=self._ceremonies.request(challenge, known, alone=alone))

    async def check(self, tx: Tx, org: UUID, staff: UUID, transaction: UUID, credential: Json) -> UUID | None:
        """Which of the person's passkeys was shown for the transaction. To be committed whatever else comes of it: the
        challenge is used up, and a counter that went back is written down."""
        challenge = await store.take_challenge(tx, org, transaction.bytes, self._db.clock.now())
        passkey = await self._verified(tx, org, challenge, credential, alone=False)
        return passkey.id if passkey is not None and passkey.staff == staff else None

    async def check_alone(self, tx: Tx, org: UUID, challenge: bytes | None, credential: Json) -> PasskeyRow | None:
        """As the whole of a login: whose it is, it says itself."""
        return await self._verified(tx, org, challenge, credential, alone=True)

    async def _verified(
        self, tx: Tx, org: UUID, challenge: bytes | None, credential: Json, *, alone: bool
    ) -> PasskeyRow | None:
        passkey = await store.passkey_by_credential(tx, org, ceremonies.credential_id(credential))
        if challenge is None or passkey is None:
            return None
        try:
            count = self._ceremonies.shown(
                credential, challenge, passkey, org.bytes + passkey.staff.bytes, alone=alone
            )  # fmt: skip
        except Refused as fault:
            log.info("passkeys.refused", reason=str(fault))
            return None
        if not await store.use_passkey(tx, org, passkey.id, count, self._db.clock.now()):
            await self._alarm(tx, org, passkey)
            return None
        return passkey

    async def _alarm(self, tx: Tx, org: UUID, passkey: PasskeyRow) -> None:
        """Its key signed, and its counter went back: there are two of it."""
        person = await staff_store.staff(tx, org, passkey.staff)
        organisation = await organisation_store.organisation(tx, org)
        audit.note(tx, org, Act.PASSKEY_COPIED, about=passkey.staff, ok=False, passkey=str(passkey.id))
        if person is not None and organisation is not None:
            await self._messages.send_notice(tx, person, organisation, NoticeKind.PASSKEY_COPIED, name=passkey.name)

    # ----------------------------------------------------------------------------------------------------------

    async def _account(self, tx: Tx, caller: Person | Enrolling) -> tuple[StaffRow, OrganisationRow]:
        person = await staff_store.lock_staff(tx, caller.org, caller.staff)
        organisation = await organisation_store.organisation(tx, caller.org)
        if person is None or organisation is None:
            raise NotFound("not_found", "There is no such account.")
        if FactorKind.PASSKEY not in factors.allowed(person, organisation):
            raise Invalid("factor_not_allowed", "Your organisation does not allow passkeys.")
        return person, organisation

    async def _challenge(self, tx: Tx, org: UUID, about: bytes) -> tuple[bytes, datetime]:
        now = self._db.clock.now()
        challenge, expires_at = base64url_to_bytes(self._db.ids.secret()), now + LIFETIME
        await store.put_challenge(tx, org, about, challenge, expires_at, now)
        return challenge, expires_at


def user_handle(person: StaffRow) -> bytes:
    """Says nothing to whoever reads it on the authenticator (WebAuthn Level 3, section 14.6.1)."""
    return person.org.bytes + person.id.bytes


def unreadable() -> Invalid:
    return Invalid("credential_unreadable", "Send what the browser made of the options (`toJSON()`) as `credential`.")


def _none() -> NotFound:
    return NotFound("not_found", "You have no passkey of that id.")
