"""What a question is about, as a product has it in hand: anything with a type and an id, and what else it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

import msgspec

from staffgate.contracts.caller import Person
from staffgate.decision import Question
from staffgate.decision.model import ATTRIBUTES

DESTINATION = "destination"
_TOLD = (*ATTRIBUTES, DESTINATION)


class Named(Protocol):
    """A Resource, an Item that a search found, or a row of the product's own.

    What it says of itself by the names of the permission model (owner, team, subscriber, tenant, contract, channel, and
    the destination of a route) counts: a tenant that was passed over would be a gate that is not asked.
    """

    @property
    def type(self) -> str: ...

    @property
    def id(self) -> str | UUID | int: ...


class _Name(msgspec.Struct, frozen=True):
    type: str
    id: str | UUID | int


class Resource(_Name, frozen=True, kw_only=True):
    """`Resource("inbox", "sales")`, or `Resource("contact", 7, owner=han)`."""

    owner: str | UUID | None = None
    team: str | UUID | None = None
    subscriber: str | None = None
    tenant: str | None = None
    contract: str | None = None
    channel: str | None = None
    destination: Named | None = None


def person(staff: UUID | Person) -> UUID:
    """Whoever may only enrol a second factor yet is no Person, and is asked about by nobody."""
    if isinstance(staff, UUID):
        return staff
    if isinstance(staff, Person):
        return staff.staff
    raise TypeError(f"a person is a UUID or a verified Person, and not {type(staff).__name__}")


def asked(action: str, what: str | Named, id: str | None, properties: Mapping[str, Any]) -> Question:
    """About a resource, or a type and an id. What the caller says wins over what the resource says of itself."""
    if isinstance(what, str):
        if id is None:
            raise TypeError("say the id as well, or give a resource: anything with a type and an id")
        return question(action, what, id, properties)
    if id is not None:
        raise TypeError("a resource has an id of its own")
    own = {name: told for name in _TOLD if (told := getattr(what, name, None)) is not None}
    return question(action, *_name(what), {**own, **properties})


def question(action: str, type: str, id: object, properties: Mapping[str, Any]) -> Question:
    """With ids as text, as they come over HTTP and stand in rules: the number 7 is the item "7". What is None is not there."""
    id = id if isinstance(id, str) else str(id)
    if not properties:
        return Question(action, type, id)
    said = {name: _said(one) for name, one in properties.items() if one is not None}
    if DESTINATION in said:
        said[DESTINATION] = _place(said[DESTINATION])
    return Question(action, type, id, said)


def _said(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _name(what: Named) -> tuple[str, str]:
    type, id = what.type, what.id
    if not isinstance(type, str) or not isinstance(id, str | UUID | int):
        raise TypeError(f"a resource has a type, which is text, and an id: {what!r}")
    return type, str(id)


def _place(there: Any) -> Any:
    """Where a route leads, as it travels."""
    if isinstance(there, str | Mapping) or not hasattr(there, "type") or not hasattr(there, "id"):
        return there
    about = asked("", there, None, {})
    return {"type": about.type, "id": about.id, "properties": dict(about.properties)}
