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

from deploy.local.databases import with_database
from deploy.local.demo.people import PASSWORD
from deploy.local.demo.story import Story
from deploy.local.demo.world import Answer, Door, eventually, newest_message
from deploy.local.keys import Keys
from shared.bus.topology import EXCHANGE
from tests.system.canaries import everywhere, found, rows
from tests.system.platform import Platform

SECRET = {"password", "token", "code", "transaction", "access_token", "refresh_token", "secret"}
_DISTINCT = 8  # characters: six digits of an app turn up in any timestamp
_SAID = re.compile(r"token=([\w-]{20,})|\b(\d{6,8})\b")
# An address is a person's, and stays in identity.
NUMBERS = ("+61491570006", "61 491 570 006", "+61491570157", "61 491 570 157")
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


# --- what can go wrong ----------------------------------------------------------------------------------------


class Troubles:
    """Messages that fail, wait, and die. Each is to somebody with an address of their own."""

    def __init__(self, story: Story, platform: Platform) -> None:
        self.story = story
        self.platform = platform
        self.addresses: list[str] = []

    async def refused(self) -> None:
        """The server will never take it."""
        await self._weather(smtp="550")
        await self._reaches(await self._invite("refused"), "failed")

    async def dead(self) -> None:
        """The server would not take it for as long as it was tried; it keeps what it says, sealed."""
        await self._weather(smtp="451")
        staff = await self._invite("dead")
        await self._reaches(staff, "queued")
        await self._sql("UPDATE delivery SET last_attempt = 1 WHERE staff = $1", staff)
        await self._reaches(staff, "dead")

    async def waiting(self) -> None:
        """A code by SMS while the gateway is down, which nobody ever gets."""
        await self._weather(sms=500)
        body, ray = {"mobile": "+61 491 570 157"}, self.story.ray.access
        await self.story.world.identity.ask("PUT", "/v1/me/mobile", token=ray, json=body)
        await self._reaches(str(self.story.ray_id), "queued", channel="sms")
        await self._weather()

    async def taken(self) -> None:
        """Whoever asks for an address or a name that is somebody's already."""
        body = {"type": "standard", "name": "Luke", "username": "Jane", "email": self.story.jane_mail}
        answer = await self.story.world.identity.ask("POST", "/v1/staff", token=self.story.ray.access, json=body)
        assert answer.status in (409, 422), answer.text

    async def _invite(self, name: str) -> str:
        address = f"{name}-{self.story.tag}@acme.example"
        self.addresses.append(address)
        body = {"type": "standard", "name": name.title(), "username": name, "email": address}
        identity, ray = self.story.world.identity, self.story.ray.access
        staff = str((await identity.post("/v1/staff", body, token=ray, want=201))["id"])
        await identity.post(f"/v1/staff/{staff}/activation-email", token=ray, want=202)
        return staff

    async def _weather(self, **faults: Any) -> None:
        await self.story.world.mailbox.put("/faults", {"smtp": None, "sms": None} | faults)

    async def _reaches(self, staff: str, state: str, channel: str = "email") -> None:
        """A message to this person is tried, and in that state then."""
        query = "SELECT 1 FROM delivery WHERE staff = $1 AND state = $2 AND channel = $3 AND last_answer IS NOT NULL"

        async def there() -> bool:
            return bool(await self._sql(query, staff, state, channel))

        await eventually(there, 20, f"no message to {staff} is {state}")

    async def _sql(self, sql: str, *args: object) -> Any:
        connection = await asyncpg.connect(with_database(self.platform.postgres.url, "notify"))
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()


@pytest.mark.checklist("N10", "N11")
async def test_no_secret_of_any_message_lies_anywhere(platform: Platform, story: Story, seen: set[str]) -> None:
    troubles = Troubles(story, platform)
    async with sniffed(platform) as heard:
        for _, chapter in story.chapters:
            await chapter()
        for trouble in (troubles.taken, troubles.refused, troubles.dead, troubles.waiting):
            await trouble()
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
