"""A product's process with a replica in it, and what it hears."""

from __future__ import annotations

from typing import Any

from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.replica import Replica
from tests.service.authz.conftest import Authz, Organisation, Someone


class Wire:
    """Between the bus and one replica, to be cut."""

    def __init__(self, bus: MemoryBus, replica: Replica) -> None:
        self.whole = True
        self._replica = replica
        bus.listen([PermissionsChanged.type, Heartbeat.type, CataloguePublished.type], self)
        replica.restored()

    def heard(self, message: Message) -> None:
        if self.whole:
            self._replica.heard(message.body)

    def lost(self) -> None:
        if self.whole:
            self._replica.lost()

    def restored(self) -> None:
        self._replica.restored()


def token_of(authz: Authz) -> Any:
    async def token() -> str:
        return authz.product

    return token


async def settled(acme: Organisation, replica: Replica, staff: Someone) -> None:
    """Whatever was announced has been heard, and the person is in memory."""
    await acme.revision()
    await replica.decide(staff.id, "sms.read", "inbox", "sales")
    assert replica.allowed_now(staff.id, "sms.read", "inbox", "sales") is not None
