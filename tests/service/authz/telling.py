"""What identity tells, one after the other; and what authz tells of where people are placed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from services.authz.events import HANDLERS
from shared.bus.consumer import Consumer
from shared.bus.envelope import decode, encode, open_envelope
from shared.bus.outbox import write_events
from shared.bus.port import Message, Outcome
from shared.bus.topology import AUTHZ_STAFF
from shared.db import Database
from staffgate.contracts.authz import Placement, PlacementsChanged
from staffgate.contracts.event import Event
from staffgate.contracts.identity import OrganisationClosed, OrganisationState, StaffState, StaffStatus
from tests.service.authz.conftest import IDS, Authz, until


@dataclass
class Telling:
    """A worker of authz's: each event is handled before the next one comes."""

    consumer: Consumer

    async def __call__(self, *events: Event, id: UUID | None = None) -> None:
        for event in events:
            one = id or IDS.uuid()
            message = Message(id=str(one), type=event.type, body=encode(event, one, _now(self.consumer)))
            verdict = await self.consumer.handle(message)
            assert verdict.outcome is Outcome.DONE, verdict.error


def _now(consumer: Consumer) -> Any:
    return consumer._db.clock.now()


@asynccontextmanager
async def telling(authz: Authz) -> AsyncIterator[Telling]:
    db = Database(
        authz.database.app, clock=authz.clock, ids=IDS, write_events=write_events, committed=lambda: None, size=4
    )
    async with db.opened():
        yield Telling(Consumer(AUTHZ_STAFF, db, HANDLERS))


@dataclass
class Placements:
    """Everything that was told of where people are placed."""

    events: list[PlacementsChanged] = field(default_factory=list)

    def heard(self, message: Message) -> None:
        event = decode(open_envelope(message.body))
        assert isinstance(event, PlacementsChanged)
        self.events.append(event)

    def lost(self) -> None: ...

    def restored(self) -> None: ...

    def of(self, staff: UUID) -> list[tuple[int, Placement]]:
        return [(event.revision, one) for event in self.events for one in event.placements if one.staff == staff]

    def latest(self, staff: UUID) -> tuple[list[str], str | None] | None:
        """As identity would show it."""
        found = sorted(self.of(staff), key=lambda one: one[0])
        return (found[-1][1].roles, found[-1][1].team) if found else None

    async def shows(self, staff: UUID, roles: list[str], team: str | None) -> None:
        await until(lambda: self.latest(staff) == (roles, team))


def listening(authz: Authz) -> Placements:
    ear = Placements()
    authz.bus.listen([PlacementsChanged.type], ear)
    return ear


def closed(org: UUID) -> OrganisationClosed:
    about = OrganisationState(name="ACME Crates", number=org.hex[:8], username=None, version=9)
    return OrganisationClosed(org=org, state=about)


def deleted(state: StaffState, version: int) -> StaffState:
    return msgspec.structs.replace(state, status=StaffStatus.DELETED, version=version)
