"""Migrations: plain SQL files, forward only, one transaction each, run by the owner of the tables.

The service's own role owns nothing: it can neither alter a table nor step round row-level security. In the files `:app`
stands for that role. Any number of replicas may start at once: one applies, the others wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog

_LOCK = 7_264_001
_PATIENCE = 60.0  # seconds that another replica may take to migrate
log = structlog.get_logger()


class BrokenMigration(Exception):
    """The database and the files tell different stories."""


async def migrate(owner_url: str, app_url: str, folders: Sequence[Path]) -> list[str]:
    """Apply what is missing, in the order of the folders and the files' names; return what was applied."""
    role = urlsplit(app_url).username or ""
    connection = await asyncpg.connect(owner_url)
    try:
        async with asyncio.timeout(_PATIENCE):
            await _lock(connection)
        return await _apply_missing(
            connection, role, [file for folder in folders for file in sorted(folder.glob("*.sql"))]
        )
    finally:
        await connection.close()


async def _lock(connection: asyncpg.Connection[Any]) -> None:
    # Polled: a runner that waits inside pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY waits for
    # that snapshot: measured, a deadlock.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def _apply_missing(connection: asyncpg.Connection[Any], role: str, files: Sequence[Path]) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, sha256 text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    known = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migration")}
    applied = []
    for file in files:
        name, script = f"{file.parent.parent.name}/{file.name}", file.read_text()
        digest = hashlib.sha256(script.encode()).hexdigest()
        if name not in known:
            await _apply(connection, name, script.replace(":app", f'"{role}"'), digest)
            applied.append(name)
        elif known[name] != digest:
            raise BrokenMigration(f"{name} was changed after it had been applied; put it back and add a new file")
    return applied


async def _apply(connection: asyncpg.Connection[Any], name: str, script: str, digest: str) -> None:
    async with connection.transaction():
        await connection.execute(script)
        await connection.execute("INSERT INTO migration (name, sha256) VALUES ($1, $2)", name, digest)
    log.info("migration.applied", migration=name)
