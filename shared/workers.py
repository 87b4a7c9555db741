"""N processes of one service on one port, and the one that keeps them: `python -m services.<name> --workers N`.

The kernel deals connections out among those that listen (SO_REUSEPORT), so that nothing stands in between and a worker is
heard of when it is ready, not before. Each is started as a program of its own, with a loop, connections and memory of
its own: to everybody else they are replicas.

The first is started alone, and the others when it is ready: what is wrong with all of them is said once, and ends the
whole as it would end a service without workers. From then on a worker that ends is started again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import structlog

from shared.worker import BEAT, PATIENCE, Worker

# Before each start after a death; who has died once more often is not started again, and the whole ends.
PAUSES: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
SETTLED = 20.0  # who was ready for so long before dying begins with the shortest pause again
# A worker whose loop hangs answers nobody, and a probe of the port would seldom meet it. In parts: who was frozen
# together with us (a container that was paused) has one behind it when both go on, and no more.
SILENCE, SILENCES = 10 * BEAT, 3
GIVEN_UP = 1
log = structlog.get_logger()


def keep(name: str, host: str, port: int, count: int) -> int:
    """Run this program `count` times until a signal asks to stop; the exit code."""
    command = [sys.executable, *sys.orig_argv[1:]]
    with ExitStack() as held:
        try:
            shared = held.enter_context(reserved(host, port))
        except OSError as fault:
            raise SystemExit(f"{name} can't listen on {host}:{port}: {fault.strerror}") from fault
        folder = Path(tempfile.mkdtemp(prefix=f"staffgate-{name}-"))
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        environ = os.environ | {f"{name}_http_port".upper(): str(shared)}
        return asyncio.run(_run(Crew(command, environ, count, folder)))


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """The port, ours for as long as this is open; for 0, one that is free.

    Bound and not listened on it gets no connection, and nobody can take it who does not share it. Who shares it could
    be a second suite of ours, started by mistake, that would then get every second request: so it has to be free first.
    """
    with ExitStack() as held:
        for family, _, _, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with _bound(family, (address[0], port, *address[2:]), shared=False):
                pass
            own = held.enter_context(_bound(family, (address[0], port, *address[2:]), shared=True))
            port = own.getsockname()[1]
        yield port


def _bound(family: int, address: tuple[str | int, ...], *, shared: bool) -> socket.socket:
    own = socket.socket(family, socket.SOCK_STREAM)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        if family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as asyncio binds
        own.bind(address)
    except OSError:
        own.close()
        raise
    return own


async def _run(crew: Crew) -> int:
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, crew.stop)
    return await crew.run()


class Crew:
    """Keeps the workers, each by a task of its own."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], count: int, folder: Path) -> None:
        self._command = command
        self._environ = environ
        self._count = count
        self._folder = folder
        self._asked = asyncio.Event()  # to stop
        self._open = asyncio.Event()  # the first has been ready
        self._processes: dict[int, Process] = {}
        self._lines: dict[int, asyncio.StreamWriter] = {}

    def stop(self) -> None:
        self._asked.set()

    async def run(self) -> int:
        keepers = [asyncio.create_task(self._keep(number)) for number in range(1, self._count + 1)]
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait([asked, *keepers], return_when=asyncio.FIRST_COMPLETED)
            codes = [keeper.result() for keeper in keepers if keeper.done()]
        finally:
            for task in (asked, *keepers):
                task.cancel()
            await asyncio.gather(asked, *keepers, return_exceptions=True)
            await self._end()
        return 0 if self._asked.is_set() else codes[0]

    async def _keep(self, number: int) -> int:
        """Returns, with the exit code of the whole, when there is no sense in starting it again."""
        if number > 1:
            await self._open.wait()
        deaths = 0
        while True:
            code, lived = await self._live(number)
            if not self._open.is_set():
                return max(code, GIVEN_UP)
            deaths = 1 if lived >= SETTLED else deaths + 1
            if deaths > len(PAUSES):
                log.error("workers.given_up", worker=number, exit=code, deaths=deaths)
                return GIVEN_UP
            pause = PAUSES[deaths - 1]
            log.error("worker.ended", worker=number, exit=code, ready_for=round(lived, 1), again_in=pause)
            await asyncio.sleep(pause)

    async def _live(self, number: int) -> tuple[int, float]:
        """One process, from its start to its end: how it ended, and for how long it was ready."""
        process, line = await self._start(number)
        loop, lived = asyncio.get_running_loop(), 0.0
        if await _said(line):
            since = loop.time()
            log.info("worker.ready", worker=number, pid=process.pid)
            self._open.set()
            await self._listen(number, process, line)
            lived = loop.time() - since
        code = await process.wait()
        self._lines.pop(number).close()
        return code, lived

    async def _start(self, number: int) -> tuple[Process, asyncio.StreamReader]:
        ours, theirs = socket.socketpair()
        reader, self._lines[number] = await asyncio.open_connection(sock=ours)
        with theirs:
            worker = Worker(number=number, count=self._count, line=theirs, folder=self._folder)
            # A session of its own: Ctrl-C reaches us only, and we say it to all.
            self._processes[number] = await asyncio.create_subprocess_exec(
                *self._command, "--as-worker", *worker.words(),
                env=self._environ, stdin=DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        return self._processes[number], reader

    async def _listen(self, number: int, process: Process, line: asyncio.StreamReader) -> None:
        """Until it ends, or its loop has hung for so long that it is ended."""
        silences = 0
        while silences < SILENCES:
            try:
                async with asyncio.timeout(SILENCE):
                    if not await _said(line):
                        return
                silences = 0
            except TimeoutError:
                silences += 1
        log.error("worker.silent", worker=number, seconds=SILENCE * SILENCES)
        process.kill()

    async def _end(self) -> None:
        """Ask all, wait until they have finished what they had begun, and insist."""
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(process.wait() for process in running))
        except TimeoutError:
            log.error("workers.unfinished", seconds=PATIENCE)
            for process in running:
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.gather(*(process.wait() for process in running))
        for line in self._lines.values():  # not before: to a worker it means that we are gone
            line.close()


async def _said(line: asyncio.StreamReader) -> bool:
    """Whether anything was said before the line's end."""
    try:
        return bool(await line.read(64))
    except OSError:
        return False
