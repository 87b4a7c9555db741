"""The messages: one line of JSON each, in a file that outlives the process."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    kind: str  # "email" or "sms"
    to: str
    sender: str
    received_at: datetime
    subject: str = ""
    text: str = ""
    html: str = ""
    message_id: str = ""


class Store:
    """Everything in memory as well; a development mailbox holds thousands, not millions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "messages.jsonl"
        self._messages = _load(self._path)
        self._last = self._messages[-1].id if self._messages else 0
        self._file = self._path.open("ab")
        self.changes = 0  # the page asks for this number, and draws itself again when it moved

    def add(
        self,
        kind: str,
        *,
        to: str,
        sender: str,
        subject: str = "",
        text: str = "",
        html: str = "",
        message_id: str = "",
    ) -> Message:
        """In the file before it returns: who is told "accepted" must find it there after a kill. A kill of this
        process loses nothing that was handed to the kernel, so no fsync."""
        # Milliseconds, pushed on where two fall together: ids grow, also after the file was emptied and a restart.
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        message = Message(
            id=self._last, kind=kind, to=to, sender=sender, subject=subject, text=text, html=html,
            message_id=message_id, received_at=datetime.now(UTC),
        )  # fmt: skip
        self._file.write(msgspec.json.encode(message) + b"\n")
        self._file.flush()
        self._messages.append(message)
        self.changes += 1
        return message

    def find(self, *, to: str | None = None, kind: str | None = None, since: int = 0) -> list[Message]:
        """Oldest first; `since` is the id after which to begin."""
        return [
            message
            for message in self._messages
            if message.id > since
            and (to is None or message.to.casefold() == to.casefold())
            and (kind is None or message.kind == kind)
        ]

    def newest(self, count: int) -> list[Message]:
        return self._messages[: -count - 1 : -1]

    def clear(self) -> None:
        self._messages.clear()
        self._file.truncate(0)
        self.changes += 1

    def close(self) -> None:
        self._file.close()


def _load(path: Path) -> list[Message]:
    """A last line cut off by a kill was never acknowledged; it is removed, or the next one would be glued to it."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        path.write_bytes(whole)
    return [msgspec.json.decode(line, type=Message) for line in whole.splitlines()]
