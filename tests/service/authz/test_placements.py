"""Where people are placed is told with whatever changes a name that is shown, in its transaction and at its revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.authz import endings, placements
from services.authz.endings import sweep
from shared.bus.memory import MemoryBus
from shared.bus.outbox import write_events
from shared.db import Database
from shared.errors import Unavailable
from shared.service import Role
from staffgate.contracts.identity import OrganisationRegistered, OrganisationState, StaffAdded
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, registered, state, until
from tests.service.authz.office import Office, change
from tests.service.authz.telling import Placements, listening

Shown = tuple[list[str], str | None]


@pytest.fixture
def shown(authz: Authz) -> Placements:
    return listening(authz)


@pytest_asyncio.fixture
async def db(authz: Authz) -> AsyncIterator[Database]:
    database = Database(
        authz.database.app, clock=authz.clock, ids=IDS, write_events=write_events, committed=lambda: None, size=2
    )
    async with database.opened():
        yield database


class Told:
    """What a change told of Jane: nothing, or the names at the organisation's new revision."""

    def __init__(self, office: Office, shown: Placements, jane: Someone) -> None:
        self.office, self.shown, self.jane = office, shown, jane

    async def by(self, kind: str, **fields: Any) -> tuple[Any, Shown | None]:
        before = await self.office.acme.revision()
        outcome = await self.office.one(kind, **fields)
        revision = await self.office.acme.revision()
        # Every commit's events leave in order, so whatever this one told of Jane has left before the next one's.
        marker = await self.office.acme.add()
        await until(lambda: self.shown.of(marker.id))
        told = [one for one in self.shown.of(self.jane.id) if one[0] > before]
        assert len(told) <= 1, "once a change"
        if not told:
            return outcome, None
        assert told[0][0] == revision
        return outcome, (told[0][1].roles, told[0][1].team)


@pytest.fixture
async def told(office: Office, shown: Placements) -> Told:
    return Told(office, shown, await office.acme.add())


async def test_somebody_new_is_in_the_root_team(acme: Organisation, shown: Placements) -> None:
    jane = await acme.add()
    await shown.shows(jane.id, [], "ACME Crates")
    [(revision, _)] = shown.of(jane.id)
    assert revision == await acme.revision()
    await jane.becomes(StaffAdded)
    await until(lambda: jane.changes == 2)
    assert len(shown.of(jane.id)) == 1, "a newer version places nobody anew"


async def test_a_role_that_is_assigned_and_taken_away(told: Told) -> None:
    assigned, names = await told.by("assign_role", staff=told.jane, role="agent")
    assert names == (["Agent"], "ACME Crates")
    assert await told.by("assign_role", staff=told.jane, role="agent") == (assigned, None), "the same again"
    _, names = await told.by("assign_role", staff=told.jane, role="pbx.basic-user")
    assert names == (["Agent", "Basic User"], "ACME Crates")
    _, names = await told.by("unassign_role", assignment=assigned["id"])
    assert names == (["Basic User"], "ACME Crates")


async def test_a_role_in_two_places_is_named_once(told: Told) -> None:
    await told.office.one("add_tenant", key="acme", label="Acme")
    await told.office.one("assign_role", staff=told.jane, role="agent")
    _, names = await told.by("assign_role", staff=told.jane, role="agent", tenant="acme")
    assert names == (["Agent"], "ACME Crates")


async def test_a_team_that_is_joined_and_renamed(told: Told) -> None:
    sales = (await told.office.one("add_team", name="Sales", parent=await told.office.root()))["id"]
    assert (await told.by("place_members", team=sales, staff=[told.jane]))[1] == ([], "Sales")
    assert (await told.by("rename_team", team=sales, name="Sales Team"))[1] == ([], "Sales Team")
    other = (await told.office.one("add_team", name="Support", parent=await told.office.root()))["id"]
    assert (await told.by("rename_team", team=other, name="Help"))[1] is None, "not hers"
    assert (await told.by("move_team", team=sales, parent=other))[1] is None, "it is called as it was"


async def test_a_role_that_is_renamed_or_reset(told: Told) -> None:
    role: dict[str, Any] = {"name": "Sender", "data_access": "team"}
    id = (await told.office.one("create_role", **role))["id"]
    await told.office.one("assign_role", staff=told.jane, role=id)
    assert (await told.by("edit_role", role=id, name="Writer", data_access="team"))[1] == (["Writer"], "ACME Crates")
    assert (await told.by("edit_role", role=id, name="Writer", data_access="full"))[1] is None, "the name is as it was"
    assert (await told.by("reset_role", role=id))[1] == (["Sender"], "ACME Crates")


async def test_what_comes_through_a_group(told: Told) -> None:
    office, jane = told.office, told.jane
    group = (await office.one("add_group", name="Support"))["id"]
    assert (await told.by("add_group_members", group=group, staff=[jane]))[1] == ([], "ACME Crates")
    assigned, names = await told.by("assign_role", group=group, role="agent")
    assert names == (["Agent"], "ACME Crates")
    assert (await told.by("unassign_role", assignment=assigned["id"]))[1] == ([], "ACME Crates")
    await office.one("assign_role", group=group, role="leader")
    assert (await told.by("remove_group_members", group=group, staff=[jane]))[1] == ([], "ACME Crates")
    await office.one("add_group_members", group=group, staff=[jane])
    assert (await told.by("delete_group", group=group))[1] == ([], "ACME Crates")


async def test_what_goes_with_a_contract_or_a_tenant(told: Told) -> None:
    office, jane = told.office, told.jane
    await office.made(
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("assign_role", staff=jane, role="agent", contract="7"),
        change("assign_role", staff=jane, role="leader", tenant="acme"),
    )
    group = (await office.one("add_group", name="Support", tenant="acme"))["id"]
    await office.one("add_group_members", group=group, staff=[jane])
    await office.one("assign_role", group=group, role="manager")
    assert (await told.by("remove_contract", contract="7"))[1] == (["Leader", "Manager"], "ACME Crates")
    _, names = await told.by("remove_tenant_members", tenant="acme", staff=[jane])
    assert names == (["Leader"], "ACME Crates"), "out of the tenant's groups, too"
    await office.made(
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("add_group_members", group=group, staff=[jane]),
    )
    assert (await told.by("remove_tenant", tenant="acme"))[1] == ([], "ACME Crates")


async def test_what_changes_no_name_tells_nothing(told: Told) -> None:
    for kind, fields in (
        ("set_grant", {"staff": told.jane, "target": {"section": "sms"}, "level": "use"}),
        ("set_default_level", {"staff": told.jane, "level": "read"}),
        ("add_team", {"name": "Sales", "parent": await told.office.root()}),
        ("create_role", {"name": "Sender", "data_access": "team"}),
        ("add_tenant", {"key": "acme", "label": "Acme"}),
        ("add_tenant_members", {"tenant": "acme", "staff": [told.jane]}),
    ):
        assert (await told.by(kind, **fields))[1] is None, kind


async def test_a_preview_and_a_refusal_tell_nothing(told: Told) -> None:
    office, jane = told.office, told.jane
    await told.shown.shows(jane.id, [], "ACME Crates")
    before = len(told.shown.events)
    assert (await office.preview(change("assign_role", staff=jane, role="agent"))).status == 200
    wrong = change("assign_role", staff=jane, role="unheard-of")
    assert (await office.make(change("assign_role", staff=jane, role="agent"), wrong)).status == 422
    marker = await office.acme.add()
    await until(lambda: told.shown.of(marker.id))
    assert len(told.shown.events) == before + 1


async def test_many_changes_in_one_step_tell_of_each_person_once(told: Told, acme: Organisation) -> None:
    luke, office = await acme.add(), told.office
    await told.shown.shows(luke.id, [], "ACME Crates")
    before = len(told.shown.events)
    await office.made(
        change("assign_role", staff=told.jane, role="agent"),
        change("assign_role", staff=luke, role="agent"),
        change("assign_role", staff=told.jane, role="leader"),
    )
    await told.shown.shows(told.jane.id, ["Agent", "Leader"], "ACME Crates")
    [event] = told.shown.events[before:]
    assert {one.staff for one in event.placements} == {told.jane.id, luke.id}


async def test_what_has_expired_is_not_named(told: Told) -> None:
    await told.office.one("assign_role", staff=told.jane, role="agent", expires_at="2026-11-23T00:00:00Z")
    told.office.acme.authz.clock.advance(days=2)
    told.office.ray.session = IDS.uuid()
    _, names = await told.by("assign_role", staff=told.jane, role="leader")
    assert names == (["Leader"], "ACME Crates")


async def test_what_expires_is_told_without_anybody_asking(
    told: Told, acme: Organisation, db: Database, owner: Any
) -> None:
    office, jane = told.office, told.jane
    luke = await acme.add()
    group = (await office.one("add_group", name="Support"))["id"]
    await office.one("add_group_members", group=group, staff=[luke])
    until_then: dict[str, Any] = {"expires_at": "2026-11-23T00:00:00Z"}
    await office.one("assign_role", staff=jane, role="agent", **until_then)
    await office.one("assign_role", staff=jane, role="leader", expires_at="2026-11-25T00:00:00Z")
    await office.one("assign_role", group=group, role="manager", **until_then)
    await told.shown.shows(luke.id, ["Manager"], "ACME Crates")
    await sweep(db)
    assert await owner.fetchval("SELECT count(*) FROM assignment WHERE org = $1", acme.org) == 3
    acme.authz.clock.advance(days=1)
    before = await owner.fetchval("SELECT revision FROM organisation_revision WHERE org = $1", acme.org)
    await asyncio.gather(sweep(db), sweep(db))
    await told.shown.shows(jane.id, ["Leader"], "ACME Crates")
    await told.shown.shows(luke.id, [], "ACME Crates")
    assert await owner.fetchval("SELECT count(*) FROM assignment WHERE org = $1", acme.org) == 1
    after = await owner.fetchval("SELECT revision FROM organisation_revision WHERE org = $1", acme.org)
    assert after == before + 1, "once, whoever sweeps"


async def test_the_sweep_goes_on_after_a_fault(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def failing(*_: object) -> None:
        tries.append(1)
        raise Unavailable("database_away", "") if len(tries) == 1 else RuntimeError("something else")

    monkeypatch.setattr(endings, "sweep", failing)
    async with endings.ending(db, every=0.01):
        await until(lambda: len(tries) > 2)


async def test_every_worker_sweeps(authz: Authz, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = []

    async def noted(db: Database) -> None:
        swept.append(db)

    monkeypatch.setattr(endings, "sweep", noted)
    await authz.replica(MemoryBus(), role=Role.HTTP)
    assert not swept
    await authz.replica(MemoryBus(), role=Role.WORKER)
    await until(lambda: swept)


async def test_of_many_people_several_events_are_told(
    told: Told, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placements, "_AT_ONCE", 2)
    people = [told.jane, *[await acme.add() for _ in range(4)]]
    sales = (await told.office.one("add_team", name="Sales", parent=await told.office.root()))["id"]
    await until(lambda: told.shown.of(people[-1].id))
    before = len(told.shown.events)
    await told.office.one("place_members", team=sales, staff=people)
    await until(lambda: len(told.shown.events) == before + 3)
    events = told.shown.events[before:]
    assert [len(event.placements) for event in events] == [2, 2, 1]
    assert {event.revision for event in events} == {await acme.revision()}


async def test_the_root_is_called_as_the_organisation_once_its_name_has_come(authz: Authz, shown: Placements) -> None:
    org, ray = IDS.uuid(), state("owner")
    await authz.publish(StaffAdded(org=org, state=ray))
    await shown.shows(ray.staff, [], "Company")
    about = OrganisationState(name="ACME Crates", number="1", username=None, version=1)
    await authz.publish(OrganisationRegistered(org=org, state=about))
    await shown.shows(ray.staff, [], "ACME Crates")


async def test_nothing_of_another_organisation_is_told(told: Told, authz: Authz) -> None:
    other = Office(await registered(authz, "Other Crates"))
    luke = await other.acme.add()
    await other.one("assign_role", staff=luke, role="agent")
    await told.shown.shows(luke.id, ["Agent"], "Other Crates")
    assert {event.org for event in told.shown.events if luke.id in {one.staff for one in event.placements}} == {
        other.acme.org
    }


def test_a_batch_is_no_larger_than_the_contract_says() -> None:
    assert placements._AT_ONCE == 500
