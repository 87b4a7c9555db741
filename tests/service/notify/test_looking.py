"""GET /v1/deliveries: who sees which, and what is not in it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from services.notify.app import LANES
from shared.service import Role
from staffgate.contracts.caller import StaffType
from tests.service.notify.conftest import ACME, IDS, JANE, RAY, Running, code_issued, link_issued, until

OTHER_ORG, EVE = IDS.uuid(), IDS.uuid()


async def get(notify: Running, token: str = "", **query: object) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    params = {name: str(value) for name, value in query.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{notify.url}/v1/deliveries", headers=headers, params=params) as response,
    ):
        return response.status, await response.json(content_type=None)


async def ready(notify: Running) -> dict[str, Any] | None:
    async with aiohttp.ClientSession() as session, session.get(f"{notify.url}/readyz") as response:
        found: dict[str, Any] = await response.json()
        return found if response.status == 200 else None


@pytest_asyncio.fixture
async def sent(notify: Running) -> Running:
    """Two messages to Jane, one to Ray, and one to Eve of another organisation."""
    code = code_issued(notify.clock)
    await notify.publish(code)
    await notify.row(code.code, "sent")
    for staff, org in ((JANE, ACME), (RAY, ACME), (EVE, OTHER_ORG)):
        notify.clock.advance(seconds=1)
        link = link_issued(notify.clock, staff=staff, org=org)
        await notify.publish(link)
        await notify.row(link.link, "sent")
    await until(lambda: ready(notify))
    return notify


def staff_of(answer: Any) -> list[UUID]:
    return [UUID(delivery["staff"]) for delivery in answer["deliveries"]]


async def test_everybody_sees_their_own(sent: Running) -> None:
    jane = sent.token(JANE, StaffType.STANDARD)
    for query in ({}, {"staff": JANE}):
        status, answer = await get(sent, jane, **query)
        assert (status, staff_of(answer)) == (200, [JANE, JANE])
    newest, oldest = answer["deliveries"]
    assert (newest["template"], newest["channel"], newest["state"], newest["attempts"]) == (
        "activate",
        "email",
        "sent",
        1,
    )
    assert (oldest["template"], oldest["channel"]) == ("code", "sms")
    assert "acme.example" not in json.dumps(answer)
    assert "sealed" not in newest


async def test_a_standard_user_learns_nothing_of_others(sent: Running) -> None:
    jane = sent.token(JANE, StaffType.STANDARD)
    answers = [await get(sent, jane, staff=staff) for staff in (RAY, EVE, IDS.uuid())]
    assert [status for status, _ in answers] == [404] * 3
    assert len({json.dumps(answer, sort_keys=True) for _, answer in answers}) == 1


@pytest.mark.parametrize("type", [StaffType.OWNER, StaffType.ADMINISTRATOR])
async def test_administrators_see_their_organisation_and_no_other(sent: Running, type: StaffType) -> None:
    ray = sent.token(RAY, type)
    assert staff_of((await get(sent, ray))[1]) == [RAY, JANE, JANE]
    assert staff_of((await get(sent, ray, staff=JANE))[1]) == [JANE, JANE]
    assert staff_of((await get(sent, ray, limit=1))[1]) == [RAY]
    assert (
        await get(sent, ray, staff=EVE)
        == await get(sent, ray, staff=IDS.uuid())
        == (200, {"deliveries": [], "next": None})
    )


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"staff": "jane"}, {"org": str(OTHER_ORG)}]
)
async def test_what_makes_no_sense_is_told(sent: Running, query: dict[str, Any]) -> None:
    status, problem = await get(sent, sent.token(RAY, StaffType.OWNER), **query)
    assert status == 422
    assert problem["type"] == "urn:staffgate:problem:invalid"


async def test_only_people_may_ask(sent: Running) -> None:
    assert (await get(sent))[0] == 401
    assert (await get(sent, "x.y.z"))[0] == 401


async def test_the_wall_stands_behind_the_queries(sent: Running, database: Any) -> None:
    """A query that forgot its organisation would still see one only."""
    app = await asyncpg.connect(database.app)
    async with app.transaction():
        assert await app.fetchval("SELECT count(*) FROM delivery") == 0
        await app.execute(f"SET LOCAL app.org = '{ACME}'")
        assert await app.fetchval("SELECT count(*) FROM delivery") == 3
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("UPDATE delivery SET org = $1", OTHER_ORG)
        await app.execute(f"SET LOCAL app.org = '{IDS.uuid()}'")
        assert await app.execute("DELETE FROM delivery") == "DELETE 0"
    await app.close()


async def test_each_role_does_its_own_work(surroundings: Running) -> None:
    await surroundings.start(Role.HTTP)
    event = link_issued(surroundings.clock)
    await surroundings.publish(event)
    asked = await until(lambda: ready(surroundings))
    assert set(asked["checks"]) == {"database", "bus", "access"}
    assert await surroundings.rows() == []
    await surroundings.start(Role.WORKER)
    await surroundings.row(event.link, "sent")
    asked = await until(lambda: ready(surroundings))
    assert set(asked["checks"]) == {"database", "bus"} | {f"dispatcher.{lane}" for lane in LANES}
    assert (await get(surroundings))[0] == 404
