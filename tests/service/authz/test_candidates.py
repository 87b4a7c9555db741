"""In which roles and teams somebody may place people who are not there yet: what identity asks before an import."""

from __future__ import annotations

from typing import Any

import pytest

from staffgate.client import AuthzClient, Refused
from tests.service.authz.conftest import IDS, NOBODY, Answer, Organisation, Someone
from tests.service.authz.office import Office, change, clerk, entry, on

NOT_YOURS, UNKNOWN, AMBIGUOUS = ({"id": None, "refusal": one} for one in ("not_yours_to_give", "unknown", "ambiguous"))


def given(id: str) -> dict[str, Any]:
    return {"id": id, "refusal": None}


async def ask(
    office: Office, by: Someone | Any, roles: list[str], teams: list[str], product: str = "identity"
) -> Answer:
    body = {"by": str(by.id if isinstance(by, Someone) else by), "roles": roles, "teams": teams}
    token = office.acme.authz.identity.token(product)
    answer: Answer = await office.acme.authz.ask("POST", "/v1/placements/check", token=token, json=body)
    return answer


async def check(office: Office, by: Someone, roles: list[str] = [], teams: list[str] = []) -> tuple[Any, Any]:  # noqa: B006
    answer = await ask(office, by, roles, teams)
    assert answer.status == 200, answer.text
    return answer.json["roles"], answer.json["teams"]


async def test_names_are_found_or_it_is_said_why_not(office: Office) -> None:
    sales, sender = await office.team("Sales"), await office.role("Sender", "team")
    north, south = await office.team("North", "Sales"), await office.team("South", "Sales")
    for above in ("North", "South"):
        await office.team(f"Twins of {above}", above)
        await office.one("rename_team", team=office.teams[f"Twins of {above}"], name="Twins")
    roles, teams = await check(
        office,
        office.ray,
        ["Agent", "Sender", "Basic User", "Nobody", "", "\0"],
        ["Sales", "North", "South", "Twins", "ACME Crates", "x" * 1000],
    )
    assert roles == {
        "Agent": given("agent"), "Sender": given(sender), "Basic User": given("pbx.basic-user"),
        "Nobody": UNKNOWN, "": UNKNOWN, "\0": UNKNOWN,
    }  # fmt: skip
    assert teams == {
        "Sales": given(sales), "North": given(north), "South": given(south), "Twins": AMBIGUOUS,
        "ACME Crates": given(await office.root()), "x" * 1000: UNKNOWN,
    }  # fmt: skip


async def test_case_and_spaces_do_not_matter_where_it_is_clear(office: Office) -> None:
    sender = await office.role("SMS Sender", "team")
    await office.role("Twin", "team"), await office.role("twin", "full")
    agent = await office.role("agent", "full")
    roles, _ = await check(office, office.ray, [" sms  sender ", "Agent", "agent", "AGENT", "TWIN"])
    assert roles == {
        " sms  sender ": given(sender),
        "Agent": given("agent"),
        "agent": given(agent),
        "AGENT": AMBIGUOUS,
        "TWIN": AMBIGUOUS,
    }


async def test_an_administrator_gives_all(office: Office) -> None:
    sales, leia = await office.team("Sales"), await office.acme.add("administrator")
    assert await check(office, leia, ["Admin"], ["Sales"]) == ({"Admin": given("admin")}, {"Sales": given(sales)})


async def test_a_clerk_gives_what_they_have_and_nothing_more(office: Office) -> None:
    luke = await clerk(office, ("use", on("sms")))
    mine = await office.role("Mine", "full", entry("view edit", "sms"))
    await office.role("More", "full", entry("view delete", "sms"))
    roles, _ = await check(office, luke, ["Mine", "More", "Admin", "Nobody"])
    assert roles == {"Mine": given(mine), "More": NOT_YOURS, "Admin": NOT_YOURS, "Nobody": UNKNOWN}


async def test_it_answers_as_an_assignment_would(office: Office) -> None:
    """For each role, by each of three givers: the check says what a change then does."""
    sms, wide = entry("view edit", "sms"), entry("view", "contacts")
    roles = {
        "Narrow": await office.role("Narrow", "restricted", sms),
        "Team": await office.role("Team", "team", sms),
        "Wide": await office.role("Wide", "full", sms, wide),
    }
    core = entry("view create edit delete", product="core")
    lead = await office.role("Lead", "team", core, sms)
    department = await office.role("Head", "department", core, sms, wide)
    givers = [await clerk(office, ("use", on("sms"))), await office.acme.add(), await office.acme.add()]
    await office.assigned(lead, givers[1])
    await office.assigned(department, givers[2])
    answers = set()
    for giver in givers:
        checked, _ = await check(office, giver, list(roles))
        for name, role in roles.items():
            new = await office.acme.add()
            made = await office.make(change("assign_role", staff=new, role=role), by=giver)
            assert (made.status == 200) is (checked[name] == given(role)), (name, made.text)
            answers.add(made.status)
    assert answers == {200, 403}, "of both kinds"


async def test_who_may_not_change_permissions_is_told_nothing_of_roles(office: Office) -> None:
    jane = await office.acme.add(default="full")
    han = await office.acme.add()
    await office.assigned("manager", han)
    for who in (jane, han):
        await office.one("set_grant", staff=who, target=on("core.permissions"), level="read")
        roles, _ = await check(office, who, ["Agent", "Nobody"])
        assert roles == {"Agent": NOT_YOURS, "Nobody": NOT_YOURS}


async def test_who_may_not_change_teams_is_told_nothing_of_them(office: Office) -> None:
    await office.team("Sales")
    luke = await clerk(office, ("read", on("core.teams")))
    assert (await check(office, luke, [], ["Sales", "Nobody"]))[1] == {"Sales": NOT_YOURS, "Nobody": NOT_YOURS}


async def test_whoever_reaches_only_a_part_of_the_tree_places_nobody_new(office: Office) -> None:
    """Who is new is in the root, whose people are not theirs."""
    role = await office.role("Head", "department", entry("view create edit delete", product="core"))
    han = await office.acme.add()
    await office.team("Sales", None, han)
    await office.assigned(role, han)
    assert await check(office, han, ["Agent"], ["Sales"]) == ({"Agent": NOT_YOURS}, {"Sales": NOT_YOURS})


async def test_a_role_is_judged_as_such(office: Office) -> None:
    """Somebody new is in no tenant, so that it would give them nothing there today; but they may be in one tomorrow."""
    luke = await clerk(office)
    await office.one("add_tenant", key="acme", label="Acme")
    await office.one("add_tenant_members", tenant="acme", staff=[luke])
    role = await office.role("Acme Sender", "full", entry("view", "sms", tenant="acme"))
    assert (await check(office, luke, ["Acme Sender"]))[0] == {"Acme Sender": NOT_YOURS}
    new = await office.acme.add()
    assert await office.refused("assign_role", by=luke, staff=new, role=role) == (403, "more_than_own")


async def test_a_role_is_judged_in_the_hands_of_somebody_in_the_root(office: Office) -> None:
    """Luke reaches the rows of Sales; whoever is new would reach those of the root."""
    luke = await clerk(office)
    await office.team("Sales", None, luke)
    role = await office.role("Reader", "team", entry("view", "sms"))
    core = await office.role("Clerk", "full", entry("view create edit delete", product="core"))
    for one in (role, core):
        await office.assigned(one, luke)
    assert (await check(office, luke, ["Reader"]))[0] == {"Reader": NOT_YOURS}
    new = await office.acme.add()
    assert await office.refused("assign_role", by=luke, staff=new, role=role) == (403, "more_than_own")


async def test_whoever_reaches_the_root_alone_places_in_no_other_team(office: Office) -> None:
    luke = await office.acme.add()
    await office.team("Sales")
    await office.assigned(await office.role("Lead", "team", entry("view edit", "core.teams")), luke)
    _, teams = await check(office, luke, [], ["ACME Crates", "Sales"])
    assert teams == {"ACME Crates": given(await office.root()), "Sales": NOT_YOURS}


async def test_a_team_takes_its_people_to_rows_that_are_not_the_givers(office: Office) -> None:
    """Luke reaches the rows of the root team in SMS, and all teams: alone both are his to give, together they open
    the rows of Sales, which he does not reach."""
    sales = await office.team("Sales")
    luke = await office.acme.add()
    core = await office.role("Clerk", "full", entry("view create edit delete", product="core"))
    sms = await office.role("Reader", "team", entry("view", "sms"))
    for role in (core, sms):
        await office.assigned(role, luke)
    plain = await office.role("Plain", "restricted", entry("view", "sms"))
    assert await check(office, luke, [], ["Sales"]) == ({}, {"Sales": given(sales)})
    assert await check(office, luke, ["Reader"], []) == ({"Reader": given(sms)}, {})
    assert await check(office, luke, ["Reader"], ["Sales"]) == ({"Reader": given(sms)}, {"Sales": NOT_YOURS})
    assert plain


async def test_a_lowered_administrator_gives_what_is_left(office: Office) -> None:
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    leia = await office.acme.add("administrator")
    await office.one("set_access", staff=leia, contract="7", product="telephony", level="user")
    dialler = await office.role("Dialler", "full", entry("view", "telephony"))
    await office.role("Fitter", "full", entry("view edit", "telephony"))
    roles, _ = await check(office, leia, ["Dialler", "Fitter"])
    assert roles == {"Dialler": given(dialler), "Fitter": NOT_YOURS}


@pytest.mark.parametrize("status", ["suspended", "deleted"])
async def test_who_is_not_active_gives_nothing(office: Office, status: str) -> None:
    leia = await office.acme.add("administrator", status)
    assert await check(office, leia, ["Agent"], ["ACME Crates"]) == (
        {"Agent": NOT_YOURS},
        {"ACME Crates": NOT_YOURS},
    )


async def test_it_is_for_identity_alone(office: Office) -> None:
    assert (await ask(office, office.ray, ["Agent"], [], product="sms")).problem == (403, "identity_only")
    assert (await ask(office, NOBODY, ["Agent"], [])).problem == (404, "not_found")
    body = {"by": str(office.ray.id), "roles": [], "teams": []}
    answer = await office.ask("POST", "/v1/placements/check", json=body)
    assert answer.status == 403


async def test_a_thousand_names_and_no_more(office: Office) -> None:
    luke = await clerk(office, ("use", on("sms")))
    names = [f"Role {number}" for number in range(1000)]
    assert (await check(office, luke, names, names))[0] == dict.fromkeys(names, UNKNOWN)
    assert (await ask(office, luke, [*names, "One"], [])).status == 422


async def test_it_changes_and_records_nothing(office: Office) -> None:
    await office.team("Sales")
    luke = await clerk(office, ("use", on("sms")))
    before, entries = await office.acme.revision(), len(await office.audit())
    await check(office, luke, ["Admin", "Agent"], ["Sales"])
    assert (await office.acme.revision(), len(await office.audit())) == (before, entries)


async def test_through_the_sdk(office: Office) -> None:
    authz, sales = office.acme.authz, await office.team("Sales")

    async def token(product: str = "identity") -> str:
        return authz.identity.token(product)

    assert authz.first is not None
    client = AuthzClient(authz.session, authz.first.url, token)
    found = await client.check_placements(office.ray.id, ["Agent", "Nobody"], ["Sales"])
    assert (found.roles["Agent"].id, found.roles["Nobody"].refusal) == ("agent", "unknown")
    assert found.teams["Sales"].id == sales
    with pytest.raises(Refused) as refused:
        await client.check_placements(IDS.uuid(), ["Agent"])
    assert (refused.value.status, refused.value.code) == (404, "not_found")


async def test_of_another_organisation_nothing_is_found(acme: Organisation) -> None:
    from tests.service.authz.conftest import registered

    office, other = Office(acme), Office(await registered(acme.authz, "Other Crates"))
    await other.team("Sales"), await other.role("Sender", "team")
    assert await check(office, office.ray, ["Sender"], ["Sales", "Other Crates"]) == (
        {"Sender": UNKNOWN},
        {"Sales": UNKNOWN, "Other Crates": UNKNOWN},
    )
