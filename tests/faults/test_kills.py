"""kill -9 of each process in the middle of the story: every e-mail arrives, once, and the story goes on."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import aiohttp
import pytest

from deploy.local.demo.people import link_in_email
from deploy.local.demo.story import Story
from deploy.local.demo.world import eventually, newest_message
from tests.system.platform import Platform

SERVICES = ("identity", "authz", "authz-2", "notify")


async def settled(platform: Platform) -> None:
    """Every service is ready, and hears and is heard on the bus."""
    async with aiohttp.ClientSession() as session:
        for name in SERVICES:
            door = platform.door(session, name)

            async def whole(door: object = door) -> bool:
                try:
                    answer = await door.ask("GET", "/readyz")  # type: ignore[attr-defined]
                except aiohttp.ClientError:
                    return False
                return answer.status == 200 and not answer.body["degraded"]

            await eventually(whole, 60, f"{name} does not become whole again")


@pytest.mark.parametrize("victim", ["notify", "authz", "identity", "rabbitmq", "postgres"])
async def test_the_story_goes_on_after_a_kill(platform: Platform, story: Story, victim: str) -> None:
    await settled(platform)
    await story.register()
    await story.select_username()
    await story.add_jane()
    since = await newest_message(story.world)
    path = f"/v1/staff/{story.jane_id}/activation-email"
    await story.world.identity.post(path, token=story.ray.access, want=202)
    platform.kill(victim)
    await platform.restart(victim)
    await settled(platform)
    story.link = await link_in_email(story.world, story.jane_mail, since)
    for chapter in (story.activate, story.log_in, story.ask, story.raise_and_lower, story.suspend, story.reactivate):
        await chapter()
    mails = await story.world.mailbox.ask("GET", "/messages", params={"to": story.jane_mail, "since": str(since)})
    activations = Counter(mail["message_id"] for mail in mails.body if "token=" in mail["text"])
    # Between the SMTP server's 250 and the commit lies the one window for a double; it carries the same Message-ID.
    assert len(activations) == 1


@pytest.mark.long
async def test_the_story_goes_on_whatever_dies_between_its_chapters(platform: Platform, story: Story) -> None:
    victims = itertools.cycle(["postgres", "notify", "rabbitmq", "identity", "authz", "authz-2"])
    for _, chapter in story.chapters:
        await settled(platform)
        victim = next(victims)
        platform.kill(victim)
        await platform.restart(victim)
        await settled(platform)
        await chapter()


async def test_200_activations_while_rabbitmq_is_down_all_arrive_once(platform: Platform, story: Story) -> None:
    await settled(platform)
    await story.register()
    people = [await add(story, n) for n in range(200)]
    since = await newest_message(story.world)
    platform.kill("rabbitmq")
    gate = asyncio.Semaphore(8)

    async def invite(staff: str) -> None:
        async with gate:
            await story.world.identity.post(f"/v1/staff/{staff}/activation-email", token=story.ray.access, want=202)

    await asyncio.gather(*(invite(staff) for staff in people))
    assert await newest_message(story.world) == since, "nothing can have been sent yet"
    await platform.restart("rabbitmq")
    wanted = {address(story, n) for n in range(200)}

    async def all_there() -> Counter[str] | None:
        found = await story.world.mailbox.ask("GET", "/messages", params={"since": str(since)})
        arrived = Counter(str(mail["to"]) for mail in found.body)
        return arrived if wanted <= arrived.keys() else None

    arrived, ms = await eventually(all_there, 90, "not all 200 arrived")
    print(f"all 200 in the mailbox {ms / 1000:.1f} s after RabbitMQ was back")
    assert {arrived[to] for to in wanted} == {1}, "once each"
    await settled(platform)


def address(story: Story, n: int) -> str:
    return f"crew-{n}-{story.tag}@acme.example"


async def add(story: Story, n: int) -> str:
    body = {"type": "standard", "name": f"Crew {n}", "username": f"crew{n}", "email": address(story, n)}
    added = await story.world.identity.post("/v1/staff", body, token=story.ray.access, want=201)
    return str(added["id"])
