"""A load that does not wait for answers: so many requests a second, whatever the server makes of them.

Each is sent when its time has come, on the next of the connections that are kept alive. What it takes is counted from the time
at which it was due: who is slow is not asked less often for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from deploy.local.ports import HOST

_TICK = 0.001  # seconds; what fell due since the last one is sent at once
_END, _LENGTH = b"\r\n\r\n", b"content-length:"


@dataclass
class Outcome:
    """`took` in microseconds, from when each was due."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    failed: int = 0
    took: list[float] = field(default_factory=list)


async def drive(port: int, requests: Sequence[bytes], rate: float, seconds: float, connections: int) -> Outcome:
    loop, outcome = asyncio.get_running_loop(), Outcome()
    pairs = [await loop.create_connection(lambda: _Line(outcome), HOST, port) for _ in range(connections)]
    lines = [line for _, line in pairs]
    began, cpu = time.perf_counter(), time.thread_time()
    sent, wanted = 0, int(rate * seconds)
    while sent < wanted:
        due = min(wanted, int((time.perf_counter() - began) * rate))
        for number in range(sent, due):
            lines[number % connections].ask(requests[number % len(requests)], began + number / rate)
        sent = due
        await asyncio.sleep(_TICK)
    async with asyncio.timeout(30):
        while len(outcome.took) + outcome.failed < wanted and not all(line.closed for line in lines):
            await asyncio.sleep(_TICK)
    outcome.seconds, outcome.cpu_seconds = time.perf_counter() - began, time.thread_time() - cpu
    outcome.failed = wanted - len(outcome.took)
    for transport, _ in pairs:
        transport.close()
    return outcome


class _Line(asyncio.Protocol):
    """One connection, and when what was asked on it was due."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._due: deque[float] = deque()
        self._got = b""
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and says that it is not

    def connection_lost(self, _fault: Exception | None) -> None:
        self.closed = True

    def ask(self, request: bytes, due: float) -> None:
        self._due.append(due)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        got = self._got + data
        while (end := got.find(_END)) >= 0:
            head = got[:end].lower()
            length = head.partition(_LENGTH)[2].partition(b"\r")[0]
            whole = end + len(_END) + int(length)
            if len(got) < whole:
                break
            took = (time.perf_counter() - self._due.popleft()) * 1e6
            if head.startswith(b"http/1.1 200"):
                self._outcome.took.append(took)
            else:
                self._outcome.failed += 1
            got = got[whole:]
        self._got = got
