"""Events as they leave: the same bytes in outbox, queue, parking lot and replay. How they are read is in the SDK."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared import trace
from staffgate.contracts.envelope import CONTENT_TYPE, Envelope, Undecodable, decode, open_envelope
from staffgate.contracts.event import Event

__all__ = ["CONTENT_TYPE", "Envelope", "Undecodable", "decode", "encode", "open_envelope"]

_encoder = msgspec.json.Encoder()


def encode(event: Event, id: UUID, time: datetime) -> bytes:
    """The event as it will travel, carrying the present trace."""
    source = "/" + event.type.partition(".")[0]
    data = msgspec.Raw(_encoder.encode(event))
    return _encoder.encode(
        Envelope(
            id=id,
            source=source,
            type=event.type,
            subject=str(event.subject),
            time=time,
            org=event.org,
            sequence=event.sequence,
            traceparent=trace.traceparent(),
            data=data,
        )
    )
