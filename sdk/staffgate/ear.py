"""Whoever is told what services announce: over RabbitMQ by a Listener, over HTTP by a Stream."""

from __future__ import annotations

from typing import Protocol


class Ear(Protocol):
    """Between `lost` and `restored` anything may have happened."""

    def heard(self, body: bytes) -> None: ...

    def lost(self) -> None: ...

    def restored(self) -> None:
        """From now on everything is heard. Called at first, too."""
        ...
