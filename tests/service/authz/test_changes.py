"""The one mechanism of all changes: all or nothing, one revision, told once, nothing for nothing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from staffgate.contracts.identity import StaffReactivated, StaffStatus, StaffSuspended
from tests.service.authz.conftest import NOBODY, Organisation
from tests.service.authz.office import Office, change, on


async def test_many_changes_share_one_revision_and_one_announcement(office: Office) -> None:
    jane, luke = await office.acme.add(), await office.acme.add()
    start = await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    answer = await office.make(
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("set_grant", staff=jane, target=on("contacts"), level="read"),
        change("assign_role", staff=luke, role="agent"),
    )
    assert answer.json["revision"] == start + 1
    [told] = (await office.acme.authz.told(office.acme.org, before + 1))[before:]
    assert (told.previous, told.revision, sorted(told.people or ())) == (start, start + 1, sorted([jane.id, luke.id]))
    assert [one["kind"] for one in answer.json["outcomes"]] == ["set_grant", "set_grant", "assign_role"]
    assert answer.json["outcomes"][0]["before"] is None
    assert answer.json["outcomes"][0]["after"]["target"] == {"section": "sms"}


async def test_one_that_is_refused_undoes_all_of_them(office: Office) -> None:
    jane = await office.acme.add()
    start = await office.acme.revision()
    answer = await office.make(
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("add_tenant", key="beta", label="Beta"),
        change("assign_role", staff=jane, role="unheard-of"),
    )
    assert answer.problem == (422, "unknown_role")
    assert await office.acme.revision() == start
    assert (await office.get(f"/v1/staff/{jane.id}/grants"))["grants"] == []
    assert (await office.get("/v1/tenants"))["tenants"] == []


async def test_what_alters_nothing_raises_nothing_and_is_not_recorded(office: Office) -> None:
    jane = await office.acme.add()
    team = await office.team("Sales", None, jane)
    same = [
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("set_default_level", staff=jane, level="read"),
        change("set_routing", staff=jane, anywhere=True),
        change("link_subscriber", staff=jane, subscriber="101"),
        change("assign_role", staff=jane, role="agent"),
        change("place_members", staff=[jane], team=team),
        change("rename_team", team=team, name="Sales"),
    ]
    first = await office.make(*same)
    entries = len(await office.audit())
    heard = len(office.acme.authz.heard.of(office.acme.org))
    second = await office.make(*same)
    assert second.json["revision"] == first.json["revision"]
    assert len(await office.audit()) == entries
    await office.one("set_grant", staff=jane, target=on("sms"), level="read")
    assert len(await office.acme.authz.told(office.acme.org, heard + 1)) == heard + 1


async def test_a_later_change_of_a_list_may_name_what_an_earlier_one_made(office: Office) -> None:
    jane = await office.acme.add()
    await office.made(
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("set_grant", staff=jane, target=on("sms", tenant="acme"), level="use"),
    )
    assert await office.may(jane, "telephony.settings.view", "section:telephony.settings", contract="7")
    assert await office.may(jane, "sms.create", "section:sms", tenant="acme")


async def test_lists_that_come_at_once_are_made_one_after_the_other(office: Office) -> None:
    people = [await office.acme.add() for _ in range(4)]
    start = await office.acme.revision()
    answers = await asyncio.gather(
        *(office.make(change("set_grant", staff=one, target=on("sms"), level=level))
          for one in people for level in ("read", "use"))
    )  # fmt: skip
    assert sorted(answer.json["revision"] for answer in answers) == list(range(start + 1, start + 9))


async def test_a_change_that_concerns_nobody_known_is_refused(office: Office) -> None:
    assert await office.refused("set_grant", staff=str(NOBODY), target=on("sms"), level="use") == (404, "not_found")
    assert await office.refused("place_members", team=await office.root(), staff=[str(NOBODY)]) == (404, "not_found")
    assert await office.refused("unassign_role", assignment=str(NOBODY)) == (404, "not_found")
    assert (await office.ask("POST", "/v1/changes", json={"changes": []})).problem == (422, "invalid")
    assert (await office.ask("POST", "/v1/changes", json={"changes": [{"kind": "x"}]})).problem == (422, "invalid")


async def test_the_page_of_a_section_is_replaced_whole(office: Office, acme: Organisation) -> None:
    await acme.register("inbox:sales", "inbox:management")
    jane = await acme.add()
    path = f"/v1/staff/{jane.id}/sections/sms/permissions"
    await acme.granted(jane, ("use", {"item": "inbox:sales", "feature": "sms.send"}), ("read", {"section": "contacts"}))
    page: dict[str, Any] = {
        "default": "read",
        "quick": {"inbox:sales": "use", "inbox:management": "deny"},
        "specific": {},
    }
    shown = await office.ask("PUT", path, json=page)
    assert {name: shown.json[name] for name in page} == page
    assert await acme.may(jane, "sms.send", "inbox:sales")
    assert not await acme.may(jane, "sms.read", "inbox:management")
    kept = {grant["target"].get("item"): grant["id"] for grant in await grants(office, jane.id)}
    start = await acme.revision()
    page = {"default": None, "quick": {"inbox:management": "deny"}, "specific": {"sms.delete": "full"}}
    assert (await office.ask("PUT", path, json=page)).json["revision"] == start + 1
    assert await office.get(path) == page | {"section": "sms", "revision": start + 1}
    left = await grants(office, jane.id)
    assert kept["inbox:management"] in [grant["id"] for grant in left], "what is the same stays what it was"
    targets = [grant["target"] for grant in left]
    assert {"section": "sms", "feature": "sms.send", "item": "inbox:sales"} in targets, "not on the page"
    assert {"section": "contacts"} in targets
    wrong: dict[str, Any] = {"default": None, "quick": {"number:office-a": "use"}}
    assert (await office.ask("PUT", path, json=wrong)).problem == (422, "target_empty")
    wrong = {"default": None, "specific": {"recording.listen": "use"}}
    pbx = f"/v1/staff/{jane.id}/sections/pbx/permissions"
    assert (await office.ask("PUT", pbx, json=wrong)).problem == (422, "wrong_section")
    assert (await office.ask("GET", f"/v1/staff/{jane.id}/sections/smoke/permissions")).status == 404


async def grants(office: Office, staff: UUID) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = (await office.get(f"/v1/staff/{staff}/grants"))["grants"]
    return found


async def test_reset_takes_the_grants_and_leaves_the_levels(office: Office) -> None:
    jane = await office.acme.add(default="read")
    await office.one("add_contract", key="7", label="Agreement 7", products=["telephony"])
    await office.made(
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("set_grant", staff=jane, target={}, level="deny"),
    )
    assert (await office.ask("DELETE", f"/v1/staff/{jane.id}/grants")).status == 200
    assert await grants(office, jane.id) == []
    assert await office.may(jane, "sms.view", "section:sms")
    assert await office.may(jane, "telephony.settings.view", "section:telephony.settings", contract="7")


async def test_identity_does_not_undo_what_was_changed_here(office: Office) -> None:
    """A suspension carries the default level of the day on which the account was made."""
    jane = await office.acme.add(default="deny")
    await office.made(
        change("set_default_level", staff=jane, level="use"), change("set_routing", staff=jane, anywhere=True)
    )
    await office.acme.revision()
    await jane.becomes(StaffSuspended, status=StaffStatus.SUSPENDED)
    await jane.becomes(StaffReactivated, status=StaffStatus.ACTIVE)
    shown = await office.get(f"/v1/staff/{jane.id}/subject")
    assert (shown["default_level"], shown["route_anywhere"], shown["status"]) == ("use", True, "active")
    assert await office.may(jane, "sms.create", "section:sms")
