"""Getting in while something is away: without the database nobody, without broker or notify whoever has an app."""

from __future__ import annotations

import asyncio

import pytest

from deploy.local.demo.people import PASSWORD
from deploy.local.demo.story import Story
from tests.faults.test_kills import settled
from tests.system.platform import Platform


async def lets_in(story: Story) -> int:
    """Ray with his app, whose codes are good once: wait for the next one. The status of the last answer."""
    identity, last = story.world.identity, story.ray_app.now()
    async with asyncio.timeout(35):
        while (code := story.ray_app.now()) == last:
            await asyncio.sleep(0.1)
    started = await identity.ask("POST", "/v1/login", json={"login": story.ray_login, "password": PASSWORD})
    if started.status != 200:
        return int(started.status)
    finish = {"transaction": started.body["transaction"], "factor": "totp", "code": code}
    return int((await identity.ask("POST", "/v1/login/finish", json=finish)).status)


@pytest.mark.checklist("O07")
async def test_without_broker_and_notify_whoever_has_an_app_gets_in(platform: Platform, story: Story) -> None:
    await settled(platform)
    await story.register()
    platform.kill("rabbitmq")
    platform.kill("notify")
    assert await lets_in(story) == 200
    await platform.restart("rabbitmq")
    await platform.restart("notify")
    await settled(platform)


@pytest.mark.checklist("O07", "L06")
async def test_without_the_database_nobody_gets_in(platform: Platform, story: Story) -> None:
    await settled(platform)
    await story.register()
    platform.kill("postgres")
    answer = await story.world.identity.ask("POST", "/v1/login", json={"login": story.ray_login, "password": PASSWORD})
    assert (answer.status, answer.body["type"]) == (503, "urn:staffgate:problem:database_away")
    assert (await story.world.identity.ask("GET", "/readyz")).status == 503, "not ready"
    assert (await story.world.identity.ask("GET", "/livez")).status == 200, "and alive"
    await platform.restart("postgres")
    await settled(platform)
    assert await lets_in(story) == 200
