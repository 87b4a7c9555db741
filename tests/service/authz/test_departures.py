"""People who are deleted, whose type changes, and organisations that are closed: at once, everywhere, whatever the order."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationRegistered,
    OrganisationState,
    StaffActivated,
    StaffAdded,
    StaffChanged,
    StaffDeleted,
    StaffEvent,
    StaffImported,
    StaffReactivated,
    StaffState,
    StaffStatus,
    StaffSuspended,
)
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, registered, state
from tests.service.authz.office import Office, change, on
from tests.service.authz.telling import Telling, closed, deleted, listening, telling

KEPT = (
    "permission_grant", "assignment", "product_access", "tenant_member", "group_member", "subscriber_link", "team_member",
)  # fmt: skip


@pytest_asyncio.fixture
async def tell(authz: Authz) -> AsyncIterator[Telling]:
    async with telling(authz) as told:
        yield told


async def rows_of(owner: Any, staff: UUID) -> dict[str, int]:
    counted = {table: await owner.fetchval(f"SELECT count(*) FROM {table} WHERE staff = $1", staff) for table in KEPT}
    return {table: count for table, count in counted.items() if count}


async def endowed(acme: Organisation) -> Someone:
    """Jane, with something of everything."""
    await acme.register("inbox:sales")
    jane, office = await acme.add(default="read"), Office(acme)
    group = (await office.one("add_group", name="Support"))["id"]
    await office.team("Sales", None, jane)
    await office.made(
        change("set_grant", staff=jane, target=on("sms", item="inbox:sales"), level="full"),
        change("assign_role", staff=jane, role="agent"),
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("add_group_members", group=group, staff=[jane]),
        change("link_subscriber", staff=jane, subscriber="101"),
    )
    return jane


# --- deleted --------------------------------------------------------------------------------------------------


async def test_who_is_deleted_may_nothing_and_is_found_nowhere(acme: Organisation, owner: Any) -> None:
    jane, office = await endowed(acme), Office(acme)
    second = await acme.authz.replica()
    question = ("sms.read", "inbox:sales")
    assert await acme.may(jane, *question)
    assert (await acme.explained(jane, *question, on=second)).json["decision"]
    assert len(await rows_of(owner, jane.id)) == len(KEPT)
    recorded = len(await office.audit(person=jane.id))
    await jane.becomes(StaffDeleted, status=StaffStatus.DELETED)
    for replica in (None, second):
        answer = (await acme.explained(jane, *question, on=replica)).json
        assert (answer["decision"], answer["context"]["reason"]) == (False, "account_inactive")
    assert await rows_of(owner, jane.id) == {}
    assert await acme.found(jane, "sms.read") == []
    assert await holders(acme, *question) == {str(acme.ray.id)}
    for path in ("subject", "grants", "roles", "subscribers", "permissions", "sections/sms/permissions"):
        answer = await office.ask("GET", f"/v1/staff/{jane.id}/{path}")
        assert answer.status == 404, path
    assert str(jane.id) not in (await office.ask("GET", "/v1/teams")).text
    assert str(jane.id) not in (await office.ask("GET", "/v1/tenants/acme")).text
    assert str(jane.id) not in (await office.ask("GET", "/v1/contracts/7/access")).text
    assert len(await office.audit(person=jane.id)) == recorded, "the log keeps how it was"


async def holders(acme: Organisation, action: str, resource: str) -> set[str]:
    type, _, id = resource.partition(":")
    body = {
        "subject": {"type": "staff"},
        "action": {"name": action},
        "resource": {"type": type, "id": id},
        "context": {"organisation": str(acme.org)},
    }
    answer = await acme.authz.ask("POST", "/access/v1/search/subject", token=acme.authz.product, json=body)
    return {one["id"] for one in answer.json["results"]}


async def test_nobody_gives_anything_to_who_is_deleted(acme: Organisation) -> None:
    jane, office = await endowed(acme), Office(acme)
    group = (await office.one("add_group", name="Others"))["id"]
    await jane.becomes(StaffDeleted, status=StaffStatus.DELETED)
    for kind, fields in (
        ("set_grant", {"target": on("sms"), "level": "use"}),
        ("assign_role", {"role": "agent"}),
        ("set_access", {"contract": "7", "product": "telephony", "level": "user"}),
        ("link_subscriber", {"subscriber": "101"}),
        ("set_default_level", {"level": "full"}),
    ):
        assert await office.refused(kind, staff=jane, **fields) == (404, "not_found"), kind
    root = await office.root()
    for kind, fields in (
        ("place_members", {"team": root}),
        ("add_group_members", {"group": group}),
        ("add_tenant_members", {"tenant": "acme"}),
    ):
        assert await office.refused(kind, staff=[jane], **fields) == (404, "not_found"), kind


async def test_who_is_deleted_gives_nothing_any_more(acme: Organisation) -> None:
    leia, jane = await acme.add("administrator"), await acme.add()
    await leia.becomes(StaffDeleted, status=StaffStatus.DELETED)
    assert (await acme.grant(jane, "use", by=leia)).problem == (403, "not_permitted")


async def test_what_is_open_on_a_deleted_person_does_not_hold_up_their_team(acme: Organisation) -> None:
    """A team whose last member was deleted is empty."""
    jane, office = await endowed(acme), Office(acme)
    team = office.teams.get("Sales") or next(
        one["id"] for one in (await office.get("/v1/teams"))["root"]["teams"] if one["name"] == "Sales"
    )
    assert await office.refused("delete_team", team=team) == (409, "team_not_empty")
    await jane.becomes(StaffDeleted, status=StaffStatus.DELETED)
    await office.one("delete_team", team=team)


# --- whatever the order ---------------------------------------------------------------------------------------


@dataclass
class Life:
    """Everything that can be told of one person, each with its version."""

    org: UUID
    start: StaffState
    team: UUID
    by: UUID

    @property
    def events(self) -> list[StaffEvent]:
        staff, org = self.start, self.org

        def at(version: int, status: str, type: str = "standard") -> StaffState:
            changes = {"version": version, "status": StaffStatus(status), "type": StaffType(type)}
            return msgspec.structs.replace(staff, **changes)

        return [
            StaffImported(org=org, state=at(1, "invited"), by=self.by, role="agent", team=self.team),
            StaffActivated(org=org, state=at(2, "active")),
            StaffChanged(org=org, state=at(3, "active", "administrator")),
            StaffSuspended(org=org, state=at(4, "suspended", "administrator")),
            StaffReactivated(org=org, state=at(5, "active", "administrator")),
            StaffChanged(org=org, state=at(6, "active")),
            StaffDeleted(org=org, state=at(7, "deleted")),
        ]


async def test_in_any_order_and_however_often_the_same_comes_of_it(
    acme: Organisation, tell: Telling, owner: Any
) -> None:
    """Any of the events, in any order, some of them twice or three times: what is there depends on which came."""
    office, dice = Office(acme), random.Random(4)  # noqa: S311 - chance, not a secret
    sales = UUID(await office.team("Sales"))
    for _ in range(80):
        life = Life(acme.org, state("standard", "invited"), sales, acme.ray.id)
        every = life.events
        told = dice.sample(every, dice.randint(1, len(every)))
        told += dice.choices(told, k=dice.randint(0, 4))
        dice.shuffle(told)
        await tell(*told)
        staff, newest = life.start.staff, max(told, key=lambda event: event.state.version).state
        row = await owner.fetchrow("SELECT type, status, version FROM subject WHERE staff = $1", staff)
        assert tuple(row) == (newest.type, newest.status, newest.version), told
        rows = await rows_of(owner, staff)
        imported = any(isinstance(event, StaffImported) for event in told)
        if newest.status is StaffStatus.DELETED:
            assert rows == {}, told
        else:
            assert rows == {"team_member": 1} | ({"assignment": 1} if imported else {}), told
            team = await owner.fetchval("SELECT team FROM team_member WHERE staff = $1", staff)
            assert (team == sales) is imported, told
        reason = (await acme.explained(staff, "portal.login", "section:portal")).json["context"]["reason"]
        assert (reason == "account_inactive") is (newest.status in (StaffStatus.DELETED, StaffStatus.INVITED)), told


async def test_nothing_revives_who_was_deleted_not_even_a_newer_version(
    acme: Organisation, tell: Telling, owner: Any
) -> None:
    jane = state()
    await tell(StaffDeleted(org=acme.org, state=deleted(jane, 2)))
    later = msgspec.structs.replace(jane, version=9)
    await tell(
        StaffAdded(org=acme.org, state=jane),
        StaffReactivated(org=acme.org, state=later),
        StaffImported(org=acme.org, state=later, by=acme.ray.id, role="admin", team=None),
    )
    assert await owner.fetchval("SELECT status FROM subject WHERE staff = $1", jane.staff) == "deleted"
    assert await rows_of(owner, jane.staff) == {}
    assert not await acme.may(jane.staff, "sms.read", "inbox:sales")


async def test_a_deletion_with_an_older_version_still_deletes(acme: Organisation, tell: Telling) -> None:
    jane = state(default="full", version=5)
    await tell(StaffAdded(org=acme.org, state=jane))
    assert await acme.may(jane.staff, "sms.read", "inbox:sales")
    await tell(StaffDeleted(org=acme.org, state=deleted(jane, 5)))
    answer = (await acme.explained(jane.staff, "sms.read", "inbox:sales", min_revision=await acme.revision())).json
    assert (answer["decision"], answer["context"]["reason"]) == (False, "account_inactive")


async def test_told_again_it_raises_nothing(acme: Organisation, tell: Telling) -> None:
    jane = await acme.add()
    gone = StaffDeleted(org=acme.org, state=deleted(jane.state, 2))
    await tell(gone)
    before = await acme.revision()
    await tell(gone, closed(acme.org))
    assert (await acme.authz.told(acme.org, before + 1))[-1].revision == before + 1
    await tell(closed(acme.org), gone, closed(acme.org))
    assert await acme_revision(acme, tell) == before + 1


async def acme_revision(acme: Organisation, tell: Telling) -> int:
    async with tell.consumer._db.begin(acme.org) as tx:
        found: int = await tx.value("SELECT revision FROM organisation_revision WHERE org = $1", acme.org)
    return found


# --- of another type ------------------------------------------------------------------------------------------


async def test_another_type_counts_at_once_at_every_replica(acme: Organisation) -> None:
    jane, second = await acme.add(), await acme.authz.replica()
    question = ("sms.delete", "inbox:sales")
    for type, may in ((None, False), (StaffType.ADMINISTRATOR, True), (StaffType.STANDARD, False)):
        if type is not None:
            await jane.becomes(StaffChanged, type=type)
        for replica in (None, second):
            assert (await acme.explained(jane, *question, on=replica)).json["decision"] is may, type


async def test_what_a_type_may_change_counts_at_once_whatever_the_token_says(acme: Organisation) -> None:
    leia, jane = await acme.add("administrator"), await acme.add()
    assert (await acme.grant(jane, "use", by=leia)).status == 200
    token = leia.token
    await leia.becomes(StaffChanged, type=StaffType.STANDARD)
    body = {"target": on("sms"), "level": "full"}
    path = f"/v1/staff/{jane.id}/grants"
    assert (await acme.authz.ask("PUT", path, token=token, json=body)).problem == (403, "not_permitted")


# --- closed ---------------------------------------------------------------------------------------------------


async def test_of_a_closed_organisation_everybody_is_denied_at_once_at_every_replica(acme: Organisation) -> None:
    jane, second = await acme.add(default="full"), await acme.authz.replica()
    other = await registered(acme.authz, "Other Crates")
    question = ("sms.read", "inbox:sales")
    for who in (acme.ray, jane):
        for replica in (None, second):
            assert (await acme.explained(who, *question, on=replica)).json["decision"]
    await acme.revision()
    before = len(acme.authz.heard.of(acme.org))
    await acme.authz.publish(closed(acme.org))
    [told] = (await acme.authz.told(acme.org, before + 1))[before:]
    assert told.people is None, "it concerns everybody"
    for who in (acme.ray, jane):
        for replica in (None, second):
            answer = (await acme.explained(who, *question, on=replica)).json
            assert (answer["decision"], answer["context"]["reason"]) == (False, "organisation_inactive")
        assert await acme.found(who, "sms.read") == []
    assert await holders(acme, *question) == set()
    assert (await acme.grant(jane, "use")).problem == (403, "not_permitted")
    assert await other.may(other.ray, *question), "nobody else's"


@pytest.mark.parametrize("first", [True, False], ids=["before anything else", "after everything else"])
async def test_a_closed_organisation_stays_closed_in_whatever_order_it_is_told(
    authz: Authz, tell: Telling, first: bool
) -> None:
    org, ray = IDS.uuid(), state("owner", default="full")
    about = OrganisationState(name="ACME Crates", number="1", username=None, version=1)
    history: list[Event] = [
        OrganisationRegistered(org=org, state=about),
        StaffAdded(org=org, state=ray),
        StaffReactivated(org=org, state=msgspec.structs.replace(ray, version=7)),
    ]
    await tell(*([closed(org), *history] if first else [*history, closed(org)]))
    acme = Organisation(authz, org, Someone(authz, org, ray, IDS.uuid()))
    answer = (await acme.explained(ray.staff, "sms.read", "inbox:sales")).json
    assert (answer["decision"], answer["context"]["reason"]) == (False, "organisation_inactive")


async def test_deletion_is_told_to_identity_as_no_roles_and_no_team(acme: Organisation) -> None:
    told = listening(acme.authz)
    jane = await endowed(acme)
    await told.shows(jane.id, ["Agent"], "Sales")
    await jane.becomes(StaffDeleted, status=StaffStatus.DELETED)
    await told.shows(jane.id, [], None)
