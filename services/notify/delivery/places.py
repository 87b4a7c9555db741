"""Where the next page of deliveries begins, as a word in an address: after the last row of the one before, so that nobody
comes twice while new ones are added. It is good with every filter."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.errors import Invalid

_LAYOUT = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(created_at: datetime, id: UUID) -> str:
    micros = (created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_LAYOUT.pack(micros, id.bytes)).decode()


def read(text: str) -> tuple[datetime, UUID]:
    try:
        micros, id = _LAYOUT.unpack(base64.b64decode(text, b"-_", validate=True))
        return _EPOCH + timedelta(microseconds=micros), UUID(bytes=id)
    except (ValueError, struct.error, OverflowError) as fault:
        raise Invalid("unknown_cursor", "This is no place in this list; begin without it.", at="$.after") from fault
