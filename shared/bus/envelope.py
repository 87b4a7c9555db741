"""CloudEvents 1.0, structured mode: the whole event is the body, the same bytes in outbox, queue, parking lot and replay."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from shared import trace
from staffgate.contracts.event import Event, event_types

CONTENT_TYPE = "application/cloudevents+json"


class Undecodable(Exception):
    """These bytes are not an event of the published language."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes; `data` stays undecoded until somebody wants it."""

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    org: UUID
    sequence: int
    traceparent: str = ""
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    data: msgspec.Raw


_envelope = msgspec.json.Decoder(Envelope)
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


def open_envelope(body: bytes) -> Envelope:
    try:
        return _envelope.decode(body)
    except msgspec.DecodeError as fault:
        raise Undecodable(f"no CloudEvent: {fault}") from fault


def decode(envelope: Envelope) -> Event:
    kind = event_types().get(envelope.type)
    if kind is None:
        raise Undecodable(f"unknown type {envelope.type}")
    try:
        return msgspec.json.decode(envelope.data, type=kind)
    except msgspec.DecodeError as fault:
        raise Undecodable(f"{envelope.type}: {fault}") from fault
