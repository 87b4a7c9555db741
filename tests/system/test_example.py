"""The example product as a process of its own: what it answers to what is wrong, and that it ends when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
import pytest_asyncio

from deploy.local.demo import inbox
from deploy.local.demo.stage import staged
from deploy.local.demo.story import MESSAGE, Story
from deploy.local.demo.world import Astray, Door, eventually
from tests.system.platform import Platform


@pytest_asyncio.fixture(scope="module")
async def owned(platform: Platform) -> AsyncIterator[Story]:
    """Ray has an organisation and an inbox."""
    async with staged(platform.urls, platform.keys, print) as story:
        await story.register()
        await story.world.inbox.put("/inboxes/sales", {"label": "Sales Team"}, token=story.ray.access)
        yield story


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/inboxes/sales/messages", {"number": "+61491570156", "text": "x\0"}, 400),
        ("POST", "/inboxes/sales/messages", {"number": "0491570156", "text": "x"}, 400),
        ("POST", "/inboxes/sales/messages", [], 400),
        ("PUT", "/inboxes/sales", {"label": ""}, 400),
        ("PUT", "/inboxes/SALES", {"label": "Sales"}, 404),
        ("PUT", "/inboxes/%00", {"label": "Sales"}, 404),
        ("GET", "/inboxes/sales%2fx/messages", None, 404),
        ("DELETE", "/inboxes/sales/messages/99999999999999999999", None, 404),
        ("GET", "/messages?text=%00", None, 200),
        ("GET", "/inboxes/sales/why?action=%00", None, 200),
    ],
)
async def test_what_is_wrong_is_refused_and_breaks_nothing(
    owned: Story, method: str, path: str, body: object, status: int
) -> None:
    options = {} if body is None else {"json": body}
    answer = await owned.world.inbox.ask(method, path, token=owned.ray.access, **options)
    assert answer.status == status, answer.text


async def test_its_metrics_say_how_far_behind_it_is(owned: Story) -> None:
    page = (await owned.world.inbox.ask("GET", "/metrics")).text
    assert "staffgate_replica_age_seconds" in page


async def test_without_rabbitmq_it_hears_by_a_stream(platform: Platform, owned: Story) -> None:
    without = {name: url for name, url in platform.urls.items() if name != "amqp"}
    async with aiohttp.ClientSession() as session, inbox.running(without, platform.keys, session) as url:
        door, ray = Door(session, url), owned.ray.access

        async def believes() -> bool:
            return "staffgate_replica_believed 1" in (await door.ask("GET", "/metrics")).text

        await eventually(believes, 10, "the stream is not believed")
        assert (await door.ask("POST", "/inboxes/sales/messages", token=ray, json=MESSAGE)).status == 201


async def test_it_ends_with_the_telling(platform: Platform) -> None:
    async with aiohttp.ClientSession() as session:
        async with inbox.running(platform.urls, platform.keys, session) as url:
            assert (await Door(session, url).ask("GET", "/inboxes")).status == 401
        with pytest.raises(aiohttp.ClientConnectionError):
            await Door(session, url).ask("GET", "/inboxes")


async def test_one_that_can_not_start_says_why(platform: Platform) -> None:
    urls: Mapping[str, str] = platform.urls | {"postgres": "postgresql://nobody@127.0.0.1:1/nothing"}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Astray, match="does not start"):
            async with inbox.running(urls, platform.keys, session):
                pass
