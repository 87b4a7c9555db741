"""E-mail over SMTP. Connections are kept and used again; TLS is verified, and there is no way back to plain text."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Unsure, fit_to_keep
from staffgate.contracts.identity import Email

_TIMEOUT = 10.0  # seconds a step may take
_IDLE = 30.0  # servers hang up on idle clients, and a firewall may forget them without a word
_USES = 100  # and many end a connection after a number of messages
_LOST = (aiosmtplib.SMTPException, OSError)  # a TimeoutError is an OSError
_NOT_LOGGED_IN = frozenset({530, 534, 535, 538})


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
            timeout=_TIMEOUT,
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
        with suppress(*_LOST):
            await self.smtp.quit(timeout=1)
        self.smtp.close()


class SmtpProvider:
    channel = "email"

    def __init__(self, name: str, url: str, sender: str, *, tls_context: ssl.SSLContext | None = None) -> None:
        self.name = name
        self._server = Server.at(url)
        self._sender = sender
        self._address = parseaddr(sender)[1]
        self._domain = self._address.rpartition("@")[2]
        self._tls_context = tls_context or ssl.create_default_context()
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.gather(*(connection.close() for connection in self._idle))
            self._idle.clear()

    async def send(self, message: Outgoing) -> Accepted:
        letter = self._letter(message)
        connection = await self._connection()
        try:
            _, answer = await connection.smtp.send_message(letter, sender=self._address, recipients=[message.to])
        except BaseException as fault:
            # After an answer the connection is as good as new; after anything else nobody knows what comes next on it.
            if not isinstance(fault, aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientsRefused):
                connection.smtp.close()
            raise _judged(fault) from None
        finally:
            await self._give_back(connection)
        return Accepted(answer=fit_to_keep(f"250 {answer}"))

    def _letter(self, message: Outgoing) -> EmailMessage:
        """Quoted-printable throughout, so that no server on the way has a reason to re-code what DKIM has signed."""
        letter = EmailMessage()
        try:
            letter["From"] = self._sender
            letter["To"] = msgspec.convert(message.to, Email)
            letter["Subject"] = message.subject
        except ValueError as fault:
            raise Rejected("this can't be a header of an e-mail") from fault
        letter["Date"] = format_datetime(message.sent_at)
        letter["Message-ID"] = f"<{message.id}@{self._domain}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text, cte="quoted-printable")
        letter.add_alternative(message.html, subtype="html", cte="quoted-printable")
        return letter

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            await connection.close()
        connection = Connection(self._server, self._domain, self._tls_context)
        try:
            await connection.smtp.connect()
        except aiosmtplib.SMTPResponseException as fault:
            raise Down(fit_to_keep(f"{fault.code} {fault.message}")) from None
        except _LOST as fault:
            raise Down(fit_to_keep(f"no connection: {fault or type(fault).__name__}")) from None
        return connection

    async def _give_back(self, connection: Connection) -> None:
        connection.uses += 1
        connection.used_at = time.monotonic()
        if connection.usable:
            self._idle.append(connection)
        else:
            await connection.close()


def _judged(fault: BaseException) -> BaseException:
    """What the server's answer means for this message; cancellation and our own faults stay what they are."""
    if isinstance(fault, aiosmtplib.SMTPRecipientsRefused):
        fault = fault.recipients[0]
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        # A login that has gone bad, or a server that closes, is not this message's fault.
        down = fault.code in _NOT_LOGGED_IN or fault.code == 421
        kind = Down if down else Rejected if fault.code >= 500 else Deferred
        return kind(fit_to_keep(f"{fault.code} {fault.message}"))
    if isinstance(fault, aiosmtplib.SMTPNotSupported):
        return Rejected("the server takes no international addresses")
    if isinstance(fault, _LOST):
        return Unsure(fit_to_keep(f"connection lost: {type(fault).__name__}"))
    return fault
