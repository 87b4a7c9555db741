"""E-mail over SMTP, one step after another, because what has become of a message that was lost depends on the step.

Until the end of the content has been sent nobody has taken it, and another server may be asked at once. From there on it
may be on its way, whatever is lost. TLS is verified, and there is no way back to plain text.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import cast

import aiosmtplib

from services.notify.channels.connections import LOST, Connection, Connections, Server
from services.notify.channels.letter import Letter, Sender, written
from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Unreachable, Unsure, fit_to_keep
from services.notify.channels.tokens import Tokens

_TO_BEGIN = 4.5  # seconds until the server wants the content: after that another one is asked
_KEPT_ANSWERS = 1.5  # of them for a connection that may have been dead for a while
_TO_TAKE = 12.0  # for an answer to the whole: servers look for spam then
_TO_RESET = 1.0
_NOT_LOGGED_IN = frozenset({530, 534, 535, 538})
_UNWELL = frozenset({421, 454})  # it closes; it is throttled, or has no TLS at the moment
# RFC 3463: x.3.y is about the mail system, x.4.y about the network and routing, and not about this message.
_OF_THE_SYSTEM = re.compile(r"4\.[34]\.\d")
_NOBODY = re.compile(r"5\.(1\.(1|2|3|6|10)|2\.1)\b")  # no such mailbox or domain, or it takes no mail any more


class Step(Enum):
    """What a server has answered to."""

    SENDER = auto()
    RECIPIENT = auto()
    CONTENT = auto()


class SmtpProvider:
    channel = "email"

    def __init__(
        self, name: str, url: str, sender: str, tokens: Tokens, *,
        bounces_to: str | None = None, tls_context: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._sender = Sender(sender, tokens, bounces_to)
        context = tls_context or ssl.create_default_context()
        self._connections = Connections(Server.at(url), self._sender.domain, context)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._connections.close()

    async def send(self, message: Outgoing) -> Accepted:
        letter = written(message, self._sender)
        try:
            async with asyncio.timeout(_TO_BEGIN) as limit, self._connections.place() as refusals:
                connection = await self._begun(letter, self._sender.tokens.name(message.id), refusals)
                limit.reschedule(None)
                return await self._finished(connection, letter)
        except TimeoutError:
            raise Down(f"no answer within {_TO_BEGIN:g} s") from None

    # --- before the content -----------------------------------------------------------------------------------

    async def _begun(self, letter: Letter, id: str, refusals: int) -> Connection:
        """A connection that waits for the content."""
        connection = await self._greeted(letter, id, refusals)
        try:
            await connection.smtp.rcpt(letter.to, encoding="utf-8", timeout=_TO_BEGIN)
            await _asked_for_content(connection)
        except aiosmtplib.SMTPResponseException as fault:
            await self._put_down(connection)
            raise _judged(Step.RECIPIENT, fault) from None
        except LOST as fault:
            connection.smtp.close()
            raise Down(_lost(fault)) from None
        except BaseException:
            connection.smtp.close()
            raise
        return connection

    async def _greeted(self, letter: Letter, id: str, refusals: int) -> Connection:
        """A connection on which this message has begun. One that was kept may be dead, and then it is replaced at once."""
        kept = await self._connections.kept()
        if kept is not None:
            try:
                await self._mail(kept, letter, id, _KEPT_ANSWERS)
                return kept
            except Down:
                pass
        connection = await self._connections.fresh(refusals)
        await self._mail(connection, letter, id, _TO_BEGIN)
        return connection

    async def _mail(self, connection: Connection, letter: Letter, id: str, seconds: float) -> None:
        try:
            options = _options(connection, letter, id)
            await connection.smtp.mail(letter.sender, options=options, encoding="utf-8", timeout=seconds)
        except aiosmtplib.SMTPResponseException as fault:
            connection.smtp.close()
            raise _judged(Step.SENDER, fault) from None
        except LOST as fault:
            connection.smtp.close()
            raise Down(_lost(fault)) from None
        except Rejected:
            await self._connections.give_back(connection)
            raise
        except BaseException:
            connection.smtp.close()
            raise

    async def _put_down(self, connection: Connection) -> None:
        """After a refusal the connection is as good as new, once the server has forgotten whom it was about."""
        try:
            await connection.smtp.rset(timeout=_TO_RESET)
        except LOST:
            connection.smtp.close()
        await self._connections.give_back(connection)

    # --- the content ------------------------------------------------------------------------------------------

    async def _finished(self, connection: Connection, letter: Letter) -> Accepted:
        try:
            code, said = await _given(connection, letter.content)
        except BaseException:
            connection.smtp.close()
            raise
        await self._connections.give_back(connection)
        if 200 <= code < 300:
            return Accepted(answer=fit_to_keep(f"{code} {said}"))
        raise _judged(Step.CONTENT, aiosmtplib.SMTPDataError(code, said))


def _options(connection: Connection, letter: Letter, id: str) -> list[str]:
    """Of a message that comes back only the headers do: it may say a code. And it says itself which one it was."""
    smtp = connection.smtp
    options = [f"SIZE={len(letter.content)}"] if smtp.supports_extension("size") else []
    if letter.international:
        if not smtp.supports_extension("smtputf8"):
            raise Rejected("the server takes no international addresses")
        options.append("SMTPUTF8")
    return [*options, "RET=HDRS", f"ENVID={id}"] if smtp.supports_extension("dsn") else options


async def _asked_for_content(connection: Connection) -> None:
    code, said = await connection.smtp.execute_command(b"DATA", timeout=_TO_BEGIN)
    if code != 354:
        raise aiosmtplib.SMTPDataError(code, said)


async def _given(connection: Connection, content: bytes) -> tuple[int, str]:
    """The server's answer to the whole. The end goes out by itself: what is lost before it has not been taken."""
    protocol = connection.smtp.protocol
    try:
        if protocol is None or protocol.transport is None:
            raise aiosmtplib.SMTPServerDisconnected("gone")
        # Not asked for its class: uvloop's transports have asyncio's methods and none of its types.
        cast(asyncio.WriteTransport, protocol.transport).set_write_buffer_limits(high=0)
        protocol.write(content.replace(b"\r\n.", b"\r\n.."))
        async with asyncio.timeout(_TO_TAKE):
            await protocol._drain_helper()
        protocol.write(b".\r\n")
    except LOST as fault:
        raise Down(_lost(fault)) from None
    try:
        answer = await protocol.read_response(timeout=_TO_TAKE)
    except LOST as fault:
        raise Unsure(_lost(fault)) from None
    if answer.code // 100 not in (2, 4, 5):
        raise Unsure("an answer that is none")
    return answer.code, answer.message


def _judged(step: Step, fault: aiosmtplib.SMTPResponseException) -> Exception:
    """What the server's answer means for this message. Of what is said to its sender the message is innocent."""
    answer = fit_to_keep(f"{fault.code} {fault.message}")
    ours = step is Step.SENDER and fault.code != 552  # too large, as the size said
    if ours or fault.code in _NOT_LOGGED_IN | _UNWELL or _OF_THE_SYSTEM.match(fault.message):
        return Down(answer)
    if 400 <= fault.code < 500:
        return Deferred(answer)
    if step is Step.RECIPIENT and _NOBODY.match(fault.message):
        return Unreachable(answer)
    return Rejected(answer) if 500 <= fault.code < 600 else Down(answer)


def _lost(fault: BaseException) -> str:
    return fit_to_keep(f"connection lost: {type(fault).__name__}")
