"""After the whole story no secret of it lies anywhere: not in a log, a queue, an outbox or a dump of a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.databases import with_database
from deploy.local.demo.people import PASSWORD
from deploy.local.demo.story import Story
from deploy.local.demo.world import Answer, Door
from deploy.local.keys import DATABASES
from tests.system.platform import Platform

SECRET = {"password", "token", "code", "transaction", "access_token", "refresh_token", "secret"}
_DISTINCT = 8  # characters: six digits of an SMS turn up in any timestamp


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


async def rows(platform: Platform, database: str) -> dict[str, str]:
    """Every table's rows as text, as a dump would have them."""
    connection = await asyncpg.connect(with_database(platform.postgres.url, database))
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        texts = {}
        for (name,) in names:
            # Bytes as text where they are text: an outbox body is JSON, and would hide in hexadecimal.
            columns = await connection.fetch(f'SELECT * FROM "{name}"')
            texts[f"{database}.{name}"] = "\n".join(as_text(value) for row in columns for value in row)
        return texts
    finally:
        await connection.close()


def as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def files(*folders: Path) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in [folder] if folder.is_file() else folder.rglob("*"):
            if path.is_file():
                yield str(path.name), path.read_bytes().decode("latin-1")


async def test_no_secret_of_the_story_lies_anywhere(platform: Platform, story: Story, seen: set[str]) -> None:
    for _, chapter in story.chapters:
        await chapter()
    assert len(seen) >= 20, "passwords, links, codes, transactions, tokens"
    logs = [platform.folder / f"{name}.log" for name in platform.processes if name != "mailbox"]
    places = dict(files(*logs, platform.folder / "rabbitmq"))
    for database in DATABASES:
        places |= await rows(platform, database)
    assert len(places) > 25
    leaks = {place: secret for place, text in places.items() for secret in seen if secret in text}
    assert not leaks
    # An address is a person's, and stays in identity.
    strangers = {
        place: text for place, text in places.items() if place != "identity.staff" and place != "identity.link"
    }
    for address in (story.ray_mail, story.jane_mail, "+61491570006"):
        assert not [place for place, text in strangers.items() if address in text], address


async def test_the_scan_can_find_something(platform: Platform, story: Story) -> None:
    await story.register()
    found = await rows(platform, "identity")
    assert story.ray_mail in found["identity.staff"]
    assert "identity.organisation.registered.v1" in found["identity.outbox"]
