"""An SMPP server that keeps what it is given and errs when it is told to, and our side bound to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Rejected, Told, Unsure
from services.notify.channels.smpp import pdu
from services.notify.channels.smpp.pdu import Address, Command, Malformed, Pdu, ShortMessage, Status
from services.notify.channels.smpp.provider import SmppProvider
from services.notify.provider.settings import SmppSettings
from shared.errors import Unavailable
from shared.ids import RandomIds

IDS = RandomIds()
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

DELIVERED = "id:{id} sub:001 dlvrd:001 submit date:2611220900 done date:2611220901 stat:DELIVRD err:000 text:82461937"


@dataclass
class Session:
    """One connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answers: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    bound: bool = False

    def say(self, packet: Pdu) -> None:
        self.writer.write(pdu.encode(packet))

    def hang_up(self) -> None:
        assert self.writer.transport
        with suppress(AttributeError):  # asyncio's, of a TLS transport that has lost its own already
            self.writer.transport.abort()


@dataclass
class Smsc:
    password: str = "s3cret"
    binds: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    given: list[ShortMessage] = field(default_factory=list)  # all that came
    taken: list[str] = field(default_factory=list)  # the ids of those that were answered with one
    asked: list[int] = field(default_factory=list)  # every command that came
    statuses: list[int] = field(default_factory=list)  # of the next messages
    bind_statuses: list[int] = field(default_factory=list)
    holds: asyncio.Event | None = None  # until then no message is answered
    hangs_up: int = 0  # so many times, after a message and before its answer
    is_mute: bool = False  # answers nothing any more
    id: Callable[[int], str] = "m{}".format
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(reader, writer)
        self.sessions.append(session)
        answering: set[asyncio.Task[None]] = set()
        with suppress(asyncio.IncompleteReadError, OSError, Malformed):
            while True:
                packet = await pdu.read(reader)
                task = asyncio.create_task(self._take(session, packet))
                answering.add(task)
                task.add_done_callback(answering.discard)
        for task in answering:
            task.cancel()
        session.bound = False
        writer.close()

    async def _take(self, session: Session, packet: Pdu) -> None:
        self.asked.append(packet.command)
        if packet.is_answer:
            if awaited := session.answers.pop(packet.sequence, None):
                awaited.set_result(packet.status)
        elif self.is_mute:
            return
        elif packet.command == Command.BIND_TRANSCEIVER:
            self._bind(session, packet)
        elif packet.command == Command.SUBMIT_SM:
            await self._submit(session, packet)
        else:
            session.say(pdu.answer_to(packet))

    def _bind(self, session: Session, packet: Pdu) -> None:
        self.binds.append(pdu.read_bind(packet.body))
        right = self.binds[-1][1] == self.password
        status = self.bind_statuses.pop(0) if self.bind_statuses else Status.OK if right else Status.INVALID_PASSWORD
        session.bound = status == Status.OK
        session.say(pdu.answer_to(packet, status, pdu.message_id("SMSC") if session.bound else b""))

    async def _submit(self, session: Session, packet: Pdu) -> None:
        self.given.append(pdu.read_short_message(packet.body))
        if self.hangs_up:
            self.hangs_up -= 1
            session.hang_up()
            return
        status = self.statuses.pop(0) if self.statuses else Status.OK
        id = self.id(len(self.given))
        if self.holds:
            await self.holds.wait()
        if status == Status.OK:
            self.taken.append(id)
        session.say(pdu.answer_to(packet, status, pdu.message_id(id) if status == Status.OK else b""))

    async def deliver(self, text: str, esm_class: int = 4) -> int:
        """To whoever is bound; the status of their answer."""
        message = ShortMessage(source=Address(1, 1, "61400000000"), destination=Address(5, 0, "Staffgate"), text=text.encode(), esm_class=esm_class)  # fmt: skip
        return await self.deliver_body(pdu.short_message(message))

    async def deliver_body(self, body: bytes) -> int:
        session = next(session for session in self.sessions if session.bound)
        sequence = len(session.answers) + 1_000
        session.answers[sequence] = asyncio.get_running_loop().create_future()
        session.say(Pdu(command=Command.DELIVER_SM, sequence=sequence, body=body))
        async with asyncio.timeout(30):
            return await session.answers[sequence]


@asynccontextmanager
async def listening(smsc: Smsc, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Smsc]:
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", port, ssl=tls)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        server.close()
        for session in smsc.sessions:
            session.hang_up()


# --- our side -------------------------------------------------------------------------------------------------


@dataclass
class Ledger:
    """Who is told; it may be away for a while."""

    told: list[Told] = field(default_factory=list)
    away: int = 0

    async def tell(self, told: Told) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("database_away", "away")
        self.told.append(told)


def settings(port: int, **changed: Any) -> SmppSettings:
    named = SmppSettings(
        name="smsc", host="127.0.0.1", port=port, tls=False, system_id="acme", password="s3cret", sender="Staffgate"
    )
    return msgspec.structs.replace(named, **changed)


@asynccontextmanager
async def bound(
    smsc: Smsc, ledger: Ledger | None = None, *, idle: float = 30, **changed: Any
) -> AsyncIterator[SmppProvider]:  # fmt: skip
    provider = SmppProvider(settings(smsc.port, **changed), (ledger or Ledger()).tell, idle=idle)
    async with provider.opened():
        yield provider


def message(text: str = "82461937 is your code", *, id: UUID | None = None) -> Outgoing:
    sent_at, expires_at = NOW, NOW + timedelta(minutes=10)
    return Outgoing(id=id or IDS.uuid(), to="+61 400 000 000", text=text, sent_at=sent_at, expires_at=expires_at)


async def refused(provider: SmppProvider, of: Outgoing | None = None) -> tuple[str, str]:
    with pytest.raises((Deferred, Unsure, Rejected)) as caught:
        await provider.send(of or message())
    return caught.typename, str(caught.value)


async def answered(smsc: Smsc) -> bool:
    """Whatever was on its way to or from us has arrived: a question went there and back."""
    return await smsc.deliver("hello", esm_class=0) == Status.OK


async def accepted_in_the_end(provider: SmppProvider, of: Outgoing) -> Accepted:
    while True:
        try:
            return await provider.send(of)
        except Down:
            await asyncio.sleep(0.01)
