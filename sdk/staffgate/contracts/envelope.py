"""CloudEvents 1.0, structured mode: how an event travels. The whole of it is the body of the message."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

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
_types: dict[str, type[Event]] = {}


def open_envelope(body: bytes) -> Envelope:
    try:
        return _envelope.decode(body)
    except msgspec.DecodeError as fault:
        raise Undecodable(f"no CloudEvent: {fault}") from fault


def decode(envelope: Envelope) -> Event:
    kind = _types.get(envelope.type)
    if kind is None:
        _types.update(
            event_types()
        )  # walked once, and where a module was imported since: each walk took as long as the rest
        kind = _types.get(envelope.type)
    if kind is None:
        raise Undecodable(f"unknown type {envelope.type}")
    try:
        return msgspec.json.decode(envelope.data, type=kind)
    except msgspec.DecodeError as fault:
        raise Undecodable(f"{envelope.type}: {fault}") from fault
