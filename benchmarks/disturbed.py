"""authz with something wrong with what it hears: `python -m benchmarks.disturbed nothing|dropped|doubled|reordered|mixed`.

`nothing`: announcements and heartbeats are taken as if they had said nothing. This is the build without invalidation
that a probe has to catch. The others are what a network may do: announcements lost (a third), heard twice, heard late
and in another order.
"""

from __future__ import annotations

import asyncio
import random
import sys

import msgspec

from services.authz.app import Settings, build
from services.authz.events import Announcements
from shared.bus.port import Message
from shared.service import main
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.mirror import Mirror

_heard = Announcements.heard
_beaten = Mirror.beaten
_dice = random.Random(7)


def _nothing(announcements: Announcements, message: Message) -> None:
    """Heartbeats still say that somebody is there, or the replica would know that it is cut off."""
    _heard(announcements, message)


def _unannounced(_mirror: Mirror, _event: PermissionsChanged) -> None: ...


def _alive(mirror: Mirror, event: Heartbeat) -> None:
    _beaten(mirror, msgspec.structs.replace(event, revisions={}, complete=True))


def _dropped(announcements: Announcements, message: Message) -> None:
    if "heartbeat" in message.type or _dice.random() > 1 / 3:
        _heard(announcements, message)


def _doubled(announcements: Announcements, message: Message) -> None:
    _heard(announcements, message)
    asyncio.get_running_loop().call_later(_dice.random() / 2, _heard, announcements, message)


def _reordered(announcements: Announcements, message: Message) -> None:
    asyncio.get_running_loop().call_later(_dice.random() / 20, _heard, announcements, message)


def _mixed(announcements: Announcements, message: Message) -> None:
    _dice.choice((_dropped, _doubled, _reordered))(announcements, message)


_WAYS = {"nothing": _nothing, "dropped": _dropped, "doubled": _doubled, "reordered": _reordered, "mixed": _mixed}

if __name__ == "__main__":
    way = sys.argv.pop(1)
    Announcements.heard = _WAYS[way]  # type: ignore[assignment,method-assign]
    if way == "nothing":
        Mirror.announced = _unannounced  # type: ignore[assignment,method-assign]
        Mirror.beaten = _alive  # type: ignore[assignment,method-assign]
    main("authz", Settings, build)
