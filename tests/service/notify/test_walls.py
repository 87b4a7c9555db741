"""The second wall: what PostgreSQL itself refuses, whatever a query of ours forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.service.notify.conftest import ACME, Running, link_issued
from tests.service.notify.sound.world import LAYA, REBELS


@pytest_asyncio.fixture
async def as_notify(notify: Running) -> AsyncIterator[Any]:
    """A connection as the service's own role."""
    connection = await asyncpg.connect(notify.settings.database_url)
    yield connection
    await connection.close()


async def tenant_tables(connection: Any) -> list[str]:
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    return [row["relname"] for row in rows]


@pytest.mark.checklist("H01")
async def test_every_table_with_an_organisation_has_the_wall(as_notify: Any) -> None:
    tables = await tenant_tables(as_notify)
    assert "delivery" in tables
    bare = await as_notify.fetch(
        "SELECT relname FROM pg_class WHERE relname = ANY($1) AND NOT (relrowsecurity"
        " AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))",
        tables,
    )
    assert [row["relname"] for row in bare] == []


@pytest.mark.checklist("H01")
async def test_a_query_that_forgets_the_organisation_sees_one_organisation_only(
    notify: Running, as_notify: Any
) -> None:
    for given in ({}, {"org": REBELS, "staff": LAYA}):
        link = link_issued(notify.clock, **given)  # type: ignore[arg-type]
        await notify.publish(link)
        await notify.row(link.link, "sent")
    for table in await tenant_tables(as_notify):
        assert await as_notify.fetch(f"SELECT org FROM {table}") == [], f"{table}: in no organisation's transaction"
        async with as_notify.transaction():
            await as_notify.execute(f"SET LOCAL app.org = '{ACME}'")
            orgs = {row["org"] for row in await as_notify.fetch(f"SELECT org FROM {table}")}
        assert orgs <= {ACME}, table
        assert orgs or table != "delivery"


@pytest.mark.checklist("H01")
async def test_nothing_is_moved_into_another_organisation(notify: Running, as_notify: Any) -> None:
    link = link_issued(notify.clock)
    await notify.publish(link)
    await notify.row(link.link, "sent")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_notify.transaction():
            await as_notify.execute(f"SET LOCAL app.org = '{ACME}'")
            await as_notify.execute("UPDATE delivery SET org = $1", REBELS)


async def test_the_service_can_not_step_round_the_wall(as_notify: Any) -> None:
    role = await as_notify.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    owned = await as_notify.fetchval("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
    assert (role["rolsuper"], role["rolbypassrls"], owned) == (False, False, 0)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_notify.execute("ALTER TABLE delivery DISABLE ROW LEVEL SECURITY")
