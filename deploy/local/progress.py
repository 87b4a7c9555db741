"""Showing a start: live lines on a terminal, plain ones elsewhere, and records through a pipe when it is detached."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol


class Progress(Protocol):
    def begin(self, step: str) -> None: ...
    def done(self, step: str, text: str, seconds: float) -> None: ...
    def say(self, line: str) -> None: ...
    def close(self) -> None: ...


@contextmanager
def step(progress: Progress, name: str) -> Iterator[list[str]]:
    """Time a step. What the body puts into the list replaces the text that is shown when it is done."""
    began = time.monotonic()
    text = [name]
    progress.begin(name)
    yield text
    progress.done(name, text[-1], time.monotonic() - began)


class Plain:
    """One line a step when it is done; nothing that a log file could not hold."""

    def begin(self, step: str) -> None:
        pass

    def done(self, step: str, text: str, seconds: float) -> None:
        print(f"  ok  {text}  {seconds:.1f} s", flush=True)

    def say(self, line: str) -> None:
        print(line, flush=True)

    def close(self) -> None:
        pass


class Live:
    """Steps that run at the same time, each with its spinner and its clock."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn

        self._console = Console(highlight=False)
        spinner, text = SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}")
        self._bars = Bars(spinner, text, TextColumn("[dim]{task.fields[took]}"), console=self._console)
        self._tasks: dict[str, int] = {}
        self._bars.start()

    def begin(self, step: str) -> None:
        self._tasks[step] = self._bars.add_task(step, total=1, took="")

    def done(self, step: str, text: str, seconds: float) -> None:
        from rich.progress import TaskID

        task = TaskID(self._tasks.pop(step))
        self._bars.update(task, description=text, completed=1, took=f"{seconds:.1f} s")

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def close(self) -> None:
        self._bars.stop()


class Piped:
    """The supervisor's end: the one who detached it reads along. That one may go away; the start goes on."""

    def __init__(self, out: IO[str]) -> None:
        self._out: IO[str] | None = out

    def begin(self, step: str) -> None:
        self._send({"begin": step})

    def done(self, step: str, text: str, seconds: float) -> None:
        self._send({"done": step, "text": text, "seconds": seconds})

    def say(self, line: str) -> None:
        self._send({"say": line})

    def ready(self) -> None:
        self._send({"ready": True})
        self.close()

    def failed(self, why: str) -> None:
        self._send({"failed": why})
        self.close()

    def close(self) -> None:
        if self._out:
            self._out.close()
            self._out = None

    def _send(self, record: dict[str, object]) -> None:
        try:
            if self._out:
                print(json.dumps(record), file=self._out, flush=True)
        except BrokenPipeError:
            self._out = None


def relay(record: dict[str, object], progress: Progress) -> None:
    """The reader's end."""
    if "begin" in record:
        progress.begin(str(record["begin"]))
    elif "done" in record:
        progress.done(str(record["done"]), str(record["text"]), float(str(record["seconds"])))
    elif "say" in record:
        progress.say(str(record["say"]))


def for_terminal(is_terminal: bool) -> Progress:
    return Live() if is_terminal else Plain()
