"""authz that notes when it committed each change, and when it handed the announcement to the broker:
`python -m benchmarks.observed FILE`. What was noted is in the file once the process has ended.

By the clock that all processes of the machine share. To note a moment takes a microsecond; nothing is read back before
the end.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from services.authz.app import Settings, build
from shared.bus.envelope import decode, open_envelope
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.service import main
from staffgate.contracts.authz import PermissionsChanged
from staffgate.mirror import Mirror

_committed: list[tuple[str, int, float]] = []
_published: list[tuple[bytes, float]] = []
_changed, _publish = Mirror.changed, RabbitBus.publish


def _note_commit(mirror: Mirror, org: Any, people: Any, types: Any, revision: int) -> None:
    """The first that is done after the COMMIT has returned."""
    _committed.append((str(org), revision, time.monotonic()))
    _changed(mirror, org, people, types, revision)


async def _note_publish(bus: RabbitBus, messages: Sequence[Message]) -> list[bool]:
    now = time.monotonic()
    _published.extend((message.body, now) for message in messages if message.type == PermissionsChanged.type)
    return await _publish(bus, messages)


def _write(file: Path) -> None:
    published = []
    for body, at in _published:
        event = decode(open_envelope(body))
        assert isinstance(event, PermissionsChanged)
        published.append((str(event.org), event.revision, at))
    file.write_bytes(msgspec.json.encode({"committed": _committed, "published": published}))


if __name__ == "__main__":
    atexit.register(_write, Path(sys.argv.pop(1)))
    Mirror.changed = _note_commit  # type: ignore[assignment,method-assign]
    RabbitBus.publish = _note_publish  # type: ignore[assignment,method-assign]
    main("authz", Settings, build)
