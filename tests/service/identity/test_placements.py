"""Roles and team beside each account, as authz tells of them: the newest revision stays, and nothing else is touched."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio

from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.topology import IDENTITY_PLACEMENTS
from shared.ids import RandomIds
from staffgate.contracts.authz import Placement, PlacementsChanged
from tests.service.identity.conftest import Acme, Running, register

IDS = RandomIds()
Placed = tuple[UUID, list[str], str | None]


@pytest_asyncio.fixture
async def owner(identity: Running) -> AsyncIterator[Any]:
    """A connection as the owner of the tables."""
    connection = await asyncpg.connect(identity.owner_url)
    yield connection
    await connection.close()


def told(acme: Acme, revision: int, *placed: Placed) -> PlacementsChanged:
    placements = [Placement(staff=staff, roles=roles, team=team) for staff, roles, team in placed]
    return PlacementsChanged(org=acme.org, revision=revision, placements=placements)


async def tell(acme: Acme, owner: Any, *events: PlacementsChanged, one_by_one: bool = True) -> None:
    """As authz does, over the bus; each is handled before the next one comes, or all of them at once."""
    ids = [IDS.uuid() for _ in events]
    now = acme.identity.clock.now()
    messages = [
        Message(id=str(id), type=event.type, body=encode(event, id, now)) for id, event in zip(ids, events, strict=True)
    ]
    for number, batch in enumerate([[message] for message in messages] if one_by_one else [messages]):
        assert all(await acme.identity.bus.publish(batch))
        await handled(owner, ids[: number + 1] if one_by_one else ids)
    assert (await acme.identity.bus.counts())[IDENTITY_PLACEMENTS.name] == 0, "parked"


async def handled(owner: Any, ids: list[UUID]) -> None:
    async with asyncio.timeout(30):
        while await owner.fetchval("SELECT count(*) FROM inbox WHERE event_id = ANY($1)", ids) < len(ids):
            await asyncio.sleep(0.005)


async def shown(acme: Acme, staff: UUID) -> tuple[list[str], str | None]:
    answer = await acme.identity.ask("GET", f"/v1/staff/{staff}", token=acme.ray)
    assert answer.status == 200, answer.text
    return answer.json["roles"], answer.json["team"]


async def test_roles_and_team_are_shown_beside_each_account(acme: Acme, owner: Any) -> None:
    jane, luke = await acme.add(), await acme.add("Luke")
    assert await shown(acme, jane) == ([], None)
    await tell(acme, owner, told(acme, 3, (jane, ["Agent", "Basic User"], "Sales"), (luke, [], "ACME Crates")))
    assert await shown(acme, jane) == (["Agent", "Basic User"], "Sales")
    assert await shown(acme, luke) == ([], "ACME Crates")
    await tell(acme, owner, told(acme, 4, (jane, [], None)))
    assert (await shown(acme, jane), await shown(acme, luke)) == (([], None), ([], "ACME Crates"))


async def test_the_newest_revision_stays_in_any_order_and_however_often(acme: Acme, owner: Any) -> None:
    history = [(1, "Sales"), (2, "Support"), (3, "Sales Team")]
    for order in itertools.permutations([*history, history[0]]):
        jane = await acme.add(f"J{IDS.uuid().hex}")
        await tell(acme, owner, *(told(acme, revision, (jane, [team], team)) for revision, team in order))
        assert await shown(acme, jane) == (["Sales Team"], "Sales Team"), order


async def test_each_person_has_a_newest_of_their_own(acme: Acme, owner: Any) -> None:
    jane, luke = await acme.add(), await acme.add("Luke")
    await tell(acme, owner, told(acme, 5, (jane, ["Leader"], "Sales")))
    await tell(acme, owner, told(acme, 4, (jane, ["Agent"], "Sales"), (luke, ["Agent"], "Sales")))
    assert (await shown(acme, jane), await shown(acme, luke)) == ((["Leader"], "Sales"), (["Agent"], "Sales"))


async def test_who_is_not_known_here_is_left_out(acme: Acme, owner: Any) -> None:
    jane, nobody = await acme.add(), IDS.uuid()
    await tell(acme, owner, told(acme, 2, (nobody, ["Agent"], "Sales"), (jane, ["Agent"], "Sales")))
    await tell(acme, owner, told(acme, 3))
    assert await shown(acme, jane) == (["Agent"], "Sales")
    assert await owner.fetchval("SELECT count(*) FROM staff WHERE id = $1", nobody) == 0


async def test_of_another_organisation_nobody_is_touched(acme: Acme, owner: Any) -> None:
    other = await register(acme.identity, "Other Crates")
    luke = await other.add("Luke")
    await tell(acme, owner, told(acme, 99, (luke, ["Admin"], "Sales")))
    assert await shown(other, luke) == ([], None)


async def test_it_is_no_change_to_the_account(acme: Acme, owner: Any) -> None:
    """Neither its version nor anything else of it, nor an event, nor an entry in the log."""
    jane = await acme.add()
    columns = "to_jsonb(staff) - '{role_names,role_key,team_name,team_key,placed_revision}'::text[]"
    read = f"SELECT {columns} FROM staff WHERE id = $1"
    before = await owner.fetchval(read, jane), await owner.fetchval("SELECT count(*) FROM audit")
    events = await owner.fetchval("SELECT count(*) FROM outbox")
    await tell(acme, owner, told(acme, 3, (jane, ["Agent"], "Sales")))
    assert (await owner.fetchval(read, jane), await owner.fetchval("SELECT count(*) FROM audit")) == before
    assert await owner.fetchval("SELECT count(*) FROM outbox") == events


async def test_any_text_is_only_text(acme: Acme, owner: Any) -> None:
    jane, odd = await acme.add(), ['{"a", NULL}', "O'Neill", "=1+1", "Ünïcode ☎", "a,b", ""]
    await tell(acme, owner, told(acme, 3, (jane, odd, "'); DROP TABLE staff; --")))
    assert await shown(acme, jane) == (odd, "'); DROP TABLE staff; --")


async def test_many_at_once_and_changes_to_the_same_people_hold_nobody_up(acme: Acme, owner: Any) -> None:
    """Batches that overlap, in whatever order each names its people, while their accounts are changed."""
    people = [await acme.add(f"P{number}") for number in range(12)]
    people += [await acme.add(f"A{number}", type="administrator") for number in range(4)]
    batches = []
    for revision in range(1, 31):
        order = people[revision % 5 :] if revision % 2 else people[::-1]
        batches.append(told(acme, revision, *((one, [f"Role {revision}"], "Sales") for one in order)))
    batches.append(told(acme, 31, *((one, ["Last"], "Sales") for one in people)))

    async def change() -> None:
        for one in people:
            answer = await acme.identity.post(f"/v1/staff/{one}/suspend", token=acme.ray)
            assert answer.status in (200, 409), answer.text

    await asyncio.gather(tell(acme, owner, *batches, one_by_one=False), change())
    assert {tuple((await shown(acme, one))[0]) for one in people} == {("Last",)}
