"""The outbox: events become part of the transaction that causes them, and one relay a database carries them out.

State-based: whatever is not marked published is published, so a transaction that commits late is late and never
skipped. One relay at a time, by advisory lock, keeps the order of each aggregate. A crash between publishing and
marking publishes twice; every consumer can bear that, so marks are written together, a little later, and nobody waits
for the disk with them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
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
_UNDER_WAY = 200  # events that the bus has not confirmed yet: what is urgent stands behind no more than these
_MARK = 0.05  # seconds between two writings of marks
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
        # A mark that a crash of the server takes back is an event that is published twice.
        settings = {"idle_session_timeout": "10000", "synchronous_commit": "off"}
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
        async with _Carriage(connection, self._bus, self._clock) as carriage:
            while not self._stopping:
                if loop.time() - swept > _SWEEP_EVERY:
                    await self._sweep(connection)
                    swept = loop.time()
                self._wake.clear()
                if not await carriage.go():
                    await self._woken(_MARK if carriage.busy else _POLL)
            if self.leading:
                await carriage.finish()

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
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _sweep(self, connection: asyncpg.Connection[Any]) -> None:
        now = self._clock.now()
        await connection.execute("DELETE FROM outbox WHERE published_at < $1", now - _KEEP_OUTBOX)
        await connection.execute("DELETE FROM inbox WHERE received_at < $1", now - _KEEP_INBOX)


class _Carriage:
    """What the one that carries has under way: handed to the bus, and not yet marked."""

    def __init__(self, connection: asyncpg.Connection[Any], bus: Bus, clock: Clock) -> None:
        self._connection = connection
        self._bus = bus
        self._clock = clock
        self._under_way: dict[int, datetime] = {}  # by id: since when it waits
        self._confirmed: list[int] = []
        self._sendings: set[asyncio.Task[None]] = set()
        self._marked = 0.0
        self._refused = False

    async def __aenter__(self) -> _Carriage:
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Whatever is not marked by now is published again."""
        for sending in self._sendings:
            sending.cancel()
        if self._sendings:
            await asyncio.wait(self._sendings)

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    async def go(self) -> bool:
        """Hand what is new to the bus, without waiting for what was handed to it before; True where there is more.

        What the bus refused goes before all that is newer, so that comes to an end first.
        """
        now = asyncio.get_running_loop().time()
        if self._confirmed and (now - self._marked >= _MARK or len(self._confirmed) >= BATCH):
            await self._mark(now)
        if len(self._under_way) - len(self._confirmed) > _UNDER_WAY - BATCH:
            await self._settled(asyncio.FIRST_COMPLETED)
        refused = self._refused
        if refused:
            await self._settled(asyncio.ALL_COMPLETED)
            self._refused = False
        rows = await self._connection.fetch(
            "SELECT id, event_id, type, body, created_at FROM outbox WHERE published_at IS NULL AND id <> ALL($2)"
            " ORDER BY urgent DESC, id LIMIT $1",
            BATCH, [*self._under_way],
        )  # fmt: skip
        self._under_way |= {row["id"]: row["created_at"] for row in rows}
        oldest = min((self._under_way[id] for id in self._under_way.keys() - {*self._confirmed}), default=None)
        oldest_seconds.set(0 if oldest is None else (self._clock.now() - oldest).total_seconds())
        if rows:
            sending = asyncio.create_task(self._send(rows), name="relay.sending")
            self._sendings.add(sending)
            sending.add_done_callback(self._sendings.discard)
        return len(rows) == BATCH and not refused

    async def finish(self) -> None:
        """All that there is, and all of it marked."""
        while await self.go():
            pass
        await self._settled(asyncio.ALL_COMPLETED)
        await self._mark(0.0)

    async def _send(self, rows: Sequence[Any]) -> None:
        messages = [Message(id=str(row["event_id"]), type=row["type"], body=row["body"]) for row in rows]
        safe: list[bool] = []
        try:
            safe = await self._bus.publish(messages)
        except Exception:
            log.exception("outbox.failed")
        finally:  # whatever it was: what is left among those under way is never taken again
            ids = [row["id"] for row in rows]
            confirmed = [id for id, one in zip(ids, safe, strict=False) if one]
            self._confirmed += confirmed
            for id in {*ids} - {*confirmed}:
                del self._under_way[id]
        published_total.inc(len(confirmed))
        if len(confirmed) < len(rows):
            self._refused = True
            log.warning("outbox.unconfirmed", waiting=len(rows) - len(confirmed))

    async def _settled(self, when: str) -> None:
        if self._sendings:
            await asyncio.wait(self._sendings, return_when=when)

    async def _mark(self, now: float) -> None:
        marked, self._confirmed, self._marked = self._confirmed, [], now
        sql = "UPDATE outbox SET published_at = $2 WHERE id = ANY($1)"
        await self._connection.execute(sql, marked, self._clock.now())
        for id in marked:
            del self._under_way[id]


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
