"""Roles that were given until some day: from then on they count for nothing, and nobody has to do anything for that.

But their names are still shown beside their holders. So what has expired is cleared away, and where its holders are
placed now is told: a minute after the end at most, and in one organisation after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog

from services.authz import placements, revisions
from services.authz.store import assignments as store
from services.authz.store import revisions as revision_store
from shared.db import Database
from shared.errors import Unavailable

EVERY = 60.0  # seconds

log = structlog.get_logger()


@asynccontextmanager
async def ending(db: Database, every: float = EVERY) -> AsyncIterator[None]:
    """Every worker does it: of two that come to the same organisation, the second one finds nothing."""
    stop = asyncio.Event()
    task = asyncio.create_task(_run(db, every, stop), name="endings")
    try:
        yield
    finally:
        stop.set()
        await task


async def _run(db: Database, every: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await sweep(db)
        except Unavailable as fault:
            log.warning("endings.unread", error=str(fault))
        except Exception:  # whoever dies of it never sweeps again, and nobody notices
            log.exception("endings.failed")
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()


async def sweep(db: Database) -> None:
    async with db.begin_anywhere() as tx:
        organisations = await store.ended_anywhere(tx, db.clock.now())
    for org in organisations:
        await _clear(db, org)


async def _clear(db: Database, org: UUID) -> None:
    """Nobody's permissions change by it: every snapshot knows by itself when it ends."""
    async with db.begin(org) as tx:
        await revision_store.lock_revision(tx, org)
        ended = await store.ended(tx, org, db.clock.now())
        if not ended:
            return
        holders = await store.holders_by(tx, org, ended)
        await store.remove_assignments(tx, org, ended)
        await placements.tell(tx, org, holders, await revisions.raised(tx, org, []))
