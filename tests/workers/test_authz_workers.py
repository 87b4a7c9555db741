"""authz with two workers, as it is run: one migrates, both answer, and both hear of a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.rabbitmq import RabbitMQ
from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.rabbit import RabbitBus
from shared.clock import SystemClock
from shared.ids import RandomIds
from staffgate.contracts.event import Event
from staffgate.contracts.identity import OrganisationRegistered, OrganisationState, StaffAdded
from tests.conftest import fresh_database
from tests.service.authz.conftest import ISSUER, FakeIdentity, state, until
from tests.workers.running import Running, running

IDS = RandomIds()


async def test_both_answer_and_both_hear_of_a_change(postgres: str, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    database, identity = await fresh_database(postgres, "authz"), FakeIdentity(SystemClock())
    settings: dict[str, Any] = {"database_url": database.app, "migration_url": database.owner, "amqp_url": rabbitmq.url}
    org, ray, jane = IDS.uuid(), state("owner", default="full", route_anywhere=True), state()
    async with identity.served():
        settings |= {"identity_url": identity.url, "issuer": ISSUER, "client_secret": "secret"}
        async with running(tmp_path, 2, module="services.authz", **settings) as authz:
            await authz.ready(2)
            migrations = authz.lines("migration.applied")
            assert migrations
            assert {line["worker"] for line in migrations} == {1}
            about = OrganisationState(name="ACME Crates", number=org.hex[:8], username=None, version=1)
            found = OrganisationRegistered(org=org, state=about)
            await tell(rabbitmq, found, *(StaffAdded(org=org, state=one) for one in (ray, jane)))
            asker = Asker(authz, identity, identity.token(str(ray.staff), org=org, sid=IDS.uuid(), roles=[ray.type]))
            for level, allowed in (("use", True), ("deny", False)):
                await asker.grant(str(jane.staff), level)
                await asker.until_all_say(str(jane.staff), allowed)
            figures = await authz.figures()
            assert all(figures["authz_mirror_questions_total", number] for number in "12")
            authz.process.terminate()
            assert await authz.ended() == 0


async def tell(rabbitmq: RabbitMQ, *events: Event) -> None:
    bus, now = RabbitBus(rabbitmq.url, "identity"), SystemClock().now()
    await bus.start()
    await until(lambda: bus.connected)
    for event in events:
        id = IDS.uuid()
        assert all(await bus.publish([Message(id=str(id), type=event.type, body=encode(event, id, now))]))
    await bus.close()


class Asker:
    """Each question on a connection of its own."""

    def __init__(self, authz: Running, identity: FakeIdentity, rays: str) -> None:
        self._authz = authz
        self._rays = rays
        self._product = identity.token("telephony")

    async def grant(self, jane: str, level: str) -> None:
        body = {"target": {"section": "sms"}, "level": level}
        statuses = []
        while 200 not in statuses:  # authz has not heard of the two at first
            statuses.append((await self._ask("PUT", f"/v1/staff/{jane}/grants", self._rays, body))[0])
            assert len(statuses) < 500, statuses[-1]

    async def until_all_say(self, jane: str, allowed: bool) -> None:
        said: list[bool] = []
        while said[-30:] != [allowed] * 30:
            said.append(await self._allowed(jane))
            assert len(said) < 2000

    async def _allowed(self, jane: str) -> bool:
        question = {
            "subject": {"type": "staff", "id": jane},
            "action": {"name": "sms.send"},
            "resource": {"type": "section", "id": "sms"},
        }
        status, answer = await self._ask("POST", "/access/v1/evaluation", self._product, question)
        assert status == 200, answer
        return bool(answer["decision"])

    async def _ask(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self._authz.url + path, headers=headers, json=body) as response,
        ):
            return response.status, await response.json(content_type=None)
