"""How a replica hears what changes: over RabbitMQ, over authz's event stream, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import aiohttp

from staffgate.client import Session
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.ear import Ear

TYPES = (PermissionsChanged.type, Heartbeat.type, CataloguePublished.type)


class Hearing(Protocol):
    """A Listener, or a Stream."""

    async def run(self) -> None: ...


def hearings(
    session: Session,
    authz_url: str,
    token: Callable[[], Awaitable[str]],
    amqp_url: str | None,
    stream: bool,
    ear: Ear,
) -> list[Hearing]:
    if amqp_url is not None:
        from staffgate.listener import Listener  # aio-pika is an extra

        return [Listener(amqp_url, TYPES, ear)]
    if stream and isinstance(session, aiohttp.ClientSession):
        from staffgate.stream import Stream

        return [Stream(session, authz_url, token, ear)]
    return []
