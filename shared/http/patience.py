"""How long is waited for a request that comes drop by drop: who says nothing is not to keep a connection from others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

HEADERS_WITHIN = 20.0  # seconds from connecting to the end of the first request's headers
BODY_WITHIN = 30.0  # and from there to the end of a body
_END = b"\r\n\r\n"


class _Patient(asyncio.Protocol):
    """Stands before the HTTP protocol until the first request's headers are there, and then steps aside."""

    def __init__(self, http: asyncio.Protocol, seconds: float) -> None:
        self._http = http
        self._seconds = seconds
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and says that it is not
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._transport.abort)
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        if _END in seen:
            self._timer.cancel()
            self._transport.set_protocol(self._http)
        self._tail = seen[-len(_END) :]
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def connection_lost(self, fault: Exception | None) -> None:
        self._timer.cancel()
        self._http.connection_lost(fault)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()


class PatientRunner(web.AppRunner):
    """An AppRunner whose connections are given up when nothing is said on them. `speaking` makes what speaks HTTP on one
    of them, where that is not to be aiohttp's own."""

    headers_within = HEADERS_WITHIN

    def __init__(
        self, app: web.Application, *, speaking: Callable[[web.Server], asyncio.Protocol] | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(app, **options)
        self._speaking = speaking or (lambda server: server())

    @property
    def server(self) -> Callable[[], asyncio.Protocol] | None:  # type: ignore[override]  # all that a site asks of it
        http = super().server
        return None if http is None else lambda: _Patient(self._speaking(http), self.headers_within)
