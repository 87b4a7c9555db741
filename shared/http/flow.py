"""Answers that are never finished: server-sent events (WHATWG HTML, section 9.2), sent as they happen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import cast

import msgspec
from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import AsyncIterablePayload

from staffgate.contracts.stream import CONTENT_TYPE

Cut = Callable[[], None]
Begin = Callable[[Cut], AsyncGenerator[bytes, None]]


class EventStream(msgspec.Struct, frozen=True):
    """A result of an operation. `begin` gives the bytes once the reader is there, and is given what cuts the reader off:
    one that takes nothing more can't be told that it is over."""

    begin: Begin


class _Flow(AsyncIterablePayload):
    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        super().__init__(_nothing(), content_type=CONTENT_TYPE)

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = cast(StreamWriter, writer).transport
        if transport is None:  # they left before it began
            return
        parts = self._begin(transport.abort)
        try:
            async for part in parts:
                await writer.write(part)
        finally:
            await parts.aclose()


async def _nothing() -> AsyncGenerator[bytes, None]:
    """In place of what there is only when the reader is there."""
    return
    yield b""


def flowing(stream: EventStream) -> web.Response:
    # A proxy that gathers what it passes on would hold a revoke back until there is enough of them.
    headers = {hdrs.CONTENT_TYPE: CONTENT_TYPE, "X-Accel-Buffering": "no"}
    response = web.Response(body=_Flow(stream.begin), headers=headers)
    response.force_close()  # whoever is cut off late is not to lose the next answer with it
    return response
