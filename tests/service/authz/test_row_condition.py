"""The row filter as SQL: values are parameters only, any column may be called anything or be missing, and indexes serve
(permission model, section 3). What it lets through is in test_equality."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from staffgate.contracts.authz import Entry, Grant, Item, Role, Target
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Columns, Holding, Question, Snapshot, row_filter, where
from tests.unit.decision.people import CATALOGUE, person

JANE, LAYA = str(UUID(int=99)), str(UUID(int=98))
SALES, INSIDE, OPERATIONS = (str(UUID(int=number)) for number in (1, 2, 3))
NASTY = ["'; DROP TABLE row; --", "') OR TRUE --", "$1", '"told.id"', "a,b", "{a,b}", "\\' OR 1=1", "ü\u202e", "%"]
ASKED = Question("contacts.view", "contact", "")


def manager(*grants: Grant, **changes: Any) -> Snapshot:
    role = Role(
        id="manager",
        name="Manager",
        data_access=DataAccess.DEPARTMENT,
        entries=(Entry(target=Target(section="contacts"), actions=("view",)),),
    )
    held = Holding(id=UUID(int=7), role=role)
    return person(*grants, roles=(held,), **({"team": SALES, "teams": (SALES, INSIDE)} | changes))


def on_item(id: str, level: str = "read") -> Grant:
    return Grant(id=UUID(int=abs(hash(id))), target=Target(item=f"contact:{id}"), level=Level(level))


@pytest_asyncio.fixture
async def database(postgres: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(postgres, statement_cache_size=0)
    yield connection
    await connection.close()


def test_no_value_is_in_the_text() -> None:
    someone = manager(*(on_item(id) for id in NASTY), subscribers=(NASTY[0],), teams=(SALES, NASTY[1]))
    items = [Item(type="contact", id=id, section="contacts", label=id, owner=id, team=id, channel=id) for id in NASTY]
    condition, values = where(
        row_filter(someone, CATALOGUE, ASKED, items, {SALES: (NASTY[2],)}), Columns(channel="via")
    )
    plain, _ = where(row_filter(manager(on_item("a"), subscribers=("1",)), CATALOGUE, ASKED), Columns(channel="via"))
    assert condition == plain, "the text depends on nothing but the columns and the sort of rule"
    assert all(nasty in repr(values) or nasty.replace("\\", "\\\\") in repr(values) for nasty in NASTY[:3])


async def test_ids_that_look_like_sql_are_ids(database: asyncpg.Connection[Any]) -> None:
    await database.execute("CREATE TEMP TABLE nasty (id text, owner text, team text)")
    await database.copy_records_to_table("nasty", records=[(id, None, None) for id in [*NASTY, "plain"]])
    for id in NASTY:
        condition, values = where(row_filter(manager(on_item(id)), CATALOGUE, ASKED), Columns())
        found = await database.fetch(f"SELECT id FROM nasty WHERE {condition}", *values)
        assert [record["id"] for record in found] == [id]


@pytest.mark.parametrize("alias", ["row", "told", "items"])
async def test_columns_are_called_as_the_product_calls_them(database: asyncpg.Connection[Any], alias: str) -> None:
    """`reach`, `shut` and `told` are names that the condition has for things of its own."""
    await database.execute('CREATE TEMP TABLE oddly ("reach" text, "shut" text, "told" uuid, "row" text)')
    rows = [("a", None, SALES, "1"), ("b", None, OPERATIONS, "2"), ("c", JANE, None, "3"), ("d", LAYA, None, "4")]
    await database.copy_records_to_table("oddly", records=rows)
    columns = Columns(id=f"{alias}.reach", owner=f"{alias}.shut", team=f"{alias}.told::text")
    rows_of = row_filter(manager(on_item("b"), on_item("a", "deny")), CATALOGUE, ASKED, members={INSIDE: (LAYA,)})
    condition, values = where(rows_of, columns, first=2)
    found = await database.fetch(
        f"SELECT reach FROM oddly AS {alias} WHERE $1 AND {condition} ORDER BY reach", True, *values
    )
    assert [record["reach"] for record in found] == ["b", "c", "d"]
    await database.execute("DROP TABLE oddly")


async def test_what_the_rows_do_not_tell_is_not_asked_of_them(database: asyncpg.Connection[Any]) -> None:
    condition, values = where(
        row_filter(manager(subscribers=("101",)), CATALOGUE, ASKED), Columns(owner=None, team=None)
    )
    assert await database.fetch(f"SELECT FROM (VALUES ('a')) AS row (id) WHERE {condition}", *values) == []
    whole = row_filter(person(default="read"), CATALOGUE, ASKED)
    condition, values = where(whole, Columns(owner=None, team=None))
    assert len(await database.fetch(f"SELECT FROM (VALUES ('a'), (NULL)) AS row (id) WHERE {condition}", *values)) == 2


async def test_the_condition_stands_next_to_others(database: asyncpg.Connection[Any]) -> None:
    condition, values = where(row_filter(person(default="deny"), CATALOGUE, ASKED), Columns(channel="via"))
    rows = "(VALUES ('a', 'b', 'c', 'phone')) AS row (id, owner, team, via)"
    assert await database.fetch(f"SELECT FROM {rows} WHERE {condition} AND TRUE OR {condition}", *values) == []


async def test_a_department_is_read_by_the_indexes(database: asyncpg.Connection[Any]) -> None:
    await database.execute("CREATE TEMP TABLE many (id text, owner text, team text)")
    await database.execute(
        "INSERT INTO many SELECT n, 'owner' || n % 5000, CASE n % 10 WHEN 0 THEN NULL ELSE 'team' || n % 1000 END"
        " FROM generate_series(1, 100000) AS n"
    )
    await database.execute("CREATE INDEX by_team ON many (team)")
    await database.execute("CREATE INDEX by_owner ON many (owner)")
    await database.execute("ANALYZE many")
    someone = manager(team="team1", teams=("team1", "team2"))
    rows = row_filter(someone, CATALOGUE, ASKED, members={"team1": ("owner10", "owner20")})
    condition, values = where(rows, Columns())
    plan = await database.fetch(f"EXPLAIN SELECT id FROM many WHERE {condition}", *values)
    said = "\n".join(record[0] for record in plan)
    assert "by_team" in said, said
    assert "Seq Scan" not in said, said
    assert await database.fetchval(f"SELECT count(*) FROM many WHERE {condition}", *values) == 240
