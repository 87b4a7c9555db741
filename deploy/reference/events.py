"""The events, from the contracts; who hears them, from the bus's topology."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import msgspec

from deploy.reference.table import table
from shared.bus.topology import QUEUES
from staffgate import contracts
from staffgate.contracts.event import Event, Stated, event_types

_HEAD = """# Events

Each is a [CloudEvent](https://cloudevents.io) in JSON on the topic exchange `events`, and its type is the routing key. Beside the
attributes of CloudEvents every event carries `org` (the organisation), `sequence` (the version of what it is about) and
`traceparent`.

Within a version, fields are only added, and they are optional; readers ignore what they do not know. A queue keeps an
event until its reader has dealt with it. A hint reaches every replica that is connected, and who was not asks anew.

One sample of each lies in `tests/contract/golden/`.
"""


def page() -> str:
    rows = [(f"`{type}`", _meaning(kind), _fields(kind), _heard(type)) for type, kind in _events().items()]
    return f"{_HEAD}\n{table(('type', 'what it says', 'data', 'heard by'), rows)}"


def _events() -> dict[str, type[Event]]:
    """Without those that a program of somebody's own may have added."""
    for part in _parts(contracts):
        importlib.import_module(part)
    return {
        type: kind
        for type, kind in sorted(event_types().items())
        if kind.__module__.startswith(f"{contracts.__name__}.")
    }


def _parts(package: ModuleType) -> list[str]:
    return [part.name for part in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def _meaning(kind: type[Event]) -> str:
    if issubclass(kind, Stated):
        _, noun, participle, _ = kind.type.split(".")
        words = {"staff": "member of staff"}
        said = [f"The {words.get(noun, noun)} was {participle}.", _own_words(kind)]
        return " ".join(filter(None, [*said, "Carries the whole new state, so that order does not matter."]))
    return (inspect.getdoc(kind) or "").partition("\n\n")[0]


def _own_words(kind: type[Event]) -> str:
    """And not those of a class that it is made of."""
    return inspect.cleandoc(vars(kind).get("__doc__") or "").partition("\n\n")[0]


def _fields(kind: type[Event]) -> str:
    names: list[str] = []
    for field in msgspec.structs.fields(kind):
        if field.name == "state":
            names += [f"state.{inner.name}" for inner in msgspec.structs.fields(field.type)]
        else:
            names.append(field.name)
    return ", ".join(f"`{name}`" for name in names)


def _heard(type: str) -> str:
    queues = [f"queue `{queue.name}`" for queue in QUEUES if type in queue.types]
    return ", ".join(queues) or "every replica, as a hint"
