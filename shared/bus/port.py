"""What a bus is to the rest of the suite. Two things are one: RabbitMQ, and a memory that passes the same tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

import msgspec

# Seconds that a failed message waits before it is tried again; after the last it is parked.
TIERS = (5.0, 60.0, 600.0)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on their way. `attempt` counts the retries that it has behind it."""

    id: str
    type: str
    body: bytes
    attempt: int = 0
    error: str = ""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A durable queue `<service>.<purpose>`, bound to exact types, so that what nobody knows never arrives."""

    name: str
    types: tuple[str, ...]


class Outcome(Enum):
    """What a handler made of a message."""

    DONE = "done"
    RETRY = "retry"  # something failed that may pass
    PARK = "park"  # it can never succeed: for a person to look at
    HOLD = "hold"  # it is not the message's fault, our own database is away: give it back unharmed


class Verdict(msgspec.Struct, frozen=True):
    outcome: Outcome
    error: str = ""


Handle = Callable[[Message], Awaitable[Verdict]]


class Hints(Protocol):
    """A listener that is told when it can't hear: between `lost` and `restored` anything may have happened."""

    def heard(self, message: Message) -> None: ...

    def lost(self) -> None: ...

    def restored(self) -> None:
        """From now on everything is heard; whatever was known before has to be learnt anew. Called at first, too."""
        ...


class Bus(Protocol):
    async def start(self) -> None:
        """Begin connecting; returns at once, whether or not anything can be reached."""
        ...

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """Which of them are safe with the bus. In order; never raises for a bus that is away."""
        ...

    def consume(self, queue: Queue, handle: Handle) -> None:
        """Before start: competing consumers on a durable queue."""
        ...

    def listen(self, types: Sequence[str], hints: Hints) -> None:
        """Before start: every replica hears everything, while it is connected."""
        ...

    @property
    def connected(self) -> bool: ...

    async def drain(self) -> None:
        """Take nothing new, and wait for what is being handled."""
        ...

    async def close(self) -> None: ...


class ParkedMessages(Protocol):
    """What an operator does with messages that nobody could handle."""

    async def counts(self) -> dict[str, int]: ...

    async def list(self, queue: str) -> Sequence[Message]: ...

    async def replay(self, queue: str, id: str | None) -> int:
        """Put one (or, with None, every) parked message back into its queue, as new."""
        ...

    async def drop(self, queue: str, id: str | None) -> int: ...
