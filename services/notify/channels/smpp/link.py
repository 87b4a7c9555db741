"""One bound connection to an SMPP server: what is asked over it and answered, in any order, and what it tells by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from services.notify.channels.smpp import pdu
from services.notify.channels.smpp.pdu import Command, Malformed, Pdu, ShortMessage, Status

_PATIENCE = 5.0  # seconds for a connection, and for an answer to anything but a message
_IDLE = 30.0  # of silence, until the other side is asked whether it is there: firewalls forget quiet connections
_FORGOTTEN = 60.0  # until a place in the window is used again whose answer never came
_AT_ONCE = 32  # receipts that are being written down; more are told again later
_FAREWELL = 2.0

Hear = Callable[[ShortMessage], Awaitable[None]]

log = structlog.get_logger()


class Lost(Exception):
    """The link is gone. `written`: after the request was handed over, so nobody knows what became of it."""

    def __init__(self, reason: str, *, written: bool) -> None:
        super().__init__(reason)
        self.written = written


class Refused(Exception):
    """The server won't have us. Carries its status."""


class Link:
    """`hear` gets what the server delivers; when it raises, the server is told to deliver that again."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Hear, window: int, idle: float
    ) -> None:  # fmt: skip
        self._reader = reader
        self._writer = writer
        self._hear = hear
        self._window = asyncio.Semaphore(window)
        self._idle = idle
        self._sequence = 0
        self._bound = False
        self._awaited: dict[int, tuple[Command, asyncio.Future[Pdu]]] = {}
        self._hearing: set[asyncio.Task[None]] = set()
        self._heard_at = asyncio.get_running_loop().time()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]

    @classmethod
    async def to(
        cls, host: str, port: int, tls: ssl.SSLContext | None, hear: Hear, *, window: int, idle: float = _IDLE
    ) -> Link:  # fmt: skip
        """Raise OSError (a TimeoutError is one) when nobody is there."""
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        return cls(reader, writer, hear, window, idle)

    async def bind(self, body: bytes) -> None:
        answer = await self._asked(Command.BIND_TRANSCEIVER, body)
        if answer.status != Status.OK:
            raise Refused(described(answer.status))
        self._bound = True

    async def submit(self, message: ShortMessage) -> asyncio.Future[Pdu]:
        """It is handed over when this returns; the future is its answer, or Lost. Waits while the window is full.

        A place in the window is taken until the answer is there, whether or not somebody still waits for it: the server
        counts that way too.
        """
        body = pdu.short_message(message)
        await self._window.acquire()
        try:
            answer = self._request(Command.SUBMIT_SM, body)
        except Lost:
            self._window.release()
            raise
        forgotten = asyncio.get_running_loop().call_later(_FORGOTTEN, _give_up, answer)
        answer.add_done_callback(lambda _: self._window.release())
        answer.add_done_callback(lambda _: forgotten.cancel())
        return answer

    async def leave(self) -> None:
        """Say so, and hang up."""
        with suppress(Lost, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                if self._hearing:
                    await asyncio.wait(self._hearing)
                if self._bound:
                    await self._request(Command.UNBIND, b"")
        self.close("unbound")
        await asyncio.wait(self._tasks)

    def close(self, reason: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(reason)
        self._writer.close()
        for task in [*self._tasks, *self._hearing]:
            if task is not asyncio.current_task():
                task.cancel()
        for _, answer in list(self._awaited.values()):
            if not answer.done():
                answer.set_exception(Lost(reason, written=True))

    # --- asking -----------------------------------------------------------------------------------------------

    async def _asked(self, command: Command, body: bytes = b"") -> Pdu:
        async with asyncio.timeout(_PATIENCE):
            return await self._request(command, body)

    def _request(self, command: Command, body: bytes) -> asyncio.Future[Pdu]:
        if self.lost.done() or self._writer.is_closing():
            raise Lost(self.lost.result() if self.lost.done() else "closing", written=False)
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        sequence = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._awaited[sequence] = command, answer
        answer.add_done_callback(lambda done: self._settle(sequence, done))
        self._write(Pdu(command=command, sequence=sequence, body=body))
        return answer

    def _settle(self, sequence: int, answer: asyncio.Future[Pdu]) -> None:
        self._awaited.pop(sequence, None)
        if not answer.cancelled():
            answer.exception()  # looked at: nobody may be waiting any more, and that is no fault

    def _write(self, packet: Pdu) -> None:
        self._writer.write(pdu.encode(packet))

    # --- hearing ----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        reason = "our fault"
        try:
            while True:
                packet = await pdu.read(self._reader)
                self._heard_at = asyncio.get_running_loop().time()
                self._take(packet)
                await self._writer.drain()
        except (asyncio.IncompleteReadError, OSError) as fault:
            reason = f"connection lost: {type(fault).__name__}"
        except Malformed as fault:
            reason = f"it said something that is no SMPP: {fault}"
        finally:
            self.close(reason)

    def _take(self, packet: Pdu) -> None:
        if packet.is_answer:
            self._answered(packet)
        elif packet.command == Command.DELIVER_SM:
            self._deliver(packet)
        elif packet.command == Command.ENQUIRE_LINK:
            self._write(pdu.answer_to(packet))
        elif packet.command == Command.UNBIND:
            self._write(pdu.answer_to(packet))
            self.close("the server has unbound us")
        elif packet.command not in (Command.ALERT_NOTIFICATION, Command.OUTBIND):  # these have no answer
            nack = Pdu(command=Command.GENERIC_NACK, sequence=packet.sequence, status=Status.INVALID_COMMAND)
            self._write(nack)

    def _answered(self, answer: Pdu) -> None:
        command, awaited = self._awaited.get(answer.sequence, (None, None))
        if command is None and answer.command == Command.GENERIC_NACK:
            raise Malformed("it can't follow us")
        if command is not None and not pdu.answers(answer, command):
            raise Malformed("an answer to something else")
        if awaited is not None and not awaited.done():
            awaited.set_result(answer)

    def _deliver(self, packet: Pdu) -> None:
        if len(self._hearing) >= _AT_ONCE:
            self._write(pdu.answer_to(packet, Status.TRY_AGAIN, pdu.message_id("")))
            return
        task = asyncio.create_task(self._heard(packet))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)

    async def _heard(self, packet: Pdu) -> None:
        """Answered when it is written down, and not before: what the server has seen answered it never tells again."""
        status = Status.OK
        try:
            await self._hear(pdu.read_short_message(packet.body))
        except Malformed:
            status = Status.NEVER
        except Exception as fault:
            log.warning("smpp.unheard", error=type(fault).__name__)
            status = Status.TRY_AGAIN
        if not self.lost.done():
            self._write(pdu.answer_to(packet, status, pdu.message_id("")))

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._heard_at + self._idle - loop.time()))
            if loop.time() < self._heard_at + self._idle:
                continue
            try:
                await self._asked(Command.ENQUIRE_LINK)
            except (TimeoutError, Lost):
                self.close("no answer to whether it is there")
                return self._writer.transport.abort()  # what it has not read until now it won't


def _give_up(answer: asyncio.Future[Pdu]) -> None:
    if not answer.done():
        answer.set_exception(Lost("no answer", written=True))


def described(status: int) -> str:
    """`0x58 throttled`."""
    known = {value.value: value.name.lower().replace("_", " ") for value in Status}
    return f"0x{status:02x} {known.get(status, '')}".rstrip()
