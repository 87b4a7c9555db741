"""The real things that tests stand on, started once: PostgreSQL and RabbitMQ of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.databases import Urls, provision
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ

LONG = os.environ.get("STAFFGATE_LONG") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not LONG:
        skip = pytest.mark.skip(reason="runs with ./dev test --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's URL of a server of our own."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
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
