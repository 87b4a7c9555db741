"""What identity tells: twice, late, before its time, or with something missing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from shared.bus import topology
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationRegistered,
    OrganisationState,
    SessionsEnded,
    StaffActivated,
    StaffAdded,
    StaffReactivated,
    StaffState,
    StaffStatus,
    StaffSuspended,
)
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, named, registered, state, until


async def handled(authz: Authz, owner: Any, *ids: UUID) -> None:
    """Wait until the consumer has dealt with these events."""
    async with asyncio.timeout(30):
        while await owner.fetchval("SELECT count(*) FROM inbox WHERE event_id = ANY($1)", list(ids)) < len(ids):
            await asyncio.sleep(0.005)
    assert (await authz.bus.counts())[topology.AUTHZ_STAFF.name] == 0, "parked"


async def revision(owner: Any, org: UUID) -> int | None:
    found: int | None = await owner.fetchval("SELECT revision FROM organisation_revision WHERE org = $1", org)
    return found


def at(someone: StaffState, version: int, status: StaffStatus) -> StaffState:
    return msgspec.structs.replace(someone, version=version, status=status)


async def test_an_organisation_is_known_from_whichever_event_comes_first(authz: Authz, owner: Any) -> None:
    org, ray = IDS.uuid(), state("owner")
    about = OrganisationState(name="ACME Crates", number="1", username=None, version=1)
    ids = [IDS.uuid() for _ in range(4)]
    history: list[Event] = [
        StaffAdded(org=org, state=ray),
        named(org),
        OrganisationRegistered(org=org, state=about),
        StaffActivated(org=org, state=at(ray, 2, StaffStatus.ACTIVE)),
    ]
    for id, event in zip(ids, history, strict=True):
        await authz.publish(event, id=id)
        await handled(authz, owner, id)
    assert await revision(owner, org) == 3
    await authz.told(org, 3)
    assert [(told.previous, told.revision, told.people) for told in authz.heard.of(org)] == [
        (0, 1, [ray.staff]),
        (1, 2, []),  # its root team is called as it is
        (2, 3, [ray.staff]),
    ]


async def test_an_event_that_comes_again_changes_nothing(acme: Organisation, owner: Any) -> None:
    jane = await acme.add()
    before = await revision(owner, acme.org)
    event, same, other = StaffAdded(org=acme.org, state=jane.state), IDS.uuid(), IDS.uuid()
    for id in (same, same, other):
        await acme.authz.publish(event, id=id)
    await handled(acme.authz, owner, same, other)
    assert await revision(owner, acme.org) == before


async def test_the_newest_version_wins_in_any_order(acme: Organisation, owner: Any) -> None:
    jane = state("standard", "invited", default="full")
    history = [
        StaffAdded(org=acme.org, state=jane),
        StaffActivated(org=acme.org, state=at(jane, 2, StaffStatus.ACTIVE)),
        StaffSuspended(org=acme.org, state=at(jane, 3, StaffStatus.SUSPENDED)),
    ]
    for event in (history[1], history[0]):
        id = IDS.uuid()
        await acme.authz.publish(event, id=id)
        await handled(acme.authz, owner, id)
        assert await acme.may(jane.staff, "sms.read", "inbox:sales")
    ids = [IDS.uuid() for _ in range(3)]
    for id, event in zip(ids, reversed(history), strict=True):
        await acme.authz.publish(event, id=id)
    await handled(acme.authz, owner, *ids)
    answer = await acme.explained(jane.staff, "sms.read", "inbox:sales")
    assert (answer.json["decision"], answer.json["context"]["reason"]) == (False, "account_suspended")


async def test_all_at_once_each_change_has_a_revision_of_its_own(authz: Authz, owner: Any) -> None:
    org = IDS.uuid()
    people = [state() for _ in range(40)]
    ids = [IDS.uuid() for _ in people]
    for id, one in zip(ids, people, strict=True):
        await authz.publish(StaffAdded(org=org, state=one), id=id)
    await handled(authz, owner, *ids)
    assert await revision(owner, org) == 40
    told = await authz.told(org, 40)
    assert [(event.previous, event.revision) for event in told] == [(n, n + 1) for n in range(40)]


async def test_step_8_a_suspended_person_is_refused_everything_until_reactivated(acme: Organisation) -> None:
    jane = await acme.add(default="full")
    own = ("GET", "/v1/me/permissions")
    assert await acme.may(jane, "sms.send", "inbox:sales")
    assert (await acme.authz.ask(*own, token=jane.token)).status == 200
    await acme.authz.publish(SessionsEnded(org=acme.org, staff=jane.id, sessions=[jane.session]))
    await jane.becomes(StaffSuspended, status=StaffStatus.SUSPENDED)
    assert (await acme.authz.ask(*own, token=jane.token)).problem == (401, "token_refused")
    answer = await acme.explained(jane, "sms.send", "inbox:sales")
    assert (answer.json["decision"], answer.json["context"]["reason"]) == (False, "account_suspended")
    assert await acme.found(jane, "sms.read") == []
    await jane.becomes(StaffReactivated, status=StaffStatus.ACTIVE)
    assert await acme.may(jane, "sms.send", "inbox:sales")
    assert (await acme.authz.ask(*own, token=jane.token)).status == 401, "what ended stays ended"
    jane.session = IDS.uuid()
    assert (await acme.authz.ask(*own, token=jane.token)).status == 200


async def test_sessions_that_ended_before_this_replica_came_are_refused(acme: Organisation) -> None:
    jane = await acme.add()
    acme.authz.identity.ended.append(jane.session)
    late = await acme.authz.replica()
    assert (await late.ask("GET", "/v1/me/permissions", token=jane.token)).problem == (401, "token_refused")


# --- what identity has just made ------------------------------------------------------------------------------


async def test_a_grant_to_somebody_just_made_waits_for_them(acme: Organisation) -> None:
    jane = Someone(acme.authz, acme.org, state(), IDS.uuid())
    asked = asyncio.create_task(acme.grant(jane, "use"))
    await until(lambda: waiting(acme.authz) or asked.done())
    await acme.authz.publish(StaffAdded(org=acme.org, state=jane.state))
    answer = await asked
    assert (answer.status, answer.json["grant"]["level"]) == (200, "use"), answer.text


async def test_an_item_of_an_organisation_just_made_waits_for_it(authz: Authz) -> None:
    org = IDS.uuid()
    path = f"/v1/organisations/{org}/items/inbox/sales"
    asked = asyncio.create_task(
        authz.ask("PUT", path, token=authz.product, json={"section": "sms", "label": "Sales Team"})
    )
    await until(lambda: waiting(authz) or asked.done())
    about = OrganisationState(name="ACME Crates", number="1", username=None, version=1)
    await authz.publish(OrganisationRegistered(org=org, state=about))
    answer = await asked
    assert (answer.status, answer.json["label"]) == (200, "Sales Team"), answer.text


async def test_an_owner_just_made_waits_for_their_own_account(authz: Authz) -> None:
    org = IDS.uuid()
    acme = Organisation(authz, org, Someone(authz, org, state("owner"), IDS.uuid()))
    jane = await acme.add()
    asked = asyncio.create_task(acme.grant(jane, "use"))
    await until(lambda: waiting(authz) or asked.done())
    await authz.publish(StaffAdded(org=org, state=acme.ray.state))
    assert (await asked).status == 200


async def test_whoever_never_comes_is_not_found(acme: Organisation) -> None:
    nobody = Someone(acme.authz, acme.org, state(), IDS.uuid())
    assert (await acme.grant(nobody, "use")).problem == (404, "not_found")
    path = f"/v1/organisations/{IDS.uuid()}/items/inbox/sales"
    body = {"section": "sms", "label": "Sales"}
    answer = await acme.authz.ask("PUT", path, token=acme.authz.product, json=body)
    assert answer.problem == (404, "not_found")
    jane = await acme.add()
    unknown = Someone(acme.authz, acme.org, state("owner"), IDS.uuid())
    assert (await acme.grant(jane, "use", by=unknown)).problem == (503, "account_unknown")


def waiting(authz: Authz) -> bool:
    """Does a request wait for news?"""
    return any(task.get_coro().__qualname__ == "Event.wait" for task in asyncio.all_tasks())  # type: ignore[union-attr]


async def test_the_type_of_an_account_counts_from_its_newest_version(acme: Organisation) -> None:
    laya = await acme.add("administrator")
    assert await acme.may(laya, "sms.delete", "inbox:sales")
    await laya.becomes(StaffActivated, type=StaffType.STANDARD)
    assert not await acme.may(laya, "sms.delete", "inbox:sales")


async def test_two_organisations_have_revisions_of_their_own(authz: Authz, owner: Any) -> None:
    first, second = await registered(authz), await registered(authz, "Other Crates")
    before = await revision(owner, second.org)
    await first.add()
    assert await revision(owner, second.org) == before
