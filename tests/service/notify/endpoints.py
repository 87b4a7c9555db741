"""Products' endpoints that events are posted to, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from services.notify.settings import Settings
from staffgate.contracts.envelope import Envelope
from staffgate.webhooks import Webhooks
from tests.service.notify.conftest import Running, served

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Product:
    """Verifies as a product would. `answers` come first, then all is taken."""

    notify: Running
    name: str
    answers: list[int] = field(default_factory=list)
    posts: list[tuple[str, Envelope]] = field(default_factory=list)  # each with its webhook-id, refused ones too
    hold: asyncio.Event | None = None
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        webhooks = Webhooks([SECRET], lambda: self.notify.clock.now().timestamp())
        envelope = webhooks.opened(request.headers, await request.read())
        self.posts.append((request.headers["webhook-id"], envelope))
        if self.hold:
            await self.hold.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    @property
    def heard(self) -> list[str]:
        return [envelope.type for _, envelope in self.posts]


@asynccontextmanager
async def product(notify: Running, name: str, *answers: int) -> AsyncIterator[Product]:
    one = Product(notify, name, list(answers))
    async with served(web.post("/hooks", one.take)) as port:
        one.url = f"http://127.0.0.1:{port}/hooks"
        yield one
        if one.hold:
            one.hold.set()


def posting(settings: Settings, *products: Product, events: tuple[str, ...] = ("*",)) -> Settings:
    """As the operator writes them down."""
    named: list[dict[str, Any]] = [
        {"name": one.name, "url": one.url, "secrets": [SECRET], "events": events} for one in products
    ]
    return msgspec.structs.replace(settings, webhooks=json.dumps(named))
