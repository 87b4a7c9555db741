"""What a heartbeat says, on real PostgreSQL, and that nothing stops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.authz import heartbeat
from services.authz.heartbeat import beating, read
from shared.bus.envelope import decode, open_envelope
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.db import Database
from shared.errors import Unavailable
from shared.ids import RandomIds
from shared.service import Role
from staffgate.contracts.authz import Heartbeat
from tests.service.authz.conftest import Authz, Organisation, registered, until


class Ear:
    def __init__(self) -> None:
        self.beats: list[Heartbeat] = []

    def heard(self, message: Message) -> None:
        event = decode(open_envelope(message.body))
        assert isinstance(event, Heartbeat)
        self.beats.append(event)

    def lost(self) -> None: ...

    def restored(self) -> None: ...


@pytest_asyncio.fixture
async def db(authz: Authz) -> AsyncIterator[Database]:
    async def nothing(*_: object) -> None: ...

    database = Database(
        authz.database.app, clock=authz.clock, ids=RandomIds(), write_events=nothing, committed=lambda: None, size=1
    )
    async with database.opened():
        yield database


def listening(bus: MemoryBus) -> Ear:
    ear = Ear()
    bus.listen([Heartbeat.type], ear)
    return ear


async def test_it_lists_how_far_each_organisation_is(acme: Organisation, db: Database) -> None:
    other = await registered(acme.authz, "Other Crates")
    await acme.add()
    beat = await read(db)
    assert beat.complete
    assert beat.at == acme.authz.clock.now()
    assert {org: beat.revisions[org] for org in (acme.org, other.org)} == {
        acme.org: await acme.revision(),
        other.org: await other.revision(),
    }


async def test_what_changed_long_ago_is_left_out(acme: Organisation, db: Database, owner: Any) -> None:
    await owner.execute(
        "UPDATE organisation_revision SET changed_at = changed_at - interval '31 s' WHERE org = $1", acme.org
    )
    assert acme.org not in (await read(db)).revisions
    await acme.add()
    assert acme.org in (await read(db)).revisions


async def test_too_many_to_list_are_not_listed(
    acme: Organisation, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(acme.authz, "Other Crates")
    monkeypatch.setattr(heartbeat, "_MOST", 1)
    beat = await read(db)
    assert (beat.complete, beat.revisions) == (False, {})


async def test_every_process_beats_and_says_where_the_catalogue_is(authz: Authz) -> None:
    bus = MemoryBus()
    ear = listening(bus)
    await authz.replica(bus, role=Role.WORKER)
    await until(lambda: len(ear.beats) > 1)
    assert {beat.org for beat in ear.beats} == {UUID(int=0)}
    assert ear.beats[0].catalogue >= 1


async def test_a_database_that_is_away_stops_the_beats_until_it_is_back(
    acme: Organisation, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus()
    ear = listening(bus)
    await bus.start()
    tries = []

    async def failing(*_: object) -> Heartbeat:
        tries.append(1)
        raise Unavailable("database_away", "") if len(tries) < 3 else RuntimeError("something else")

    reads = heartbeat.read
    monkeypatch.setattr(heartbeat, "read", failing)
    async with beating(db, bus, every=0.01):
        await until(lambda: len(tries) > 4)
        assert not ear.beats
        monkeypatch.setattr(heartbeat, "read", reads)
        await until(lambda: ear.beats)
    count = len(ear.beats)
    await asyncio.sleep(0.05)
    assert len(ear.beats) == count, "and it ends with its service"
