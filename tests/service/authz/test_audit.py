"""Every change and every refused change is in the log: who, when, from where, what it was and what it became."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.service.authz.conftest import Organisation, registered
from tests.service.authz.office import Office, change, clerk, on


async def test_an_entry_says_who_when_from_where_and_what(office: Office) -> None:
    jane = await office.acme.add()
    for level in ("read", "use"):
        answer = await office.make(change("set_grant", staff=jane, target=on("sms"), level=level))
    newest, first = await office.audit()
    grant = answer.json["outcomes"][0]["after"]
    assert newest == {
        "number": first["number"] + 1,
        "at": "2026-11-22T09:00:00Z",
        "actor": str(office.ray.id),
        "ip": "127.0.0.1",
        "kind": "set_grant",
        "people": [str(jane.id)],
        "change": change("set_grant", staff=jane, target=on("sms"), level="use"),
        "before": grant | {"level": "read"},
        "after": grant,
        "refusal": None,
        "revision": answer.json["revision"],
    }
    assert first["before"] is None


async def test_every_kind_of_change_is_recorded(office: Office) -> None:
    jane = await office.acme.add()
    made = [
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("remove_access", staff=jane, contract="7", product="telephony"),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("set_routing", staff=jane, anywhere=True),
        change("set_section", staff=jane, section="sms", default="use"),
        change("reset_grants", staff=jane),
        change("link_subscriber", staff=jane, subscriber="101"),
        change("add_group", name="Support"),
        change("create_role", name="Sender", data_access="team"),
        change("add_team", name="Sales", parent=await office.root()),
    ]
    revision = (await office.make(*made)).json["revision"]
    entries = await office.audit()
    assert [entry["kind"] for entry in reversed(entries)] == [one["kind"] for one in made]
    assert {entry["revision"] for entry in entries} == {revision}
    assert [entry["change"] for entry in reversed(entries)] == made


async def test_a_refused_change_is_recorded_with_why(office: Office) -> None:
    jane, luke = await office.acme.add(), await clerk(office, ("use", on("sms")))
    start, count = await office.acme.revision(), len(await office.audit())
    more = change("set_grant", staff=jane, target=on("sms"), level="full")
    await office.make(more, by=luke)
    await office.ask("DELETE", "/v1/contracts/9")
    await office.make(change("set_grant", staff=jane, target=on("sms"), level="read"), more, by=jane)
    await office.ask("PUT", "/v1/roles/admin", json={"name": "X", "data_access": "team"}, headers={"If-Match": '"x"'})
    entries = (await office.audit())[: len(await office.audit()) - count]
    assert [(entry["kind"], entry["refusal"], entry["revision"], entry["after"]) for entry in reversed(entries)] == [
        ("set_grant", "more_than_own", None, None),
        ("remove_contract", "not_found", None, None),
        ("set_grant", "not_permitted", None, None),
        ("edit_role", "changed_meanwhile", None, None),
    ]
    assert (entries[-1]["actor"], entries[-1]["people"], entries[-1]["change"]) == (str(luke.id), [str(jane.id)], more)
    assert await office.acme.revision() == start


async def test_a_list_that_is_refused_as_a_whole_is_recorded_whole(office: Office) -> None:
    jane, luke = await office.acme.add(default="full"), await clerk(office, ("use", on("sms")))
    denials = [
        await office.one("set_grant", staff=jane, target=on(section), level="deny") for section in ("sms", "contacts")
    ]
    gone = [change("remove_grant", staff=jane, grant=denial["id"]) for denial in denials]
    assert (await office.make(*gone, by=luke)).status == 403
    assert [entry["refusal"] for entry in (await office.audit())[:2]] == ["more_than_own"] * 2


async def test_the_log_is_filtered_and_paged(office: Office) -> None:
    jane, luke = await office.acme.add(), await office.acme.add()
    clock = office.acme.authz.clock
    for level in ("read", "use", "full"):
        clock.advance(hours=1)
        for who in (jane, luke):
            await office.one("set_grant", staff=who, target=on("sms"), level=level)
    await office.one("assign_role", staff=jane, role="agent")
    assert len(await office.audit(person=jane.id)) == 4
    assert len(await office.audit(person=office.ray.id)) == 7, "what he did"
    assert len(await office.audit(person=jane.id, kind="assign_role")) == 1
    day = "2026-11-22T{}:00:00Z"
    assert (
        len(
            (await office.ask("GET", "/v1/audit", params={"from": day.format(11), "to": day.format(12)})).json[
                "entries"
            ]
        )
        == 2
    )
    pages: list[list[int]] = []
    before: dict[str, str] = {}
    while True:
        answer = await office.ask("GET", "/v1/audit", params={"limit": "3", **before})
        pages.append([entry["number"] for entry in answer.json["entries"]])
        if answer.json["next"] is None:
            break
        before = {"before": str(answer.json["next"])}
    assert [len(page) for page in pages] == [3, 3, 1]
    numbers = [number for page in pages for number in page]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 7


async def test_a_time_that_no_calendar_has_is_refused(office: Office) -> None:
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T09:00:00"):
        answer = await office.ask("GET", "/v1/audit", params={"from": moment})
        assert answer.status == 422, answer.text


async def test_the_log_is_for_those_who_may_view_it_all(office: Office) -> None:
    jane, laya = await office.acme.add(), await office.acme.add("administrator")
    assert (await office.ask("GET", "/v1/audit", jane)).problem == (403, "not_permitted")
    await office.assigned("manager", jane)
    await office.one("set_grant", staff=jane, target=on("core.audit"), level="read")
    refused = await office.ask("GET", "/v1/audit", jane)
    assert refused.problem == (403, "not_permitted"), "it is everybody's, and she reaches her department"
    await office.assigned("admin", jane)
    assert len(await office.audit(jane)) == len(await office.audit(laya)) > 0


async def test_the_log_of_another_organisation_is_not_there(office: Office) -> None:
    await office.one("add_tenant", key="acme", label="Acme")
    other: Organisation = await registered(office.acme.authz, "Other Crates")
    assert await Office(other).audit() == []


async def test_nobody_changes_the_log(office: Office) -> None:
    """Not the service itself, whatever it is made to say to the database."""
    await office.one("add_tenant", key="acme", label="Acme")
    connection: Any = await asyncpg.connect(office.acme.authz.database.app)
    for statement in ("UPDATE audit_entry SET ip = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
