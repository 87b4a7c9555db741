"""Access tokens verified in a product's own process, and those refused whose session has ended, however fresh they are.

    async with Sessions(identity, issuer, amqp_url=amqp_url) as sessions:
        caller = sessions.verify(token)

How what is known stays current, and when nothing is verified because it can't be known, is in validity.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.identity import SessionsEnded
from staffgate.validity import Identity, Validity


class Sessions(Validity):
    """`issuer` is what tokens name: identity's public address. Without `amqp_url` nothing can be heard."""

    def __init__(
        self,
        identity: Identity,
        issuer: str,
        *,
        amqp_url: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(issuer, now)
        self.ask(identity)
        self._amqp_url = amqp_url
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sessions:
        """With the keys and what has ended, if identity can be reached."""
        await self.load()
        self._tasks = [asyncio.create_task(self.keep(), name="sessions")]
        if self._amqp_url is not None:
            from staffgate.listener import Listener  # aio-pika is an extra

            # Sessions end seldom; the heartbeats show that they would be heard of.
            listener = Listener(self._amqp_url, [SessionsEnded.type, Heartbeat.type], self)
            self._tasks.append(asyncio.create_task(listener.run(), name="sessions.listener"))
        return self

    async def __aexit__(self, *_fault: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
