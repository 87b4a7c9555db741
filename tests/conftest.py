"""The real things that tests stand on, started once: PostgreSQL and RabbitMQ of our own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.databases import Urls, provision
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ

LONG = os.environ.get("STAFFGATE_LONG") == "1"
# What our server holds outlives no power cut and hides from nobody. A whole run connects some ten thousand times.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "scram_iterations": "1"}
# What needs the whole suite comes late, since from then on it runs beside the rest; what is short comes last, so that
# of the two halves of a run none waits long for the other.
LATE = ("system", "faults", "unit")


def _turn(item: pytest.Item) -> int:
    folder = item.nodeid.partition("/")[2].partition("/")[0]
    return LATE.index(folder) + 1 if folder in LATE else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if not LONG:
        skip = pytest.mark.skip(reason="runs with ./dev test --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest_asyncio.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The superuser's URL of a server of our own, with what only costs time here turned off."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    admin = await asyncpg.connect(server.url)
    for row in await admin.fetch("SELECT name FROM pg_settings WHERE name = ANY($1)", [*QUICK]):
        await admin.execute(f"ALTER SYSTEM SET {row['name']} = {QUICK[row['name']]}")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    yield server.url
    server.stop()
    server.erase()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = RabbitMQ(Path(tmp_path_factory.mktemp("rabbitmq")))
    server.start()
    yield server
    server.stop()


async def fresh_database(admin_url: str, service: str) -> Urls:
    """A database of its own, with the service's two roles."""
    name = f"{service}_{uuid4().hex[:12]}"
    return await provision(admin_url, service, database=name, owner_password="owner", app_password="app")


class FrozenClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.now().timestamp()

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)
