"""What products tell of their items over the bus: twice, late, before its time, or wrong."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from shared.bus import topology
from shared.bus.memory import MemoryBus
from staffgate.contracts.event import Event
from staffgate.contracts.identity import OrganisationRegistered, OrganisationState, StaffAdded
from staffgate.contracts.items import ItemRegistered, ItemRemoved, ItemState
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, registered, state, until

QUEUE = topology.AUTHZ_ITEMS.name


@pytest_asyncio.fixture
async def authz(authz: Authz) -> Authz:
    """Retried at once, where it is retried at all."""
    assert authz.first is not None
    await authz.first.stop()
    authz.bus = MemoryBus(tiers=(0.05, 0.1))
    authz.bus.listen(["authz.permissions.changed.v1"], authz.heard)
    authz.first = await authz.replica()
    return authz


def told(
    acme: Organisation, version: int, label: str = "Sales Team", id: str = "sales", **about: Any
) -> ItemRegistered:
    item = {"type": "inbox", "id": id, "version": version, "section": "sms", "label": label} | about
    return ItemRegistered(org=acme.org, product="sms", state=msgspec.convert(item, ItemState))


def removed(acme: Organisation, version: int, id: str = "sales") -> ItemRemoved:
    return ItemRemoved(org=acme.org, product="sms", item_type="inbox", item=id, version=version)


async def handled(acme: Organisation, owner: Any, *events: Event, ids: list[UUID] | None = None) -> None:
    """One after the other, each dealt with before the next is told."""
    for number, event in enumerate(events):
        id = ids[number] if ids else IDS.uuid()
        await acme.authz.publish(event, id=id)
        async with asyncio.timeout(30):
            while not await owner.fetchval("SELECT count(*) FROM inbox WHERE event_id = $1", id):
                await asyncio.sleep(0.005)
    assert (await acme.authz.bus.counts())[QUEUE] == 0, "parked"


async def parked(acme: Organisation, event: Event) -> str:
    """Why it was put aside."""
    id = IDS.uuid()
    await acme.authz.publish(event, id=id)

    async def found() -> str | None:
        return next((one.error for one in await acme.authz.bus.list(QUEUE) if one.id == str(id)), None)

    async with asyncio.timeout(30):
        while (error := await found()) is None:
            await asyncio.sleep(0.005)
    return error


async def present(acme: Organisation) -> dict[str, str]:
    path = f"/v1/organisations/{acme.org}/items?type=inbox"
    answer = await acme.authz.ask("GET", path, token=acme.authz.product)
    return {item["id"]: item["label"] for item in answer.json["items"]}


async def test_an_item_that_was_told_of_can_be_granted_and_found(acme: Organisation, owner: Any) -> None:
    jane = await acme.add()
    start, before = await acme.revision(), len(acme.authz.heard.of(acme.org))
    await handled(acme, owner, told(acme, 1))
    assert (await acme.grant(jane, "use", item="inbox:sales")).status == 200
    assert await acme.found(jane, "sms.send") == ["inbox:sales"]
    [event, *_] = (await acme.authz.told(acme.org, before + 1))[before:]
    assert (event.revision, event.people, event.types) == (start + 1, [], ("inbox",))
    await handled(acme, owner, removed(acme, 2))
    assert await acme.found(jane, "sms.send") == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_version_wins_in_any_order(acme: Organisation, owner: Any, order: tuple[int, ...]) -> None:
    history = [told(acme, 1, "Sales"), removed(acme, 2), told(acme, 3, "Sales again")]
    await handled(acme, owner, *(history[number] for number in order))
    assert await present(acme) == {"sales": "Sales again"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_what_was_removed_stays_removed_in_any_order(
    acme: Organisation, owner: Any, order: tuple[int, ...]
) -> None:
    history = [told(acme, 1, "Sales"), told(acme, 2, "Sales Team"), removed(acme, 3)]
    await handled(acme, owner, *(history[number] for number in order))
    assert await present(acme) == {}


async def test_an_event_that_comes_again_changes_nothing(acme: Organisation, owner: Any) -> None:
    id = IDS.uuid()
    await handled(acme, owner, told(acme, 1), ids=[id])
    start = await acme.revision()
    await handled(acme, owner, told(acme, 1), ids=[id])
    await handled(acme, owner, told(acme, 1), told(acme, 2), told(acme, 3))
    assert await acme.revision() == start, "a higher version that says the same"
    await handled(acme, owner, told(acme, 2, "Late"))
    assert await present(acme) == {"sales": "Sales Team"}


async def test_a_request_counts_on_from_what_was_told(acme: Organisation, owner: Any) -> None:
    await handled(acme, owner, told(acme, 5))
    await acme.register("inbox:sales")
    await handled(acme, owner, told(acme, 4, "Late"))
    assert await present(acme) == {"sales": "Sales"}
    await handled(acme, owner, told(acme, 6, "Newer"))
    assert await present(acme) == {"sales": "Newer"}


async def test_what_an_organisation_does_not_have_is_put_aside(acme: Organisation) -> None:
    start = await acme.revision()
    for about, error in (
        ({"team": str(IDS.uuid())}, "unknown_team"),
        ({"tenant": "beta"}, "unknown_tenant"),
        ({"contract": "9"}, "unknown_contract"),
        ({"channel": "pigeon"}, "unknown_channel"),
        ({"section": "smoke"}, "unknown_section"),
        ({"section": "contacts"}, "wrong_section"),
        ({"type": "crate"}, "unknown_item_type"),
        ({"type": "number"}, "others_items"),
        ({"type": "channel"}, "fixed_items"),
        ({"id": "x" * 198}, "item_name_too_long"),
    ):
        assert error in await parked(acme, told(acme, 1, **({"id": "sales"} | about)))
    assert "others_items" in await parked(acme, msgspec.structs.replace(told(acme, 1), product="contacts"))
    assert "others_items" in await parked(acme, msgspec.structs.replace(removed(acme, 1), product="contacts"))
    assert await acme.revision() == start


async def test_an_owner_who_is_on_the_way_is_waited_for(acme: Organisation) -> None:
    jane = Someone(acme.authz, acme.org, state(), IDS.uuid())
    await acme.authz.publish(told(acme, 1, owner=str(jane.id)))
    await acme.authz.publish(StaffAdded(org=acme.org, state=jane.state))
    await until(lambda: any(event.types == ("inbox",) for event in acme.authz.heard.of(acme.org)))
    assert await present(acme) == {"sales": "Sales Team"}


async def test_an_owner_who_never_comes_is_put_aside(acme: Organisation) -> None:
    other = await registered(acme.authz, "Other Crates")
    assert "unknown_owner" in await parked(acme, told(acme, 1, owner=str(IDS.uuid())))
    assert "unknown_owner" in await parked(acme, told(acme, 1, owner=str(other.ray.id)))
    assert await present(acme) == {}


async def test_an_organisation_that_is_on_the_way_is_waited_for(acme: Organisation) -> None:
    org = IDS.uuid()
    later = msgspec.structs.replace(told(acme, 1), org=org)
    await acme.authz.publish(later)
    about = OrganisationState(name="Other Crates", number="1", username=None, version=1)
    await acme.authz.publish(OrganisationRegistered(org=org, state=about))
    await until(lambda: any(event.types == ("inbox",) for event in acme.authz.heard.of(org)))
    assert "not_found" in await parked(acme, msgspec.structs.replace(later, org=IDS.uuid()))
