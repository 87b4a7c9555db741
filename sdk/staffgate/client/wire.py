"""Requests over connections of our own: HTTP/1.1 kept alive, one request in flight on each, and a bounded number of them.

    async with Wire() as wire:
        identity = IdentityClient(wire, "https://identity.example", "sms", secret)
        authz = AuthzClient(wire, "https://authz.example", identity.token)

An answer belongs to the one request that its connection was given. A request that was given up (cancelled, or too late)
closes its connection, and so does every byte that nobody asked for: there is never an answer left over for the next one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Self, cast
from urllib.parse import SplitResult, urlsplit

from staffgate.client.answer import Answer, Garbage, Reader
from staffgate.client.faults import ServiceAway
from staffgate.client.pool import Pool

_LARGEST = 64 << 20  # bytes of an answer
_LINES = 5  # of a request's head: the first, what is always there, and the empty one


class Wire:
    """`connections` to each service at most; who comes when all are in use waits for one. `tls` is for https in place of
    the machine's own certificates, and `largest` bounds what is taken of an answer."""

    def __init__(
        self, *, connections: int = 64, tls: ssl.SSLContext | None = None, largest: int = _LARGEST
    ) -> None:  # fmt: skip
        self._connections = connections
        self._tls = tls
        self._largest = largest
        self._lines: dict[str, WireLine] = {}
        self._pools: dict[tuple[str, str, int], Pool[Connection]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_fault: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give up what is in flight, and take nothing more."""
        for pool in self._pools.values():
            pool.close()
        await asyncio.sleep(0)  # the loop lets go of a socket one step later

    def to(self, url: str) -> WireLine:
        """The line to a service. Services at one address share their connections. Raises ValueError."""
        if url not in self._lines:
            parts = _address(url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
            key = (parts.scheme, host, port)
            if key not in self._pools:
                tls = self._context() if parts.scheme == "https" else None
                self._pools[key] = self._pool(host, port, tls)
            self._lines[url] = WireLine(self._pools[key], url, parts)
        return self._lines[url]

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _pool(self, host: str, port: int, tls: ssl.SSLContext | None) -> Pool[Connection]:
        async def connect() -> Connection:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: Connection(pool, self._largest), host, port, ssl=tls)
            return connection

        pool = Pool(connect, self._connections)
        return pool


class WireLine:
    def __init__(self, pool: Pool[Connection], url: str, parts: SplitResult) -> None:
        self._pool = pool
        self._url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._always = f" HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: staffgate\r\nAccept: application/json\r\n"

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, repeatable: bool, connect: float,
        within: float,
    ) -> Answer:  # fmt: skip
        """Raise ServiceAway."""
        request = self._written(method, target, headers, body)
        deadline = asyncio.get_running_loop().time() + within
        connection = self._pool.idle() or await self._connection(connect, deadline)
        try:
            return await connection.ask(request, deadline)
        except Unanswered as fault:
            # It was closed while it was idle: the request came too late on it, and the others are as old.
            if not (connection.used and repeatable):
                raise ServiceAway(f"{self._url} has hung up") from fault
        except Garbage as fault:
            raise ServiceAway(f"{self._url} gave an answer that is none: {fault}") from fault
        except TimeoutError as fault:
            self._pool.forget_idle()  # where packets vanish they do for all of them: the next request gets a new one
            raise ServiceAway(f"{self._url} gave no answer in time") from fault
        self._pool.forget_idle()
        return await self._send_anew(request, connect, deadline)

    def doubt(self) -> None:
        self._pool.forget_idle()

    async def _send_anew(self, request: bytes, connect: float, deadline: float) -> Answer:
        connection = await self._connection(connect, deadline)
        try:
            return await connection.ask(request, deadline)
        except (Unanswered, Garbage, TimeoutError) as fault:
            raise ServiceAway(f"{self._url} can't be reached: {fault!r}") from fault

    async def _connection(self, connect: float, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + connect)):
                return await self._pool.take()
        except (OSError, TimeoutError) as fault:  # a certificate that is not good is an OSError as well
            raise ServiceAway(f"{self._url} can't be reached: {fault!r}", unsent=True) from fault

    def _written(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Raises ValueError where something in it would end its line."""
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = f"Content-Length: {len(body)}\r\n" if body or method not in ("GET", "DELETE") else ""
        head = f"{method} {self._path}{target}{self._always}{fields}{length}\r\n"
        lines = _LINES + len(headers) + bool(length)
        if head.count("\n") != lines or head.count("\r") != lines or "\0" in head or " " in target:
            raise ValueError("a request that can't be sent: a path has to be quoted, and a header is one line")
        return head.encode("ascii") + body


class Unanswered(Exception):
    """The connection was closed before anything of an answer had come."""


class Connection(asyncio.Protocol):
    """Gives itself back to its pool when its answer is whole."""

    def __init__(self, pool: Pool[Connection], largest: int) -> None:
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(largest)
        self._answer: asyncio.Future[Answer] | None = None
        self._deadline = 0.0  # of the request in flight
        self._timer: asyncio.TimerHandle | None = None
        self.used = False  # an answer has come on it before
        self.alive = False

    async def ask(self, request: bytes, deadline: float) -> Answer:
        """Raise Unanswered, Garbage or TimeoutError; the connection is closed then."""
        if not self.alive:
            raise Unanswered
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer, self._deadline = answer, deadline
        if self._timer is None or deadline < self._timer.when():
            self._wind(deadline)
        self._transport.write(request)
        try:
            return await answer
        finally:
            # Not where the answer has come in the same moment: the connection may be another's by now.
            if self._answer is answer:
                self.drop()

    def _wind(self, deadline: float) -> None:
        """One timer for many requests: it costs more than the rest of a request does. When it rings it looks whether the
        one that is in flight then is late."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() < self._deadline:
            self._wind(self._deadline)
        else:
            self._fail(TimeoutError())

    def drop(self) -> None:
        """Close it at once; nothing that comes on it counts any more."""
        self._fail(Unanswered())

    # --- Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and says that it is not
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.drop()
            return
        try:
            answer = self._reader.feed(data)
        except Garbage as fault:
            self._fail(fault)
            return
        if answer is not None:
            self._finish(answer)

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, fault: Exception | None) -> None:
        self._fail(Garbage("it broke off") if self._reader.begun else Unanswered())

    def _finish(self, answer: Answer) -> None:
        waiting, self._answer = self._answer, None
        self.used = True
        # An answer before the request was sent: what is left of it would come before the next one.
        if answer.last or self._transport.get_write_buffer_size():
            self.drop()
        elif self.alive:
            self._pool.give_back(self)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, fault: Exception) -> None:
        waiting, self._answer = self._answer, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.alive:
            self.alive = False
            self._transport.abort()
            self._pool.lost(self)
        if waiting is not None and not waiting.done():
            waiting.set_exception(fault)


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url!r} is no address of a service; write it like https://authz.example")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} has more than an address; write it like https://authz.example")
    return parts
