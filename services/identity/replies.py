"""Answers kept for a day under their Idempotency-Key, sealed to identity's own key."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from services.identity.store import replies as store
from shared.db import Database
from shared.errors import Busy, Invalid
from shared.http.replies import Reply
from shared.sealing import Opener
from staffgate.contracts.caller import Caller, Product
from staffgate.contracts.event import NOBODYS

KEPT = timedelta(hours=24)
_STUCK = timedelta(seconds=60)  # longer than a request can take: whoever began it has died


class KeptReplies:
    def __init__(self, db: Database, opener: Opener) -> None:
        self._db = db
        self._opener = opener

    async def begin(self, caller: Caller, key: str, digest: bytes) -> Reply | None:
        (org, who), now = _whose(caller), self._db.clock.now()
        async with self._db.begin(org) as tx:
            if await store.begin_reply(tx, org, who, key, digest, now, now - _STUCK):
                return None
            row = await store.reply(tx, org, who, key)
        if row is None or (row.digest == digest and row.sealed is None):
            raise Busy("in_flight", "A request with this Idempotency-Key is being worked on; ask again in a moment.")
        if row.digest != digest or row.sealed is None:
            raise Invalid("key_reused", "This Idempotency-Key was used for another request; take a new one.")
        return msgspec.msgpack.decode(self._opener.open(row.sealed, _context(who, key)), type=Reply)

    async def keep(self, caller: Caller, key: str, reply: Reply) -> None:
        org, who = _whose(caller)
        sealed = self._opener.seal(msgspec.msgpack.encode(reply), _context(who, key))
        async with self._db.begin(org) as tx:
            await store.keep_reply(tx, org, who, key, sealed)

    async def forget(self, caller: Caller, key: str) -> None:
        org, who = _whose(caller)
        async with self._db.begin(org) as tx:
            await store.forget_reply(tx, org, who, key)


def _whose(caller: Caller) -> tuple[UUID, str]:
    if isinstance(caller, Product):
        return NOBODYS, f"product:{caller.name}"
    return caller.org, f"staff:{caller.staff}"


def _context(who: str, key: str) -> str:
    return f"{who}/{key}"
