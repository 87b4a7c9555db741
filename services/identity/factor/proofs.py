"""Proving a second factor, for whatever was begun: a login, a step-up.

A try counts as soon as it is made, right or wrong, so it is committed by itself before it is judged.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from services.identity.factor.ceremonies import is_assertion
from services.identity.factor.codes import Codes
from services.identity.factor.factors import Asked
from services.identity.factor.passkeys import Passkeys
from services.identity.factor.recovery import Recovery
from services.identity.factor.totp import Totp
from services.identity.session import handle
from services.identity.store import factors as factor_store
from services.identity.store import logins as store
from services.identity.store.logins import LoginRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Invalid, Unauthenticated
from staffgate.contracts.identity import FactorKind, PasskeyOptions, Proof

_ATTEMPTS = 5  # a transaction; 5 of 10^6 guesses
_TRIES, _TRIES_PER = 10, timedelta(hours=1)  # a person, over all: whoever has the password can begin many
_EVER = 100  # in a row, however slowly (SP 800-63B-4 section 3.2.2)
# Short enough to be guessed. The others stay good when these are not any more: they are the person's way back.
_GUESSABLE = frozenset([FactorKind.TOTP, FactorKind.EMAIL, FactorKind.SMS])


class Proofs:
    def __init__(self, db: Database, totp: Totp, codes: Codes, passkeys: Passkeys, recovery: Recovery) -> None:
        self._db = db
        self._totp = totp
        self._codes = codes
        self._passkeys = passkeys
        self._recovery = recovery

    async def take_attempt(self, transaction: str, purpose: str, proof: Proof) -> tuple[UUID, LoginRow]:
        """Its organisation and row, for one of the few tries that it has. What proves nothing is no try."""
        _require_whole(proof)
        org = handle.organisation(transaction)
        if org is None:
            raise wrong()
        async with self._db.begin(org) as tx:
            digest, now = handle.digest(transaction), self._db.clock.now()
            if proof.factor is None:  # where none is asked for, there is nothing to guess
                login = await store.open_login(tx, org, digest, purpose, now)
            else:
                login = await store.take_attempt(tx, org, digest, purpose, now, _ATTEMPTS)
            if login is not None and proof.factor is FactorKind.PASSKEY:
                shown = await self._passkeys.check(tx, org, login.staff, login.id, proof.credential or {})
                login = msgspec.structs.replace(login, passkey=shown)
        if login is None:
            raise wrong()
        return org, login

    async def check(self, tx: Tx, person: StaffRow, login: LoginRow, proof: Proof, asked: Asked) -> bool:
        """Is it one of the factors asked for, and right? The caller holds the person's row. The transaction is over for
        everybody else if this is true."""
        now = self._db.clock.now()
        if not asked.accepts(proof.factor):
            return False
        if proof.factor in _GUESSABLE and await self._tried_too_often(tx, person):
            return False
        if proof.factor is not None and not await self._proves(tx, person, login, proof.factor, proof.code or ""):
            return False
        return await store.finish_login(tx, person.org, login.id, now)

    async def ask_passkey(self, tx: Tx, person: StaffRow, transaction: UUID) -> PasskeyOptions:
        return await self._passkeys.ask(tx, person, transaction)

    async def _tried_too_often(self, tx: Tx, person: StaffRow) -> bool:
        """This one is counted already."""
        since = self._db.clock.now() - _TRIES_PER
        tries = await factor_store.tries(tx, person.org, person.id, since)
        return tries.lately > _TRIES or tries.in_a_row > _EVER

    async def _proves(self, tx: Tx, person: StaffRow, login: LoginRow, factor: FactorKind, code: str) -> bool:
        if factor is FactorKind.PASSKEY:
            return login.passkey is not None
        if factor is FactorKind.TOTP:
            return await self._totp.check(tx, person, code)
        if factor is FactorKind.RECOVERY:
            return await self._recovery.check(tx, person, code)
        return await self._codes.check(tx, person.org, login.id, "sms" if factor is FactorKind.SMS else "email", code)


def _require_whole(proof: Proof) -> None:
    if proof.factor is FactorKind.PASSKEY and not is_assertion(proof.credential):
        raise Invalid("credential_unreadable", "Send what the browser made of the passkey's options as `credential`.")
    if proof.factor not in (None, FactorKind.PASSKEY) and proof.code is None:
        raise Invalid("code_missing", "Send the `code` of that factor.")


def wrong() -> Unauthenticated:
    """Wrong, used, expired, too many tries, unknown transaction: the same to whoever guesses."""
    return Unauthenticated("code_wrong", "The code is wrong or no longer good. After five tries, start again.")
