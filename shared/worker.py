"""What a worker process has to do with the one that keeps it, and with the others on its port (shared.workers).

The line is one end of a socket pair. This end says that the worker is ready and that its loop goes round; the other end
closes when the keeper is gone, and then the worker ends too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from shared.metrics import Shared

BEAT = 1.0  # seconds
PATIENCE = 25.0  # seconds to finish what was begun; whoever stops services from outside has to allow for more


class Worker(msgspec.Struct, frozen=True):
    number: int  # from 1
    count: int
    line: socket.socket
    folder: Path

    @classmethod
    def read(cls, count: int, number: str, line: str, folder: str) -> Self:
        """From the words behind --as-worker."""
        own = socket.socket(fileno=int(line))
        own.set_inheritable(False)  # it is to close with this process, whatever this one starts
        return cls(number=int(number), count=count, line=own, folder=Path(folder))

    def words(self) -> list[str]:
        return [str(self.number), str(self.line.fileno()), str(self.folder)]

    @property
    def figures(self) -> Shared:
        return Shared(self.folder, self.number, self.count)

    def bind(self) -> None:
        """From here this process does not outlive its keeper. In a thread: a loop that hangs would never notice."""
        threading.Thread(target=self._outlive_nobody, name="line", daemon=True).start()

    def _outlive_nobody(self) -> None:
        with suppress(OSError):
            self.line.recv(1)
        shutil.rmtree(self.folder, ignore_errors=True)  # the keeper can't any more
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(PATIENCE)
        os._exit(1)

    def ready(self) -> None:
        """The first beat says it. They go on until the loop ends, so also while requests are finished."""
        with suppress(OSError):  # the keeper does not read, or is gone
            self.line.send(b".", socket.MSG_DONTWAIT)
        asyncio.get_running_loop().call_later(BEAT, self.ready)
