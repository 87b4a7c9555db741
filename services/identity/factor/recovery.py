"""Recovery codes: for whoever has lost the other factor. Ten of 76 bits, each good once, shown when they are made."""

from __future__ import annotations

import hmac
from uuid import UUID

from services.identity.factor import factors
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.store import factors as factor_store
from services.identity.store import organisations as organisation_store
from services.identity.store import recovery as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Enrolling, Person
from staffgate.contracts.identity import FactorKind, NoticeKind, RecoveryCodes

_CODES = 10
_GROUPS, _GROUP = 4, 4  # of 27 characters: 4.75 bits each


class Recovery:
    def __init__(self, db: Database, messages: Messages, key: bytes) -> None:
        self._db = db
        self._messages = messages
        self._key = key

    async def regenerate(self, caller: Person) -> RecoveryCodes:
        """A new set; the old one is dead. They stand in for a strong factor, so there has to be one."""
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, caller.staff)
            organisation = await organisation_store.organisation(tx, caller.org)
            if person is None or organisation is None:
                raise NotFound("not_found", "There is no such account.")
            if FactorKind.RECOVERY not in factors.allowed(person, organisation):
                raise Invalid("factor_not_allowed", "Your organisation does not allow recovery codes.")
            enrolled = await factor_store.enrolled(tx, caller.org, caller.staff)
            if person.totp_confirmed_at is None and FactorKind.PASSKEY not in enrolled:
                raise Conflict("no_strong_factor", "Enrol an authenticator app or a passkey first.")
            return RecoveryCodes(codes=await self.make(tx, person, organisation, caller))

    async def make(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling
    ) -> list[str]:
        """In the caller's transaction, which holds the person's row."""
        codes = [self._code() for _ in range(_CODES)]
        digests = [self._digest(person.id, code) for code in codes]
        await store.replace_codes(tx, person.org, person.id, digests, self._db.clock.now())
        audit.note(tx, person.org, Act.RECOVERY_CODES_MADE, by=caller, about=person.id)
        await self._messages.send_notice(tx, person, organisation, NoticeKind.RECOVERY_CODES_MADE)
        return codes

    async def check(self, tx: Tx, person: StaffRow, code: str) -> bool:
        """True once for a code. Its person is told, and how many are left."""
        digest = self._digest(person.id, code)
        if not await store.use_code(tx, person.org, person.id, digest, self._db.clock.now()):
            return False
        left = await store.codes_left(tx, person.org, person.id)
        organisation = await organisation_store.organisation(tx, person.org)
        assert organisation is not None
        audit.note(tx, person.org, Act.RECOVERY_CODE_USED, by=person.id, about=person.id, left=left)
        await self._messages.send_notice(tx, person, organisation, NoticeKind.RECOVERY_CODE_USED, left=str(left))
        return True

    def _code(self) -> str:
        return "-".join(self._db.ids.legible(_GROUP) for _ in range(_GROUPS))

    def _digest(self, staff: UUID, code: str) -> bytes:
        """However it was typed: without hyphens, in small letters."""
        plain = code.replace("-", "").upper()
        return hmac.digest(self._key, b"recovery" + staff.bytes + plain.encode(), "sha256")
