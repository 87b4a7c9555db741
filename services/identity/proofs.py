"""Proving a second factor, for whatever was begun: a login, a step-up.

A try counts as soon as it is made, right or wrong, so it is committed by itself before it is judged.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.identity import handle
from services.identity.codes import Codes
from services.identity.store import logins as store
from services.identity.store.logins import LoginRow
from services.identity.store.staff import StaffRow
from services.identity.totp import Totp
from shared.db import Database, Tx
from shared.errors import Unauthenticated
from staffgate.contracts.identity import FactorKind, Proof

_ATTEMPTS = 5  # a transaction; 5 of 10^6 guesses
_TRIES, _TRIES_PER = 10, timedelta(hours=1)  # a person, over all: whoever has the password can begin many


class Proofs:
    def __init__(self, db: Database, totp: Totp, codes: Codes) -> None:
        self._db = db
        self._totp = totp
        self._codes = codes

    async def take_attempt(self, transaction: str, purpose: str) -> tuple[UUID, LoginRow]:
        """Its organisation and row, for one of the few tries that it has."""
        org = handle.organisation(transaction)
        if org is None:
            raise wrong()
        async with self._db.begin(org) as tx:
            digest, now = handle.digest(transaction), self._db.clock.now()
            login = await store.take_attempt(tx, org, digest, purpose, now, _ATTEMPTS)
        if login is None:
            raise wrong()
        return org, login

    async def check(self, tx: Tx, person: StaffRow, login: LoginRow, proof: Proof) -> bool:
        """The caller holds the person's row. The transaction is over for everybody else if this is true."""
        now = self._db.clock.now()
        if await store.tries_since(tx, person.org, person.id, now - _TRIES_PER) > _TRIES:  # this one counted
            return False
        if not await self._proves(tx, person, login, proof):
            return False
        return await store.finish_login(tx, person.org, login.id, now)

    async def _proves(self, tx: Tx, person: StaffRow, login: LoginRow, proof: Proof) -> bool:
        if proof.factor is FactorKind.TOTP:
            confirmed = person.totp_confirmed_at is not None
            return confirmed and await self._totp.check(tx, person, proof.code or "")
        if proof.factor is FactorKind.EMAIL:
            return await self._codes.check(tx, person.org, login.id, "email", proof.code or "")
        if proof.factor is FactorKind.SMS:
            return await self._codes.check(tx, person.org, login.id, "sms", proof.code or "")
        return False


def wrong() -> Unauthenticated:
    """Wrong, used, expired, too many tries, unknown transaction: the same to whoever guesses."""
    return Unauthenticated("code_wrong", "The code is wrong or no longer good. After five tries, start again.")
