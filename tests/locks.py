"""Who waits for whom in PostgreSQL, so that a race is run once everybody has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

# Not pg_stat_activity: within a transaction that says the same for ever. A wait for another's transaction names no
# database, but who waits has a lock that does.
_WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (
  SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database()
)
"""


async def held_up(connection: Any) -> int:
    """How many wait for a lock in the connection's database; those of others in the same server do not count."""
    count: int = await connection.fetchval(_WAITING)
    return count


async def until_held_up(connection: Any, many: int = 1, *, unless: Callable[[], bool] = lambda: False) -> None:
    """Until that many wait, or there is nothing to wait for any more; TimeoutError after 30 s."""
    async with asyncio.timeout(30):
        while not unless() and await held_up(connection) < many:
            await asyncio.sleep(0.005)
