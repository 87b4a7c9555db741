"""The outbox: events become part of the transaction that causes them, and one relay a database carries them out.

State-based: whatever is not marked published is published, so a transaction that commits late is late and never
skipped. One relay at a time, by advisory lock, keeps the order of each aggregate. A crash between publishing and
marking publishes twice; every consumer can bear that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from shared.bus.envelope import encode
from shared.bus.port import Bus, Message
from shared.clock import Clock
from shared.db.pool import AWAY, Tx
from staffgate.contracts.event import Event

BATCH = 100
_LOCK = 7_264_002
_POLL = 0.5  # seconds: a wake-up may be lost with its connection; this bounds what that costs
_KEEP_OUTBOX = timedelta(days=7)
_KEEP_INBOX = timedelta(days=30)
_SWEEP_EVERY = 3600.0

log = structlog.get_logger()
published_total = Counter("outbox_published_total", "Events confirmed by the bus")
oldest_seconds = Gauge("outbox_oldest_seconds", "Age of the oldest event that is not published yet: the alarm")


async def write_events(tx: Tx, events: Sequence[Event]) -> None:
    """Tx.emit: rows in the caller's transaction, in the order of the events."""
    database = tx.database
    ids, now = [database.ids.uuid() for _ in events], database.clock.now()
    bodies = [encode(event, id, now) for event, id in zip(events, ids, strict=True)]
    await tx.run(
        "INSERT INTO outbox (event_id, type, body, urgent, created_at)"
        " SELECT event_id, type, body, urgent, $5 FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::boolean[])"
        " WITH ORDINALITY AS given (event_id, type, body, urgent, place) ORDER BY place",
        ids, [event.type for event in events], bodies, [event.urgent for event in events], now,
    )  # fmt: skip


class Relay:
    """Carries events from the outbox to the bus, woken by every commit that emitted one."""

    def __init__(self, url: str, bus: Bus, clock: Clock) -> None:
        self._url = url
        self._bus = bus
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False
        self.leading = False

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until stop(): connect, carry or stand by, and start over whenever anything went wrong.

        Nothing may end it: a relay that died quietly would be a service that answers and tells nobody.
        """
        while not self._stopping:
            try:
                await self._connect_and_serve()
            except AWAY as fault:
                log.warning("outbox.database_away", error=repr(fault))
            except Exception:
                log.exception("outbox.failed")
            if not self._stopping:
                await asyncio.sleep(0.2 + random.random() / 2)  # noqa: S311 - jitter

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _connect_and_serve(self) -> None:
        # A leader that is frozen or cut off would keep the lock for as long as the server believes in its connection: hours.
        settings = {"idle_session_timeout": "10000"}
        connection = await asyncpg.connect(self._url, timeout=5, command_timeout=10, server_settings=settings)
        try:
            await self._serve(connection)
        finally:
            self.leading = False
            await _close(connection)

    async def _serve(self, connection: asyncpg.Connection[Any]) -> None:
        await self._stand_by(connection)
        await connection.add_listener("outbox", lambda *_: self._wake.set())
        self.leading = not self._stopping
        swept = float("-inf")
        loop = asyncio.get_running_loop()
        while not self._stopping:
            if loop.time() - swept > _SWEEP_EVERY:
                await self._sweep(connection)
                swept = loop.time()
            self._wake.clear()
            if await self._carry(connection) < BATCH:
                await self._woken(_POLL)
        if self.leading:
            await self._carry(connection)

    async def _stand_by(self, connection: asyncpg.Connection[Any]) -> None:
        """Wait to become the one that carries. Until then, tell that one of every commit here.

        The NOTIFY goes out after the business transaction: inside it, the commit would take a lock on the whole database.
        """
        while not self._stopping and not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            if await self._woken(_POLL):
                self._wake.clear()
                await connection.execute("NOTIFY outbox")

    async def _woken(self, timeout: float) -> bool:
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def _carry(self, connection: asyncpg.Connection[Any]) -> int:
        """Publish one batch and mark what the bus confirmed; the number confirmed, or less than BATCH when there is a fault."""
        rows = await connection.fetch(
            "SELECT id, event_id, type, body, created_at FROM outbox WHERE published_at IS NULL"
            " ORDER BY urgent DESC, id LIMIT $1",
            BATCH,
        )
        oldest_seconds.set((self._clock.now() - rows[0]["created_at"]).total_seconds() if rows else 0)
        if not rows:
            return 0
        messages = [Message(id=str(row["event_id"]), type=row["type"], body=row["body"]) for row in rows]
        confirmed = [row["id"] for row, safe in zip(rows, await self._bus.publish(messages), strict=True) if safe]
        await connection.execute("UPDATE outbox SET published_at = $2 WHERE id = ANY($1)", confirmed, self._clock.now())
        published_total.inc(len(confirmed))
        if len(confirmed) < len(rows):
            log.warning("outbox.unconfirmed", waiting=len(rows) - len(confirmed))
        return len(confirmed)

    async def _sweep(self, connection: asyncpg.Connection[Any]) -> None:
        now = self._clock.now()
        await connection.execute("DELETE FROM outbox WHERE published_at < $1", now - _KEEP_OUTBOX)
        await connection.execute("DELETE FROM inbox WHERE received_at < $1", now - _KEEP_INBOX)


async def _close(connection: asyncpg.Connection[Any]) -> None:
    try:
        await connection.close(timeout=1)
    except AWAY:
        connection.terminate()


async def first_sight(tx: Tx, consumer: str, event_id: UUID) -> bool:
    """Note in the inbox that this consumer deals with the event now; False if it already has."""
    inserted = await tx.run(
        "INSERT INTO inbox (consumer, event_id, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        consumer, event_id, tx.database.clock.now(),
    )  # fmt: skip
    return inserted == 1
