"""Whichever way it is asked, the answer is the same (permission model, section 7): one check, many, a search, the row
filter run by a real PostgreSQL, and the reference evaluator, on random organisations, people, rows and questions."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from random import Random
from typing import Any, NamedTuple

import asyncpg
import pytest_asyncio

from staffgate.decision import Catalogue, Columns, Question, Snapshot, decide, resolve, row_filter, search, where
from tests.conftest import LONG
from tests.unit.decision.extents import Extents
from tests.unit.decision.reference import Reference
from tests.unit.decision.worlds import (
    BASE,
    CONTRACTS,
    KINDS,
    TENANTS,
    World,
    attributes,
    complete,
    destination,
    random_world,
)

SEED = int(os.environ.get("STAFFGATE_SEED", "7"))
CASES = 100_000 if LONG else 5_000
ROWS, QUESTIONS = 20, 5  # of a world: many small ones find more than a few large ones
ATTRIBUTES = ("owner", "team", "subscriber", "channel")


class Row(NamedTuple):
    number: int
    id: str
    told: dict[str, str]

    @property
    def record(self) -> tuple[Any, ...]:
        return (self.number, self.id, *(self.told.get(name) for name in ATTRIBUTES))


class Case:
    """A world, and all its ways to an answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.catalogue: Catalogue = world.catalogue
        self.snapshot: Snapshot = resolve(world.facts, self.catalogue)
        self.reference = Reference(world.manifests, world.facts, world.items, world.teams)
        self.members: dict[str, tuple[str, ...]] = {}
        for owner, team in world.teams.items():
            self.members[team] = (*self.members.get(team, ()), owner)

    def about(self, asked: Question, row: Row, columns: Columns) -> Question:
        """The question about one row, as far as the product's columns tell of it."""
        told = {name: at for name, at in row.told.items() if getattr(columns, name) is not None}
        return Question(asked.action, asked.type, row.id, {**asked.properties, **told})

    def checked(self, asked: Question) -> bool:
        verdict, answer = (
            decide(self.snapshot, self.catalogue, complete(self.world, asked)),
            self.reference.decide(asked),
        )
        assert (verdict.allowed, verdict.reason) == (answer.allowed, answer.reason), asked
        return verdict.allowed

    def searched(self, asked: Question) -> list[str]:
        items = [item for item in self.world.items.values() if item.type == asked.type]
        properties = complete(self.world, asked).properties
        found = search(self.snapshot, self.catalogue, asked.action, items, properties, self.world.teams)
        return [item.id for item in found]

    def condition(self, asked: Question, columns: Columns, first: int = 1) -> tuple[str, list[Any]]:
        items = [item for item in self.world.items.values() if item.type == asked.type]
        rows = row_filter(self.snapshot, self.catalogue, complete(self.world, asked), items, self.members)
        return where(rows, columns, first)


@pytest_asyncio.fixture
async def database(postgres: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(postgres, statement_cache_size=0)
    await connection.execute(
        "CREATE TEMP TABLE row (number int, id text, owner text, team text, subscriber text, channel text)"
    )
    yield connection
    await connection.close()


async def filled(database: asyncpg.Connection[Any], dice: Random) -> list[Row]:
    ids = ["a", "a", "b", "b", "phone", "", "a:b"]
    thrown = [attributes(dice, 2) | ({"channel": dice.choice(["phone", "email"])} if dice.randrange(5) == 0 else {})
              for _ in range(ROWS)]  # fmt: skip
    rows = [
        Row(
            number,
            dice.choice([*ids, f"r{number}", f"r{number}"]),
            {name: told[name] for name in ATTRIBUTES if name in told},
        )
        for number, told in enumerate(thrown)
    ]
    await database.execute("TRUNCATE row")
    await database.copy_records_to_table("row", records=[row.record for row in rows])
    return rows


def thrown_question(dice: Random, world: World) -> Question:
    extents = Extents(world.manifests, (), CONTRACTS, TENANTS)
    kind = dice.choice([*KINDS, *KINDS, "channel"])
    sections = list(extents.path(kind, "a"))[1:]
    near = [name for name, feature in extents.features.items() if feature.section in sections]
    general = [f"{section}.{dice.choice(BASE)}" for section in sections if section in extents.sections]
    told = {name: at for name, at in attributes(dice, 3).items() if name in ("tenant", "contract")}
    return Question(dice.choice([*near, *general, "call.route"]), kind, "", told | destination(dice, extents))


def thrown_columns(dice: Random) -> Columns:
    """Most products tell all of their rows; some of them less."""
    owner, team, subscriber, channel = (name if dice.randrange(6) else None for name in ATTRIBUTES)
    return Columns(owner=owner, team=team, subscriber=subscriber, channel=channel)


async def compare(database: asyncpg.Connection[Any], dice: Random) -> tuple[int, int]:
    """One world: how many cases, and how many were allowed."""
    case, allowed = Case(random_world(dice)), 0
    rows = await filled(database, dice)
    for _ in range(QUESTIONS):
        asked, columns = thrown_question(dice, case.world), thrown_columns(dice)
        condition, values = case.condition(asked, columns)
        found = await database.fetch(f"SELECT number FROM row WHERE {condition} ORDER BY number", *values)
        checked = [row.number for row in rows if case.checked(case.about(asked, row, columns))]
        assert [record["number"] for record in found] == checked, (asked, columns, condition, values)
        each = [item.id for item in case.world.items.values() if item.type == asked.type]
        one_by_one = [id for id in each if case.checked(Question(asked.action, asked.type, id, asked.properties))]
        assert case.searched(asked) == one_by_one, asked
        allowed += len(checked)
    return ROWS * QUESTIONS, allowed


async def test_every_way_to_an_answer_gives_the_same(database: asyncpg.Connection[Any]) -> None:
    cases = allowed = 0
    seed = SEED
    while cases < CASES:
        try:
            of_world = await compare(database, Random(seed))  # noqa: S311
        except AssertionError as fault:
            raise AssertionError(f"STAFFGATE_SEED={seed}") from fault
        cases, allowed, seed = cases + of_world[0], allowed + of_world[1], seed + 1
    assert 0.1 < allowed / cases < 0.9, "the cases are all alike"
