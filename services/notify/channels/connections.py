"""Connections to one SMTP server: kept, used again, bounded, and never many at once on their way to a server that is down."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec

from services.notify.channels.port import Down, fit_to_keep

LOST = (aiosmtplib.SMTPException, OSError)  # a TimeoutError is an OSError

_TO_CONNECT = 3.0  # seconds, TLS and login included: whoever waits for a code has another server asked within five
_IDLE = 30.0  # servers hang up on idle clients, and a firewall may forget them without a word
_USES = 100  # and many end a connection after a number of messages
_MOST = 48  # at once: what two lanes have under way at most, slow ones included; many servers take 50 of one client
_CONNECTING = 4
_TO_LEAVE = 1.0


class Server(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    user: str | None
    password: str | None
    tls: str  # "from the start", "starttls" or "none"

    @classmethod
    def at(cls, url: str) -> Server:
        """`smtps://user:password@host:465`, `smtp://host:587`, or `smtp://host:25?tls=none` where nothing secret passes."""
        parts = urlsplit(url)
        tls = "from the start" if parts.scheme == "smtps" else parse_qs(parts.query).get("tls", ["starttls"])[0]
        return cls(
            host=parts.hostname or "",
            port=parts.port or (465 if parts.scheme == "smtps" else 587),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=tls,
        )


class Connection:
    def __init__(self, server: Server, helo: str, tls_context: ssl.SSLContext) -> None:
        self.smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            # Given, because its default is a name look-up that can take seconds.
            local_hostname=helo,
            timeout=_TO_CONNECT,
            use_tls=server.tls == "from the start",
            start_tls=server.tls == "starttls",
            tls_context=tls_context,
        )
        self.uses = 0
        self.used_at = time.monotonic()

    @property
    def usable(self) -> bool:
        return self.smtp.is_connected and self.uses < _USES and time.monotonic() - self.used_at < _IDLE

    async def close(self) -> None:
        if self.smtp.is_connected:
            with suppress(*LOST):
                await self.smtp.quit(timeout=_TO_LEAVE)
        self.smtp.close()


class Connections:
    def __init__(self, server: Server, helo: str, tls_context: ssl.SSLContext) -> None:
        self._server = server
        self._helo = helo
        self._tls_context = tls_context
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(_MOST)
        self._doors = asyncio.Semaphore(_CONNECTING)
        self._refusals = 0
        self._refusal = Down()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[int]:
        """Within it one connection may be had. Says how often there was none before."""
        refusals = self._refusals
        async with self._room:
            yield refusals

    async def kept(self) -> Connection | None:
        """One that was used before, the latest first."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            await connection.close()
        return None

    async def fresh(self, refusals: int) -> Connection:
        """Raise Down where there is none to be had. Who waited while another one failed need not try it again."""
        async with self._doors:
            if self._refusals != refusals:
                raise Down(*self._refusal.args)
            try:
                return await self._connected()
            except Down as fault:
                self._refusals += 1
                self._refusal = fault
                raise

    async def _connected(self) -> Connection:
        connection = Connection(self._server, self._helo, self._tls_context)
        try:
            async with asyncio.timeout(_TO_CONNECT):
                await connection.smtp.connect()
                if connection.smtp.is_ehlo_or_helo_needed:
                    await connection.smtp.ehlo()
        except aiosmtplib.SMTPResponseException as fault:
            raise Down(fit_to_keep(f"{fault.code} {fault.message}")) from None
        except LOST as fault:
            said = str(fault) or f"no answer within {_TO_CONNECT:g} s"
            raise Down(fit_to_keep(f"no connection: {said}")) from None
        except UnicodeError:
            raise Down("no connection: this is no name of a host") from None
        return connection

    async def give_back(self, connection: Connection) -> None:
        connection.uses += 1
        connection.used_at = time.monotonic()
        if connection.usable:
            self._idle.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))
