"""What is measured, in Prometheus' text format: of this process, or of all workers behind one port.

A scrape reaches one worker, whichever the kernel picks. That one asks the others over Unix sockets in a folder of theirs
and answers for all, each sample with the number of its worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
WITHIN = 1.0  # seconds that a worker has to answer; one that is busy for longer is left out, and seen to be
_END = "# EOF\n"  # told to its end: half of a line would spoil the scrape of all
_UP = "# HELP worker_up 1 for a worker whose figures are here, 0 for one that did not tell them\n# TYPE worker_up gauge"


def own() -> str:
    return generate_latest().decode()


class Shared:
    """Worker `number` of `count`, as the others know it in `folder`."""

    def __init__(self, folder: Path, number: int, count: int) -> None:
        self._folder = folder
        self._number = number
        self._count = count

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """The others can ask."""
        path = self._path(self._number)
        path.unlink(missing_ok=True)  # of one that was killed
        server = await asyncio.start_unix_server(_tell, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def asked(self) -> str:
        numbers = range(1, self._count + 1)
        return merged(dict(zip(numbers, await asyncio.gather(*map(self._ask, numbers)), strict=True)))

    async def _ask(self, number: int) -> str | None:
        if number == self._number:
            return own()
        try:
            async with asyncio.timeout(WITHIN):
                return await _read(self._path(number))
        except OSError:  # a time-out is one
            return None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.sock"


async def _tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((own() + _END).encode())
    with suppress(OSError):  # who asked has gone
        await writer.drain()
    writer.close()


async def _read(path: Path) -> str | None:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        text = (await reader.read()).decode()
    finally:
        writer.close()
    return text.removesuffix(_END) if text.endswith(_END) else None


def merged(told: Mapping[int, str | None]) -> str:
    """What each worker told, None for one that did not. A family is described once, whoever has samples of it."""
    families: dict[str, list[str]] = {}  # samples by what is said of them
    for number, text in told.items():
        for family in ("\n" + (text or "")).split("\n# HELP ")[1:]:
            # Not by splitlines: a label's value may hold other characters that end a line for Python.
            meaning, kind, *samples = family.rstrip("\n").split("\n")
            families.setdefault(f"# HELP {meaning}\n{kind}", []).extend(_labelled(one, number) for one in samples)
    families[_UP] = [f'worker_up{{worker="{number}"}} {float(text is not None)}' for number, text in told.items()]
    return "".join("\n".join([said, *samples, ""]) for said, samples in families.items())


def _labelled(sample: str, number: int) -> str:
    name, brace, labels = sample.partition("{")
    if brace:
        return f'{name}{{worker="{number}",{labels}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{number}"}} {value}'
