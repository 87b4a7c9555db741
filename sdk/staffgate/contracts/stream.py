"""What authz's event stream says of itself, besides the announcements that it carries."""

from __future__ import annotations

from typing import Literal

import msgspec

CONTENT_TYPE = "text/event-stream"
OPENED = "opened"  # the names of these two events; all others are named by what they carry
ENDED = "ended"

# It has lasted as long as it may; the process can't hear any more, or heard what it can't read; it stops; the reader is
# too slow for it; the reader has left.
Reason = Literal["over", "deaf", "unreadable", "stopping", "slow", "gone"]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """From here on everything is told that is heard. For so many seconds: have another one open before."""

    seconds: float


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing comes after this."""

    reason: str
