"""Codes by e-mail and SMS: each for one transaction, one person and one channel, and the newest is the only one."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.identity.messages import Messages
from services.identity.store import logins as store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import TooMany
from staffgate.contracts.identity import CodeUsed

_LIFETIME = timedelta(minutes=5)
_DIGITS = {"email": 8, "sms": 6}
_CODES, _CODES_PER = 5, timedelta(minutes=10)  # a person
_COOL_DOWN = timedelta(seconds=30)  # a transaction and channel

Channel = Literal["email", "sms"]


class Codes:
    def __init__(self, db: Database, messages: Messages, key: bytes) -> None:
        self._db = db
        self._messages = messages
        self._key = key

    async def send(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, transaction: UUID, channel: Channel, *,
        to: str = "", purpose: str = "login",
    ) -> datetime:  # fmt: skip
        """Send a fresh one; the one before it is dead. When it expires."""
        now = self._db.clock.now()
        await self._limit(tx, person, transaction, channel, now)
        id, code, expires_at = self._db.ids.uuid(), self._db.ids.digits(_DIGITS[channel]), now + _LIFETIME
        new = store.NewCode(
            id=id,
            login=transaction,
            staff=person.id,
            channel=channel,
            digest=self._digest(id, code),
            expires_at=expires_at,
        )
        await store.add_code(tx, person.org, new, now)
        await self._messages.send_code(tx, person, organisation, channel, id, code, expires_at, to=to, purpose=purpose)
        return expires_at

    async def check(self, tx: Tx, org: UUID, transaction: UUID, channel: Channel, code: str) -> bool:
        """One that is right is told of: where codes go that are never used, somebody has them sent for money."""
        newest = await store.newest_code(tx, org, transaction, channel, self._db.clock.now())
        if newest is None or not hmac.compare_digest(newest.digest, self._digest(newest.id, code)):
            return False
        await tx.emit(CodeUsed(org=org, staff=newest.staff, code=newest.id, channel=channel))
        return True

    async def _limit(self, tx: Tx, person: StaffRow, transaction: UUID, channel: str, now: datetime) -> None:
        if await store.codes_of_login_since(tx, person.org, transaction, channel, now - _COOL_DOWN):
            raise TooMany("code_just_sent", "A code was sent a moment ago; wait for it.", retry_after=30)
        if await store.codes_since(tx, person.org, person.id, now - _CODES_PER) >= _CODES:
            raise TooMany("too_many_codes", "Too many codes were sent to this account; wait a while.", retry_after=600)

    def _digest(self, id: UUID, code: str) -> bytes:
        """Bound to one row, and so to one transaction, person and channel."""
        return hmac.digest(self._key, id.bytes + code.encode(), "sha256")
