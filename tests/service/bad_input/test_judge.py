"""Whoever judges sees every change, also one that was begun before they first looked."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest_asyncio

from tests.conftest import fresh_database
from tests.service.bad_input.judge import Judge


@pytest_asyncio.fixture
async def two(postgres: str) -> Any:
    """Who looks, and who writes."""
    urls = await fresh_database(postgres, "identity")
    looking, writing = await asyncpg.connect(urls.owner), await asyncpg.connect(urls.owner)
    await writing.execute("CREATE TABLE outbox (body text); CREATE TABLE crate (label text)")
    await writing.execute("INSERT INTO crate VALUES ('Jane')")
    yield Judge("", None, looking), writing  # type: ignore[arg-type]
    await looking.close()
    await writing.close()


async def test_what_is_added_changed_deleted_or_told_is_seen(two: tuple[Judge, Any]) -> None:
    judge, writing = two
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


async def test_what_was_being_written_at_the_first_look_is_seen_once_it_is_there(two: tuple[Judge, Any]) -> None:
    judge, writing = two
    async with writing.transaction():
        await writing.execute("INSERT INTO crate VALUES ('Ray')")
        before = await judge.snapshot()
    assert await judge.snapshot() != before
