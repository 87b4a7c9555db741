"""A row that the database refuses is reported, and what is in it is not."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

import shared.bus
from deploy.local.databases import Urls
from shared import log as logging
from shared.bus.consumer import Consumer
from shared.bus.envelope import Envelope, encode
from shared.bus.port import Message, Outcome
from shared.db import Tx, migrate
from staffgate.contracts.identity import SessionsEnded
from tests.bus.test_outbox import QUEUE, Recorder, event, open_database
from tests.conftest import fresh_database

CANARY = "luke@acme.example"


@pytest_asyncio.fixture(scope="module")
async def urls(postgres: str) -> Urls:
    urls = await fresh_database(postgres, "identity")
    await migrate(urls.owner, urls.app, [Path(shared.bus.__file__).parent / "migrations"])
    owner = await asyncpg.connect(urls.owner)
    await owner.execute(
        "CREATE TABLE person (email text PRIMARY KEY CHECK (email <> 'nobody')); GRANT SELECT, INSERT ON person TO identity"
    )
    await owner.close()
    return urls


async def add_twice(tx: Tx, _event: SessionsEnded, _envelope: Envelope) -> None:
    for _ in range(2):
        await tx.run("INSERT INTO person (email) VALUES ($1)", CANARY)


@pytest.mark.checklist("N10", "N11")
async def test_the_reason_why_a_message_is_tried_again_holds_nothing_of_the_row(
    urls: Urls, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason goes with the message, over the bus and into the parking lot, and into the log."""
    logging.configure("identity", "info")
    async with AsyncExitStack() as stack:
        db, _ = await open_database(stack, urls, Recorder())
        told, id = event(), uuid4()
        body = encode(told, id, db.clock.now())
        consumer = Consumer(QUEUE, db, {SessionsEnded: add_twice})
        verdict = await consumer.handle(Message(id=str(id), type=told.type, body=body))
    assert verdict.outcome is Outcome.RETRY
    assert verdict.error.startswith("UniqueViolationError: duplicate key value violates unique constraint")
    logged = capsys.readouterr().out
    assert "bus.handler_failed" in logged
    assert CANARY not in logged + verdict.error
