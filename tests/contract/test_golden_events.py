"""The published language stays readable: one sample of each event, written once and never edited."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.bus import topology
from shared.bus.envelope import Envelope, Undecodable, decode, encode, open_envelope
from staffgate.contracts import authz, catalogue, identity
from staffgate.contracts.event import Event, event_types

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.json"))}
# Heard by every replica while it is connected, and learnt anew after it was not: no queue keeps them.
HINTS = {
    identity.SessionsEnded.type,
    authz.PermissionsChanged.type,
    authz.Heartbeat.type,
    catalogue.CataloguePublished.type,
}

every_sample = pytest.mark.parametrize("type", SAMPLES)


def test_every_event_has_its_sample() -> None:
    missing = event_types().keys() - SAMPLES.keys()
    assert not missing, f"add a sample of each in {GOLDEN.name}/: {sorted(missing)}"
    assert not SAMPLES.keys() - event_types().keys(), "a type that was ever published stays readable"


@every_sample
def test_a_sample_can_be_read(type: str) -> None:
    envelope, event = read(SAMPLES[type])
    assert (envelope.type, event.type, envelope.specversion) == (type, type, "1.0")
    assert (envelope.org, envelope.subject, envelope.sequence) == (event.org, str(event.subject), event.sequence)
    assert envelope.source == "/" + type.partition(".")[0]


@every_sample
def test_a_field_that_is_not_known_yet_does_no_harm(type: str) -> None:
    """A writer may be newer than its reader: in the envelope, in the data, and in every object inside."""
    _, event = read(SAMPLES[type])
    assert read(msgspec.json.encode(with_unknown_fields(msgspec.json.decode(SAMPLES[type]))))[1] == event


@every_sample
def test_a_sample_is_what_would_be_written_today(type: str) -> None:
    """Nothing was renamed or dropped: what is read and written again says the same."""
    envelope, event = read(SAMPLES[type])
    again = msgspec.json.decode(encode(event, envelope.id, envelope.time))
    golden = msgspec.json.decode(SAMPLES[type])
    assert again["data"] == golden["data"]
    assert {**again, "traceparent": ""} == {**golden, "traceparent": ""}


@every_sample
def test_every_field_of_a_sample_is_filled(type: str) -> None:
    """An empty list or a null would prove nothing about what stands there."""
    data = msgspec.json.decode(SAMPLES[type])["data"]
    empty = [name for name, value in flat(data) if value in (None, [], {}, "")]
    assert empty in ([], ["state.username"])  # an organisation has none when it registers


@every_sample
def test_a_sample_without_one_of_its_fields_is_refused(type: str) -> None:
    golden = msgspec.json.decode(SAMPLES[type])
    for name in needed(type):
        data = {other: value for other, value in golden["data"].items() if other != name}
        with pytest.raises(Undecodable):
            read(msgspec.json.encode({**golden, "data": data}))


def test_every_event_has_a_queue_or_is_a_hint() -> None:
    bound = {type for queue in topology.QUEUES for type in queue.types}
    nobodys = event_types().keys() - bound - HINTS
    assert not nobodys, f"bind each to a queue in shared/bus/topology.py, or name it here as a hint: {sorted(nobodys)}"
    assert bound <= event_types().keys(), "a queue waits for what is never told"
    assert not bound & HINTS


def needed(type: str) -> list[str]:
    """What was added within a version is optional."""
    return [field.name for field in msgspec.structs.fields(event_types()[type]) if field.required]


def read(body: bytes) -> tuple[Envelope, Event]:
    envelope = open_envelope(body)
    return envelope, decode(envelope)


def with_unknown_fields(value: Any) -> Any:
    if isinstance(value, dict):
        added = {} if _by_id(value) else {"added_later": {"x": [1]}}
        return {name: with_unknown_fields(one) for name, one in value.items()} | added
    return [with_unknown_fields(one) for one in value] if isinstance(value, list) else value


def _by_id(value: dict[str, Any]) -> bool:
    """Values by id, and no object that could get another field."""
    return all(re.fullmatch("[0-9a-f-]{36}", name) for name in value)


def flat(value: Any, at: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [pair for name, one in value.items() for pair in flat(one, f"{at}.{name}".lstrip("."))]
    return [(at, value)]
