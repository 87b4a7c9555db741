"""An SMTP server that takes everything and notes when: `python -m benchmarks.sink`, a process of its own.

As little as there can be between the socket and the answer, so that it is not what is measured. A client that says
XTIMES instead of a command of SMTP's is told, as JSON, at which times each Message-ID was accepted.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import uvloop

from deploy.local.ports import HOST

_ID = re.compile(rb"^Message-ID:\s*<([0-9a-f-]{36})[.@]", re.IGNORECASE | re.MULTILINE)
taken: dict[str, list[float]] = {}


class Session(asyncio.Protocol):
    def __init__(self) -> None:
        self._read = b""
        self._letter = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._say(b"220 sink")

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            end = b"\r\n.\r\n" if self._letter else b"\r\n"
            said, found, rest = self._read.partition(end)
            if not found:
                return
            self._read = rest
            self._taken(said) if self._letter else self._told(said)

    def _taken(self, letter: bytes) -> None:
        self._letter = False
        if found := _ID.search(letter):
            taken.setdefault(found[1].decode(), []).append(time.time())
        self._say(b"250 2.0.0 Kept")

    def _told(self, line: bytes) -> None:
        match line[:4].upper():
            case b"EHLO":
                self._say(b"250-sink\r\n250 SMTPUTF8")
            case b"DATA":
                self._letter = True
                self._say(b"354 Go ahead")
            case b"XTIM":
                self._say(json.dumps(taken).encode())
            case b"XCOU":
                self._say(str(len(taken)).encode())
            case b"QUIT":
                self._say(b"221 Bye")
                self._transport.close()
            case _:
                self._say(b"250 OK")

    def _say(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")


async def times(port: int) -> dict[str, list[float]]:
    """What the sink at this port was given so far."""
    found: dict[str, list[float]] = await _asked(port, b"XTIMES")
    return found


async def count(port: int) -> int:
    """How many different ones those are."""
    return int(await _asked(port, b"XCOUNT"))


async def _asked(port: int, command: bytes) -> Any:
    reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 27)
    await reader.readline()
    writer.write(command + b"\r\n")
    answer = await reader.readline()
    writer.close()
    return json.loads(answer)


async def listen(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Session, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(listen(int(sys.argv[1])))
