"""Transactions: each belongs to one organisation, and row-level security holds it to that one.

The organisation is a transaction-local setting that every policy compares with the row. A transaction that nobody gave
an organisation sees no tenant row at all. The few that work across organisations (dispatchers, projections' rebuilds)
say so by name: `begin_anywhere`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from shared.clock import Clock
from shared.errors import Unavailable
from shared.ids import Ids
from staffgate.contracts.event import Event

Row = TypeVar("Row")

# What asyncpg raises while the server is away, restarting or out of connections: come again, nothing was changed.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    # An idle connection that the server has ended, used before its end was noticed.
    asyncpg.InternalClientError,
)


_FROZEN = "20000"  # ms: a process that hangs inside a transaction gives back the locks that others wait for


class Tx:
    """One transaction. `org` is None in a transaction across organisations."""

    def __init__(self, connection: Any, org: UUID | None, database: Database) -> None:
        self._connection = connection
        self.database = database
        self.org = org
        self.emitted = 0
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def one(self, kind: type[Row], sql: str, *args: object) -> Row | None:
        """The first row as `kind`, a msgspec Struct whose fields carry the columns' names."""
        row = await self._connection.fetchrow(sql, *args)
        return None if row is None else msgspec.convert(dict(row), kind)

    async def one_unless_taken(self, kind: type[Row], sql: str, *args: object) -> Row | None:
        """As `one`; and None, with nothing changed, where something of it is another row's alone."""
        await self._connection.execute("SAVEPOINT taken")
        try:
            return await self.one(kind, sql, *args)
        except asyncpg.UniqueViolationError:
            await self._connection.execute("ROLLBACK TO SAVEPOINT taken")
            return None

    async def all(self, kind: type[Row], sql: str, *args: object) -> list[Row]:
        return [msgspec.convert(dict(row), kind) for row in await self._connection.fetch(sql, *args)]

    async def value(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(sql, *args)

    async def column(self, sql: str, *args: object) -> list[Any]:
        return [row[0] for row in await self._connection.fetch(sql, *args)]

    async def run(self, sql: str, *args: object) -> int:
        """Execute; the number of rows touched."""
        status: str = await self._connection.execute(sql, *args)
        return int(status.rpartition(" ")[2] or 0) if status[-1].isdigit() else 0

    async def emit(self, event: Event) -> None:
        """Make the event part of this transaction: it leaves if, and only if, the change is committed."""
        await self.emit_all([event])

    async def emit_all(self, events: Sequence[Event]) -> None:
        """Many at once, in this order: one statement."""
        if events:
            await self.database.write_events(self, events)
        self.emitted += len(events)

    def at_the_end(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this just before the commit: a row that everybody in the organisation needs is then held for one statement,
        and never while another is waited for, which two orders of locking would make a deadlock."""
        self._closing.append(work)

    async def close(self) -> None:
        for work in self._closing:
            await work()


WriteEvents = Callable[[Tx, Sequence[Event]], Awaitable[None]]


class Database:
    """A pool with its clock and ids. `write_events` and `committed` are the outbox's, handed in by the composition root."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ids: Ids,
        write_events: WriteEvents,
        committed: Callable[[], None],
        size: int = 10,
    ) -> None:
        self._url = url
        self._size = size
        self._committed = committed
        self._pool: asyncpg.Pool[Any] | None = None
        self.write_events = write_events
        self.clock = clock
        self.ids = ids

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Database]:
        # No RESET when a connection comes back: every setting here is local to its transaction, and a round trip is saved.
        pool = await asyncpg.create_pool(
            self._url, min_size=1, max_size=self._size, command_timeout=10, reset=_untouched,
            server_settings={"idle_in_transaction_session_timeout": _FROZEN},
        )  # fmt: skip
        async with pool:
            self._pool = pool
            yield self
        self._pool = None

    @asynccontextmanager
    async def begin(self, org: UUID, *, snapshot: bool = False, first: str = "") -> AsyncIterator[Tx]:
        """A transaction inside one organisation; with `snapshot` it is REPEATABLE READ, READ ONLY.

        `first` is a statement of the store that goes along, where nobody needs what it answers: a lock.
        """
        mode = " ISOLATION LEVEL REPEATABLE READ, READ ONLY" if snapshot else ""
        async with self._transaction(f"BEGIN{mode}; SET LOCAL app.org = '{UUID(str(org))}'; {first}", org) as tx:
            yield tx

    @asynccontextmanager
    async def begin_anywhere(self) -> AsyncIterator[Tx]:
        """A transaction across organisations: for work that belongs to none, never for a request of one."""
        async with self._transaction("BEGIN; SET LOCAL app.org = 'anywhere'", None) as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(self, begin: str, org: UUID | None) -> AsyncIterator[Tx]:
        try:
            async with self._acquire(5) as connection:
                tx = Tx(connection, org, self)
                try:
                    # One round trip for all of it; `begin` holds nothing but a UUID of ours. It may wait for a lock.
                    await connection.execute(begin)
                    yield tx
                    await tx.close()
                except BaseException as fault:
                    if isinstance(fault, asyncpg.PostgresError):
                        # It quotes the row that was refused, and whoever logs the fault or parks a message with it
                        # would tell what is in there.
                        fault.detail = None
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
        except AWAY as fault:
            raise Unavailable("database_away", "The database can't be reached right now; try again.") from fault
        if tx.emitted:
            self._committed()

    async def ping(self) -> None:
        async with self._acquire(2) as connection:
            await connection.fetchval("SELECT 1", timeout=2)

    def _acquire(self, timeout: float) -> Any:
        if self._pool is None:
            raise Unavailable("database_closed", "The service is starting or stopping; try again.")
        return self._pool.acquire(timeout=timeout)


async def _untouched(_connection: object) -> None:
    pass
