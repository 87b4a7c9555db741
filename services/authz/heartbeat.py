"""A heartbeat a second from every process: how far the organisations have come that changed of late.

Announcements may be lost, and whoever has lost one can't know. A heartbeat is read from the database and goes straight
to the bus, so it needs neither outbox nor relay and shows what these have failed to carry. One process alive is enough
for everybody; with none, or with no database to read, memories are soon believed no more, and that is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from services.authz.store import manifests as manifest_store
from services.authz.store import revisions as store
from shared.bus.envelope import encode
from shared.bus.port import Bus, Message
from shared.db import Database
from shared.errors import Unavailable
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.event import NOBODYS

EVERY = 1.0  # seconds
# Longer than any silence after which memories are still believed, and the longest transaction, together.
_LATELY = 30.0
_MOST = 2000  # organisations; more would be 100 kB a second

log = structlog.get_logger()


@asynccontextmanager
async def beating(db: Database, bus: Bus, every: float = EVERY) -> AsyncIterator[None]:
    """`db` is best one of its own: a heartbeat that waits behind questions would make more of them."""
    stop = asyncio.Event()
    task = asyncio.create_task(_beat(db, bus, every, stop), name="heartbeat")
    try:
        yield
    finally:
        stop.set()
        await task


async def _beat(db: Database, bus: Bus, every: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            if bus.connected:
                await bus.publish([_message(db, await read(db))])
        except Unavailable as fault:
            log.warning("heartbeat.unread", error=str(fault))
        except Exception:  # whoever dies of it never beats again, and nobody notices
            log.exception("heartbeat.failed")
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()


async def read(db: Database) -> Heartbeat:
    at = db.clock.now()  # before anything is read: what comes after it may be in there, what came before it is
    async with db.begin_anywhere() as tx:
        revisions = await store.changed_anywhere(tx, _LATELY, _MOST + 1)
        version = await manifest_store.version_anywhere(tx)
    complete = len(revisions) <= _MOST
    return Heartbeat(
        org=NOBODYS, at=at, revisions=revisions if complete else {}, complete=complete, catalogue=version
    )  # fmt: skip


def _message(db: Database, beat: Heartbeat) -> Message:
    id = db.ids.uuid()
    return Message(id=str(id), type=beat.type, body=encode(beat, id, beat.at))
