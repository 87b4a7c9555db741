"""Signing access tokens (RFC 9068, EdDSA): which key signs now, and the life of a key.

A key is made, published for a quarter of an hour, signs until the next one takes over, and stays published until the
last token that it signed has expired; then it is deleted, private half and all. All of that is in the database, where
the private half lies sealed, so every replica does the same at the same moment, and one of them makes the next key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog
from joserfc import jws
from joserfc.jwk import OKPKey

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.store import keys as store
from services.identity.store.keys import KeyRow
from shared.clock import Clock
from shared.db import Database, Tx
from shared.errors import Unavailable
from shared.ids import Ids
from shared.sealing import Opener, Unopenable
from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims, Verifier
from staffgate.contracts.event import NOBODYS
from staffgate.contracts.identity import KeySet

_NOTICE = timedelta(minutes=15)  # a key is published so long before it signs
_AT_ONCE = timedelta(
    seconds=10
)  # where the old one may be known to somebody: every replica has read the new one by then
_OVERLAP = timedelta(seconds=LIFETIME + 60)  # its last token has expired by then, whatever the clocks say
_EVERY = 2.0  # seconds between two looks at the table

log = structlog.get_logger()


@dataclass(frozen=True)
class SigningKey:
    """`signs_from` until the next one's."""

    key: OKPKey
    signs_from: datetime


class Signer:
    """Synchronous: nobody is asked, because the keys know their time themselves."""

    def __init__(self, issuer: str, clock: Clock, ids: Ids) -> None:
        self.issuer = issuer
        self._clock = clock
        self._ids = ids
        self._keys: Sequence[SigningKey] = ()

    def hold(self, keys: Sequence[SigningKey]) -> None:
        """Sign with these from now on. They come in the order in which they sign."""
        self._keys = keys

    def sign(self, subject: str, client: str, **about: object) -> str:
        """An access token for `subject`, good for LIFETIME seconds. `about` fills the other Claims."""
        at = self._clock.now()
        key, now = self._key(at), int(at.timestamp())
        claims = Claims(
            iss=self.issuer,
            aud=AUDIENCE,
            sub=subject,
            client_id=client,
            iat=now,
            exp=now + LIFETIME,
            jti=str(self._ids.uuid()),
            **about,  # type: ignore[arg-type]
        )
        header = {"alg": ALGORITHMS[0], "typ": TYPE, "kid": key.kid}
        return jws.serialize_compact(header, msgspec.json.encode(claims), key, algorithms=ALGORITHMS)

    def _key(self, now: datetime) -> OKPKey:
        if not self._keys:
            raise Unavailable("no_signing_key", "Access tokens can't be signed yet; try again.")
        # By a clock that is behind the one that made the only key, it has not begun yet.
        begun = [one for one in self._keys if one.signs_from <= now] or self._keys[:1]
        return begun[-1].key


class Keys:
    """`first` is a private Ed25519 JWK in JSON: the key of a database that has none yet."""

    def __init__(
        self, db: Database, opener: Opener, signer: Signer, verifier: Verifier, first: str, life: timedelta
    ) -> None:  # fmt: skip
        self.signer = signer
        self.verifier = verifier
        self._db = db
        self._opener = opener
        self._first = _import(first)
        self._life = life
        self._opened: dict[str, OKPKey] = {}
        self._published: list[str] | None = None

    def published(self) -> KeySet:
        """The public halves of what is good now or will be soon (RFC 7517)."""
        return KeySet(keys=[msgspec.json.decode(public, type=dict[str, str]) for public in self._published or []])

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Nothing is signed before the keys were read."""
        await self.refresh()
        task = asyncio.create_task(self._keep(), name="keys")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.refresh()
            except Unavailable as fault:
                log.warning("keys.database_away", error=str(fault))
            except Exception:  # whoever dies of it signs with an old key for ever, and nobody notices
                log.exception("keys.not_read")

    async def refresh(self) -> None:
        """Read them; make the next one where it is time, and delete what is over."""
        now = self._db.clock.now()
        async with self._db.begin_anywhere() as tx:
            rows = await store.keys(tx) or await self._begin(tx, now)
            if rows[-1].signs_from + self._life - _NOTICE <= now and await self._add(tx, rows[-1], now, _NOTICE):
                rows = await store.keys(tx)
            if any(_is_over(row, now) for row in rows):
                await store.forget_keys(tx, now)
        self._hold([row for row in rows if not _is_over(row, now)])

    async def rotate(self, *, at_once: bool = False) -> KeyRow:
        """Make the next key, for an operator. `at_once`: the older ones are not to be trusted
        any more, and with them every token that they signed."""
        now, notice = self._db.clock.now(), _AT_ONCE if at_once else _NOTICE
        async with self._db.begin_anywhere() as tx:
            rows = await store.keys(tx) or await self._begin(tx, now)
            while not await self._add(tx, rows[-1], now, notice, at_once=at_once):
                rows = await store.keys(tx)  # a replica was faster, and its key is no better than the older ones
            return (await store.keys(tx))[-1]

    async def _begin(self, tx: Tx, now: datetime) -> list[KeyRow]:
        """With the setting's. Of many replicas that start at once one adds it."""
        await store.add_key(tx, self._row(1, self._first, now))
        return await store.keys(tx)

    async def _add(self, tx: Tx, last: KeyRow, now: datetime, notice: timedelta, *, at_once: bool = False) -> bool:
        key = OKPKey.generate_key("Ed25519", private=True, auto_kid=True)
        new = self._row(last.number + 1, key, now + notice)
        if not await store.add_key(tx, new):
            return False
        await store.end_keys_before(tx, new.number, new.signs_from + (timedelta() if at_once else _OVERLAP))
        audit.note(tx, NOBODYS, Act.KEY_ROTATED, kid=new.kid, at_once=at_once)
        return True

    def _row(self, number: int, key: OKPKey, signs_from: datetime) -> KeyRow:
        key.ensure_kid()
        kid = str(key.kid)
        whole = msgspec.json.encode(key.as_dict(private=True))
        public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHMS[0]}
        return KeyRow(
            number=number,
            kid=kid,
            public=msgspec.json.encode({name: str(value) for name, value in public.items()}).decode(),
            sealed=self._opener.seal(whole, _context(kid)),
            signs_from=signs_from,
            ends_at=None,
        )

    def _hold(self, rows: list[KeyRow]) -> None:
        self._opened = {row.kid: self._opened.get(row.kid) or self._open(row) for row in rows}
        self.signer.hold([SigningKey(self._opened[row.kid], row.signs_from) for row in rows])
        if (published := [row.public for row in rows]) != self._published:
            self._published = published
            self.verifier.trust(self.published())
            log.info("keys.changed", kids=[row.kid for row in rows])

    def _open(self, row: KeyRow) -> OKPKey:
        try:
            return OKPKey.import_key(msgspec.json.decode(self._opener.open(row.sealed, _context(row.kid))))
        except Unopenable as fault:
            raise Unopenable(f"the signing key {row.kid} was sealed to another `factor_key`") from fault


def _import(key: str) -> OKPKey:
    imported = OKPKey.import_key(msgspec.json.decode(key))
    if imported.curve_name != "Ed25519" or not imported.is_private:
        raise ValueError("signing_key: give a private Ed25519 JWK")
    return imported


def _is_over(row: KeyRow, now: datetime) -> bool:
    return row.ends_at is not None and row.ends_at <= now


def _context(kid: str) -> str:
    return f"signing key {kid}"
