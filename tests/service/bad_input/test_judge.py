"""Whoever judges sees every change, also one that was begun before they first looked."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest_asyncio

from tests.conftest import fresh_database
from tests.service.bad_input.judge import Judge


@pytest_asyncio.fixture
async def three(postgres: str) -> Any:
    """Who looks, and two who write."""
    urls = await fresh_database(postgres, "identity")
    looking, writing, other = [await asyncpg.connect(urls.owner) for _ in range(3)]
    await writing.execute("CREATE TABLE outbox (body text); CREATE TABLE crate (label text)")
    await writing.execute("INSERT INTO crate VALUES ('Jane')")
    yield Judge("", None, looking), writing, other  # type: ignore[arg-type]
    for connection in (looking, writing, other):
        await connection.close()


async def test_what_is_added_changed_deleted_or_told_is_seen(three: tuple[Judge, Any, Any]) -> None:
    judge, writing, _ = three
    before = await judge.snapshot()
    assert await judge.snapshot() == before
    for statement in (
        "INSERT INTO crate VALUES ('Ray')",
        "UPDATE crate SET label = 'Han' WHERE label = 'Ray'",
        "DELETE FROM crate WHERE label = 'Han'",
        "INSERT INTO outbox VALUES ('told')",
    ):
        await writing.execute(statement)
        after = await judge.snapshot()
        assert after != before, statement
        before = after


async def test_what_was_being_written_at_the_first_look_is_seen_once_it_is_there(three: tuple[Judge, Any, Any]) -> None:
    judge, writing, other = three
    async with writing.transaction():
        await writing.execute("INSERT INTO crate VALUES ('Ray')")
        await other.execute("INSERT INTO crate VALUES ('Han')")  # begun later, and through
        before = await judge.snapshot()
    assert await judge.snapshot() != before
