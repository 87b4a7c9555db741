"""A link that is not cut but silent: nothing fails, and nothing arrives. A revoke is not to wait for its heartbeats."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from shared.bus.rabbit import RabbitBus
from tests.bus.test_invalidation import Wire, database, world

__all__ = ["database"]


class Ice(Wire):
    """While it is not whole it keeps what it is given."""

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._broker.hostname, self._broker.port)
        self._ends |= {writer, back}
        with suppress(OSError):
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                while not self.whole:
                    await asyncio.sleep(0.02)
                writer.write(data)
        finally:
            writer.close()


async def test_a_revoke_does_not_wait_for_a_silent_link(database: Any, rabbitmq: Any) -> None:
    async with Ice.to(rabbitmq) as wire, world(database, rabbitmq, lambda: RabbitBus(wire.url, "authz")) as suite:
        await suite.change("use")
        await suite.until_b_says(True, 1)
        await suite.remembered_by_b(True)
        wire.whole = False
        await suite.change("deny")
        took = await suite.until_b_says(False, 2)
        print(f"denied {took:.2f} s after the revoke, over a link that was silent")
        wire.whole = True
        await suite.change("use")
        await suite.until_b_says(True, 5)
