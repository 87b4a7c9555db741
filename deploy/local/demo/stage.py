"""Sets the stage: doors to every service, and the SMS inbox open for business."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from deploy.local.demo import inbox
from deploy.local.demo.story import Story
from deploy.local.demo.world import Door, World
from deploy.local.keys import Keys
from staffgate.client import IdentityClient


@asynccontextmanager
async def staged(urls: Mapping[str, str], keys: Keys, tell: Callable[[str], None]) -> AsyncIterator[Story]:
    """`urls` by name; every replica of authz is one whose name begins so. `amqp` is missing where there is no broker."""
    async with aiohttp.ClientSession() as session:
        product = IdentityClient(session, urls["identity"], "sms", keys.client_secret("sms"))
        async with inbox.running(urls, keys, session) as sms_inbox:
            world = World(
                identity=Door(session, urls["identity"]),
                authz=[Door(session, url) for name, url in sorted(urls.items()) if name.startswith("authz")],
                notify=Door(session, urls["notify"]),
                mailbox=Door(session, urls["mailbox"]),
                inbox=Door(session, sms_inbox),
                product=product,
            )
            yield Story(world, tell)
