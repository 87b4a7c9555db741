"""Grants and assignments that end: in the decision, in the views, and in what may be handed out by them."""

from __future__ import annotations

from typing import Any

from tests.service.authz.office import Office, change, clerk, entry, on

TEN, ELEVEN, NOON = (f"2026-11-22T{hour}:00:00Z" for hour in (10, 11, 12))  # the clock stands at nine
MORE = (403, "more_than_own")


async def test_a_grant_counts_until_its_end_and_no_longer(office: Office) -> None:
    jane = await office.acme.add()
    grant = await office.one("set_grant", staff=jane, target=on("sms"), level="use", expires_at=TEN)
    assert grant["expires_at"] == TEN
    assert await office.may(jane, "sms.create", "section:sms")
    office.acme.authz.clock.advance(seconds=3599)
    assert await office.may(jane, "sms.create", "section:sms")
    office.acme.authz.clock.advance(seconds=1)
    assert not await office.may(jane, "sms.create", "section:sms"), "though nothing was announced"
    assert (await office.get(f"/v1/staff/{jane.id}/grants"))["grants"] == []
    gone = {"staff": jane, "grant": grant["id"]}
    assert await office.refused("remove_grant", **gone) == (404, "not_found")


async def test_an_assignment_counts_until_its_end_and_no_longer(office: Office) -> None:
    jane = await office.acme.add()
    role = await office.role("Sender", "full", entry("view", "sms"))
    held = await office.assigned(role, jane, expires_at=TEN)
    assert await office.may(jane, "sms.view", "section:sms")
    assert await office.refused("delete_role", role=role) == (409, "role_in_use")
    office.acme.authz.clock.advance(hours=1)
    assert not await office.may(jane, "sms.view", "section:sms")
    assert (await office.get(f"/v1/staff/{jane.id}/roles"))["assignments"] == []
    assert (await office.get(f"/v1/roles/{role}"))["holders"] == []
    assert await office.refused("unassign_role", assignment=held) == (404, "not_found")
    await office.one("delete_role", role=role)


async def test_what_ended_may_be_given_again(office: Office) -> None:
    jane = await office.acme.add()
    first = await office.one("set_grant", staff=jane, target=on("sms"), level="use", expires_at=TEN)
    held = await office.assigned("pbx.basic-user", jane, expires_at=TEN)
    office.acme.authz.clock.advance(hours=1)
    answer = await office.make(change("set_grant", staff=jane, target=on("sms"), level="use"))
    assert answer.json["outcomes"][0]["before"] is None, "what had expired was nothing"
    assert answer.json["outcomes"][0]["after"]["id"] == first["id"]
    await office.assigned("pbx.office-manager", jane)  # the other scope has ended
    assert await office.may(jane, "sms.create", "section:sms")
    office.acme.authz.clock.advance(hours=24)
    assert await office.may(jane, "sms.create", "section:sms")
    assert held not in [one["id"] for one in (await office.get(f"/v1/staff/{jane.id}/roles"))["assignments"]]


async def test_an_end_has_to_be_still_to_come(office: Office) -> None:
    jane = await office.acme.add()
    for moment, problem in (
        ("2026-11-22T09:00:00Z", "not_to_come"),
        ("0001-01-01T00:00:00+14:00", "not_to_come"),
        ("9999-12-31T23:59:59-14:00", "not_to_come"),
        ("2026-11-22T10:00:00", "invalid"),
        ("tomorrow", "invalid"),
    ):
        for kind, fields in (
            ("set_grant", {"target": on("sms"), "level": "use"}),
            ("assign_role", {"role": "agent"}),
        ):
            assert await office.refused(kind, staff=jane, **fields, expires_at=moment) == (422, problem)
    grant = await office.one(
        "set_grant", staff=jane, target=on("sms"), level="use", expires_at="2026-11-22T20:00:00+10:00"
    )
    assert grant["expires_at"] == TEN


# --- handing out ----------------------------------------------------------------------------------------------


async def test_a_gift_does_not_outlast_what_its_giver_has_it_by(office: Office) -> None:
    luke, jane = await clerk(office), await office.acme.add()
    await office.one("set_grant", staff=luke, target=on("sms"), level="use", expires_at=ELEVEN)
    give: dict[str, Any] = {"by": luke, "staff": jane, "target": on("sms"), "level": "use"}
    assert await office.refused("set_grant", **give) == MORE, "for good"
    assert await office.refused("set_grant", **give, expires_at=NOON) == MORE
    await office.one("set_grant", **give, expires_at=TEN)
    await office.one("set_grant", **give, expires_at=ELEVEN)
    role = await office.role("Sender", "full", entry("view", "sms"))
    assert await office.refused("assign_role", by=luke, staff=jane, role=role) == MORE
    await office.one("assign_role", by=luke, staff=jane, role=role, expires_at=ELEVEN)


async def test_a_denial_that_is_to_end_gives_away_what_comes_after_it(office: Office) -> None:
    luke, jane = await clerk(office), await office.acme.add(default="full")
    deny: dict[str, Any] = {"staff": jane, "target": on("contacts"), "level": "deny"}
    await office.one("set_grant", **deny)
    assert await office.refused("set_grant", by=luke, **deny, expires_at=TEN) == MORE
    await office.one("set_grant", **deny, expires_at=NOON)
    assert await office.refused("set_grant", by=luke, **deny, expires_at=ELEVEN) == MORE, "an hour earlier"
    await office.one("set_grant", by=luke, **deny), "for good: that takes something away"


async def test_nobody_raises_themselves_some_day(office: Office) -> None:
    """Han's own role is to end; a change to it that shows only after that is his own raise as well."""
    han = await office.acme.add()
    core = entry("view create edit delete", "core")
    role = {"name": "Clerk", "data_access": "full"}
    held = await office.role("Clerk", "full", core)
    await office.assigned(held, han)
    await office.assigned(await office.role("Silence", "full", entry("view", "sms")), han, expires_at=TEN)
    refused = await office.refused("edit_role", by=han, role=held, **role, entries=[core, entry("view", "sms")])
    assert refused == (403, "own_permissions"), "he has it now by the other role, and would keep it"
