"""Access tokens verified in a product's own process, and those refused whose session has ended, however fresh they are.

    async with Sessions(identity, issuer, amqp_url=amqp_url) as sessions:
        caller = sessions.verify(token)

Without RabbitMQ, over authz's event stream: `stream=partial(Stream, session, authz_url, identity.token)`.

How what is known stays current, and when nothing is verified because it can't be known, is in validity.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.identity import SessionsEnded
from staffgate.ear import Ear
from staffgate.validity import Identity, Validity


class Hearing(Protocol):
    """A Listener, or a Stream."""

    async def run(self) -> None: ...


class Sessions(Validity):
    """`issuer` is what tokens name: identity's public address. Without `amqp_url` or `stream` nothing can be heard."""

    def __init__(
        self,
        identity: Identity,
        issuer: str,
        *,
        amqp_url: str | None = None,
        stream: Callable[[Ear], Hearing] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(issuer, now)
        self.ask(identity)
        self._amqp_url = amqp_url
        self._stream = stream
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sessions:
        """With the keys and what has ended, if identity can be reached."""
        await self.load()
        self._tasks = [asyncio.create_task(self.keep(), name="sessions")]
        hearing = self._hearing()
        if hearing is not None:
            self._tasks.append(asyncio.create_task(hearing.run(), name="sessions.hearing"))
        return self

    async def __aexit__(self, *_fault: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hearing(self) -> Hearing | None:
        if self._amqp_url is None:
            return None if self._stream is None else self._stream(self)
        from staffgate.listener import Listener  # aio-pika is an extra

        # Sessions end seldom; the heartbeats show that they would be heard of.
        return Listener(self._amqp_url, [SessionsEnded.type, Heartbeat.type], self)
