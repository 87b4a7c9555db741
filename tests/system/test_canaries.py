"""After the whole story, and after everything that can go wrong with a message, no secret of it lies anywhere: not in
a log, a queue, a metric, an outbox, a dump of a database, or what lies in its files of rows that were changed since."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import asyncpg
import pytest

from deploy.local.demo.people import PASSWORD
from deploy.local.demo.story import Story
from deploy.local.demo.world import Answer, Door, newest_message
from deploy.local.keys import Keys
from shared.bus.topology import EXCHANGE
from tests.system.canaries import everywhere, found, rows
from tests.system.platform import Platform
from tests.system.troubles import NUMBERS, Troubles

SECRET = {"password", "token", "code", "transaction", "access_token", "refresh_token", "secret"}
_DISTINCT = 8  # characters: six digits of an app turn up in any timestamp
_SAID = re.compile(r"token=([\w-]{20,})|\b(\d{6,8})\b")
# An address is a person's, and stays in identity.
_HOME = ("identity.staff", "identity.link", "identity: ", "pg_wal/")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every secret that the story says or is told."""
    found: set[str] = set()
    ask = Door.ask

    async def listening(self: Door, method: str, path: str, **options: Any) -> Answer:
        answer = await ask(self, method, path, **options)
        found.update(
            [path.partition("token=")[2] or PASSWORD],
            secrets(options.get("json")),
            secrets(options.get("data")),
            secrets(answer.body),
        )
        return answer

    monkeypatch.setattr(Door, "ask", listening)
    return found


def secrets(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name in SECRET and isinstance(inner, str) and len(inner) >= _DISTINCT:
            yield inner
        yield from secrets(inner)


async def sent(story: Story) -> set[str]:
    """Every link and code that a message brought to somebody."""
    mails = await story.world.mailbox.get("/messages")
    return {link or code for mail in mails for link, code in _SAID.findall(mail["text"])}


def kept(keys: Keys) -> set[str]:
    """What the services themselves are trusted by."""
    pairs = (keys.seal_key("notify", private=True), keys.seal_key("identity", private=True), keys.signing_key())
    private = {found for pair in pairs for found in re.findall(r'"d": ?"([\w-]+)"', pair)}
    symmetric = {keys.symmetric("code"), keys.symmetric("address")}
    clients = {keys.client_secret(name) for name in ("authz", "notify", "sms")}
    databases = {keys.password(role) for role in ("identity", "authz", "notify", "notify_owner")}
    return private | symmetric | clients | databases | {keys.sms_account()[1]}


@asynccontextmanager
async def sniffed(platform: Platform) -> AsyncIterator[list[bytes]]:
    """Whatever goes over the bus, bodies and headers, as long as this lasts."""
    heard: list[bytes] = []
    async with await aio_pika.connect(platform.urls["amqp"]) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, "#")

        async def hear(incoming: Any) -> None:
            heard.append(incoming.body + str(incoming.headers).encode())

        await queue.consume(hear, no_ack=True)
        yield heard


@pytest.mark.checklist("N10", "N11")
async def test_no_secret_of_any_message_lies_anywhere(platform: Platform, story: Story, seen: set[str]) -> None:
    troubles = Troubles(story, platform)
    async with sniffed(platform) as heard:
        for _, chapter in story.chapters:
            await chapter()
        await troubles.all()
    canaries = seen | await sent(story) | kept(platform.keys)
    assert len(canaries) >= 40, "passwords, links, codes, transactions, tokens, keys"
    assert sum(b'"sealed"' in body for body in heard) >= 10
    started, places = time.monotonic(), await everywhere(platform) | {"the bus": b"\n".join(heard)}
    assert len(places) > 100
    assert not found(canaries, places)
    strangers = {place: content for place, content in places.items() if not any(home in place for home in _HOME)}
    addresses = [story.ray_mail, story.jane_mail, *troubles.addresses, *NUMBERS]
    assert not found(addresses, strangers)
    size = sum(map(len, places.values())) >> 20
    print(f"{len(canaries)} canaries in {len(places)} places, {size} MB: {time.monotonic() - started:.1f} s")


async def test_the_scan_can_find_something(platform: Platform, story: Story) -> None:
    since = await newest_message(story.world)
    await story.register()
    assert since < await newest_message(story.world)
    places = await everywhere(platform)
    homes = found([story.ray_mail], places)
    assert "identity.staff" in homes
    assert any(place.startswith("identity: ") for place in homes), "in the files of the database"
    assert any("pg_wal" in place for place in homes)
    kinds = {"identity.outbox", "rabbitmq/", "metrics of notify", "notify.log", "postgres.log"}
    assert not {kind for kind in kinds if not any(kind in place for place in places)}
    assert found(["identity.organisation.registered.v1"], await rows(platform, "identity"))["identity.outbox"]


async def test_what_the_database_server_logs_names_no_value_of_a_row(platform: Platform) -> None:
    """Of a statement that failed or was slow its text, and neither its parameters nor the row that it hit."""
    connection = await asyncpg.connect(platform.postgres.url)
    await connection.execute("SET log_min_duration_statement = 0")
    await connection.execute("CREATE TEMPORARY TABLE address (value text PRIMARY KEY CHECK (value <> ''))")
    canary = "luke-in-a-log@acme.example"
    for _ in range(2):
        try:
            await connection.execute("INSERT INTO address VALUES ($1)", canary)
        except asyncpg.UniqueViolationError:
            break
    await connection.close()
    log = platform.postgres.log.read_bytes()
    assert b"INSERT INTO address VALUES" in log
    assert b"duplicate key" in log
    assert not found([canary], {"log": log})
