"""What every event has in common, and how its type finds its class."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

NOBODYS = UUID(int=0)  # the `org` of what concerns the suite as a whole


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that has happened. Names are past participles and carry a version: `identity.staff.added.v1`.

    Within a version fields are only added, and optional; readers ignore fields that they do not know.
    """

    type: ClassVar[str] = ""
    # Goes before what is waiting already. For events that nothing else's order depends on.
    urgent: ClassVar[bool] = False

    org: UUID

    @property
    def subject(self) -> UUID:
        """The aggregate that the event is about; the organisation unless an event says otherwise."""
        return self.org

    @property
    def sequence(self) -> int:
        """The aggregate's version after the event: what makes consumers safe from disorder."""
        return 0


State = TypeVar("State")


class Stated(Event, Generic[State], frozen=True, kw_only=True):
    """An event that carries the whole new state of its aggregate, so that order does not matter."""

    state: State


def event_types(root: type[Event] = Event) -> dict[str, type[Event]]:
    """Every event class that has a type, by that type."""
    found: dict[str, type[Event]] = {}
    for child in root.__subclasses__():
        if child.type:
            found[child.type] = child
        found.update(event_types(child))
    return found
