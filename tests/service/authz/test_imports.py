"""People who were added from a file: there at once with the role and the team that it named, and given them once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from staffgate.contracts.identity import StaffActivated, StaffImported, StaffState, StaffStatus
from tests.service.authz.conftest import IDS, Authz, Organisation, Someone, state
from tests.service.authz.office import Office, entry
from tests.service.authz.telling import Placements, Telling, listening, telling

MANY = 200


@pytest_asyncio.fixture
async def tell(authz: Authz) -> AsyncIterator[Telling]:
    async with telling(authz) as told:
        yield told


@pytest.fixture
def shown(authz: Authz) -> Placements:
    return listening(authz)


def imported(
    acme: Organisation, jane: StaffState, role: str | None = None, team: str | None = None, **about: Any
) -> StaffImported:
    by = about.get("by", acme.ray.id)
    return StaffImported(org=acme.org, state=jane, by=by, role=role, team=None if team is None else UUID(team))


async def placed(acme: Organisation, staff: UUID) -> tuple[list[str], str]:
    """The roles and the team, as authz shows them."""
    office = Office(acme)
    roles = (await office.get(f"/v1/staff/{staff}/roles"))["assignments"]
    return [one["role"] for one in roles], (await office.get(f"/v1/staff/{staff}/subject"))["team"]


async def test_somebody_imported_is_there_with_role_and_team_in_one_step(
    acme: Organisation, tell: Telling, shown: Placements
) -> None:
    office, jane = Office(acme), state("standard", "invited")
    sales = await office.team("Sales")
    sender = await office.role("Sender", "team", entry("view create", "sms"))
    before = await acme.revision()
    await tell(imported(acme, jane, sender, sales))
    assert await placed(acme, jane.staff) == ([sender], sales)
    assert await acme.revision() == before + 1, "one revision for all of it"
    await shown.shows(jane.staff, ["Sender"], "Sales")
    assert len(shown.of(jane.staff)) == 1


async def test_it_is_in_the_log_in_the_name_of_who_imported_them(acme: Organisation, tell: Telling) -> None:
    office, jane, leia = Office(acme), state(), await acme.add("administrator")
    sales, root = await office.team("Sales"), await office.root()
    await tell(imported(acme, jane, "agent", sales, by=leia.id))
    assigned, moved = await office.audit(person=jane.staff)
    assert {(one["actor"], one["revision"]) for one in (assigned, moved)} == {(str(leia.id), await acme.revision())}
    assert (assigned["kind"], assigned["after"]["role"]) == ("assign_role", "agent")
    assert (moved["kind"], moved["before"], moved["after"]) == (
        "place_members",
        {str(jane.staff): root},
        {str(jane.staff): sales},
    )


@pytest.mark.parametrize("role", ["agent", "manager", "pbx.basic-user"])
async def test_a_built_in_role_has_no_uuid(acme: Organisation, tell: Telling, role: str) -> None:
    jane = state()
    await tell(imported(acme, jane, role))
    assert (await placed(acme, jane.staff))[0] == [role]


async def test_what_is_not_there_any_more_is_left_out(acme: Organisation, tell: Telling) -> None:
    office, jane = Office(acme), state()
    team, role = await office.team("Sales"), await office.role("Sender", "team")
    await office.one("delete_team", team=team)
    await office.one("delete_role", role=role)
    await tell(imported(acme, jane, role, team))
    assert await placed(acme, jane.staff) == ([], await office.root())
    assert await office.audit(person=jane.staff) == []


async def test_a_team_and_a_role_of_another_organisation_are_not_there(
    acme: Organisation, tell: Telling, authz: Authz
) -> None:
    from tests.service.authz.conftest import registered

    other = Office(await registered(authz, "Other Crates"))
    team, role = await other.team("Sales"), await other.role("Sender", "team")
    jane = state()
    await tell(imported(acme, jane, role, team))
    assert await placed(acme, jane.staff) == ([], await Office(acme).root())


async def test_it_is_given_once_however_often_it_is_told(acme: Organisation, tell: Telling) -> None:
    """Told again later, it does not undo what was changed since."""
    office, jane = Office(acme), state()
    sales, support = await office.team("Sales"), await office.team("Support")
    event = imported(acme, jane, "agent", sales)
    await tell(event)
    someone = Someone(acme.authz, acme.org, jane, IDS.uuid())
    [held] = (await office.get(f"/v1/staff/{jane.staff}/roles"))["assignments"]
    await office.one("unassign_role", assignment=held["id"])
    await office.one("place_members", team=await office.root(), staff=[someone])
    before = await acme.revision()
    await tell(event, event)
    assert await placed(acme, jane.staff) == ([], await office.root())
    assert (await acme.revision(), support) == (before, support)


async def test_told_late_it_leaves_what_somebody_has_set_meanwhile(acme: Organisation, tell: Telling) -> None:
    """The activation came first, and an administrator was quick."""
    office, jane = Office(acme), state("standard", "invited")
    sales, support = await office.team("Sales"), await office.team("Support")
    active = msgspec.structs.replace(jane, version=2, status=StaffStatus.ACTIVE)
    await tell(StaffActivated(org=acme.org, state=active))
    someone = Someone(acme.authz, acme.org, active, IDS.uuid())
    await office.one("place_members", team=support, staff=[someone])
    await office.assigned("pbx.basic-user", someone)
    await tell(imported(acme, jane, "pbx.office-manager", sales))
    assert await placed(acme, jane.staff) == (["pbx.basic-user"], support), "one PBX scope at most"
    luke = state("standard", "invited")
    await tell(StaffActivated(org=acme.org, state=msgspec.structs.replace(luke, version=2, status=StaffStatus.ACTIVE)))
    await tell(imported(acme, luke, "agent", sales))
    assert await placed(acme, luke.staff) == (["agent"], sales)
    assert await acme.may(luke.staff, "portal.login", "section:portal"), "and is active still"


async def test_many_of_them_flow(acme: Organisation, tell: Telling, owner: Any) -> None:
    office = Office(acme)
    team = await office.team("Sales")
    began = time.perf_counter()
    await tell(*(imported(acme, state("standard", "invited"), "agent", team) for _ in range(MANY)))
    seconds = time.perf_counter() - began
    print(f"{MANY / seconds:.0f} a second, one after the other")
    assert await owner.fetchval("SELECT count(*) FROM team_member WHERE team = $1", UUID(team)) == MANY


@pytest.mark.long
async def test_ten_thousand_of_them_flow(acme: Organisation, owner: Any) -> None:
    """Through the bus, as a file of 10,000 rows brings them."""
    from tests.service.authz.conftest import until

    office, told = Office(acme), listening(acme.authz)
    team = await office.team("Sales")
    began = time.perf_counter()
    for _ in range(10_000):
        await acme.authz.publish(imported(acme, state("standard", "invited"), "agent", team))
    await until(lambda: sum(len(event.placements) for event in told.events) >= 10_000, seconds=300)
    seconds = time.perf_counter() - began
    print(f"10,000 in {seconds:.1f} s: {10_000 / seconds:.0f} a second")
    assert await owner.fetchval("SELECT count(*) FROM team_member WHERE team = $1", UUID(team)) == 10_000
