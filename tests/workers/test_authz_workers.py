"""authz with two workers, as it is run: one migrates, both answer, and both hear of a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from deploy.local.rabbitmq import RabbitMQ
from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.clock import SystemClock
from shared.ids import RandomIds
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationRegistered,
    OrganisationState,
    StaffAdded,
    StaffState,
    StaffStatus,
)
from staffgate.contracts.level import Level
from tests.conftest import fresh_database
from tests.service.authz.conftest import ISSUER, FakeIdentity
from tests.workers.running import Running, running

IDS = RandomIds()


async def test_authz_with_two_workers(postgres: str, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    database, identity = await fresh_database(postgres, "authz"), FakeIdentity(SystemClock())
    async with (
        identity.served(),
        running(
            tmp_path,
            2,
            module="services.authz",
            database_url=database.app,
            migration_url=database.owner,
            amqp_url=rabbitmq.url,
            identity_url=identity.url,
            issuer=ISSUER,
            client_secret="secret",
        ) as authz,
    ):
        await authz.ready(2)
        migrations = authz.lines("migration.applied")
        assert migrations
        assert {line["worker"] for line in migrations} == {1}
        org, owner, jane = IDS.uuid(), _state(StaffType.OWNER), _state(StaffType.STANDARD)
        about = OrganisationState(name="ACME Crates", number=org.hex[:8], username=None, version=1)
        await _tell(
            rabbitmq,
            OrganisationRegistered(org=org, state=about),
            StaffAdded(org=org, state=owner),
            StaffAdded(org=org, state=jane),
        )
        token = identity.token(str(owner.staff), org=org, sid=IDS.uuid(), roles=[StaffType.OWNER])
        await _granted(authz, token, jane.staff, "use")
        await _everywhere(authz, identity.token("telephony"), org, jane.staff, True)
        await _granted(authz, token, jane.staff, "deny")
        await _everywhere(authz, identity.token("telephony"), org, jane.staff, False)
        figures = await authz.figures()
        assert all(figures["authz_mirror_questions_total", number] for number in "12")
        authz.process.terminate()
        assert await authz.ended() == 0


async def _tell(rabbitmq: RabbitMQ, *events: Event) -> None:
    bus = RabbitBus(rabbitmq.url, "identity")
    await bus.start()
    ids = [IDS.uuid() for _ in events]
    messages = [
        Message(id=str(id), type=event.type, body=encode(event, id, SystemClock().now()))
        for id, event in zip(ids, events, strict=True)
    ]
    assert all(await bus.publish(messages))
    await bus.close()
