"""SIGTERM: nothing new is taken, and what was begun is finished."""

from __future__ import annotations

import asyncio
import signal

import aiohttp

from deploy.local.demo.story import Story
from tests.system.platform import Platform


async def test_a_service_that_is_stopped_answers_what_it_was_asked_before(platform: Platform, story: Story) -> None:
    await story.register()
    # Each costs a password hash of 25 ms on two threads: when the first is answered, the others are under way.
    # Each is another name, for whoever tries one too often is told to wait.
    wrong = [{"login": f"AcmeCrates\\Nobody{n}", "password": "not the password"} for n in range(30)]
    connector = aiohttp.TCPConnector(limit=30)
    async with aiohttp.ClientSession(connector=connector) as session:
        identity = platform.door(session, "identity")
        asked = [asyncio.create_task(identity.ask("POST", "/v1/login", json=one)) for one in wrong]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert not all(task.done() for task in asked)
        stopping = asyncio.to_thread(platform.processes["identity"].stop, signal.SIGTERM)
        answers, _ = await asyncio.gather(asyncio.gather(*asked), stopping)
    assert {answer.status for answer in answers} <= {401, 503}
    assert platform.processes["identity"].returncode == 0
    platform.spawn("identity")
    await platform.ready("identity")
