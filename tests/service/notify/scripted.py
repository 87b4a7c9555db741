"""An SMTP server that does what a test says, step by step, and never more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP, SILENCE = "hang up", "silence"


@dataclass
class Script:
    """`answers[step]` are given first, one each time: an answer, HANG_UP or SILENCE. Steps are verbs, `greeting` and `content`."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    thinks: float = 0  # seconds before each answer
    heard: list[str] = field(default_factory=list)  # the verbs, and what came with MAIL
    taken: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def next(self, step: str, usual: str) -> str:
        waiting = self.answers.get(step)
        return waiting.pop(0) if waiting else usual

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with suppress(_HungUp, OSError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        self.open.discard(writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "greeting", "220 mail.test")
        while line := await reader.readuntil(b"\r\n"):
            verb = line.split()[0].decode().upper()
            self.heard.append(line.decode().strip() if verb in ("MAIL", "RCPT") else verb)
            if verb == "EHLO":
                said = ["mail.test", *self.extensions]
                usual = "\r\n".join(f"250{'-' if one != said[-1] else ' '}{one}" for one in said)
            else:
                usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 2.0.0 Ok")
            answer = await self._say(writer, verb, usual)
            if verb == "DATA" and answer.startswith("354"):
                content = await reader.readuntil(b"\r\n.\r\n")
                await self._say(writer, "content", "250 2.0.0 Ok: queued as 4F1A2B")
                self.taken.append(content)

    async def _say(self, writer: asyncio.StreamWriter, step: str, usual: str) -> str:
        answer = self.next(step, usual)
        await asyncio.sleep(self.thinks)
        if answer == HANG_UP:
            raise _HungUp
        if answer == SILENCE:
            await asyncio.get_running_loop().create_future()
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        return answer

    def hang_up(self) -> None:
        for writer in self.open:
            writer.close()


class _HungUp(Exception):
    pass


@asynccontextmanager
async def scripted_server(script: Script, port: int = 0) -> AsyncIterator[str]:
    """Its URL."""
    talks: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(script.serve(reader, writer))
        talks.add(talk)
        talk.add_done_callback(talks.discard)

    server = await asyncio.start_server(take, "127.0.0.1", port, limit=1 << 20)
    try:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none"
    finally:
        server.close()
        script.hang_up()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
