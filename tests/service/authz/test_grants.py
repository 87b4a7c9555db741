"""Setting and removing grants: what changes, what is told, and who may (permission model, sections 2 and 6)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts.identity import StaffStatus, StaffSuspended
from tests.locks import until_held_up
from tests.service.authz.conftest import NOBODY, Gate, Organisation, Someone

SALES: dict[str, Any] = {"item": "inbox:sales"}
MANAGEMENT: dict[str, Any] = {"item": "inbox:management"}


async def grants_of(acme: Organisation, who: Someone, by: Someone | None = None) -> Any:
    return await acme.authz.ask("GET", f"/v1/staff/{who.id}/grants", token=(by or acme.ray).token)


async def remove(acme: Organisation, who: Someone, id: str | UUID, by: Someone | None = None) -> Any:
    return await acme.authz.ask("DELETE", f"/v1/staff/{who.id}/grants/{id}", token=(by or acme.ray).token)


@pytest.fixture
async def jane(acme: Organisation) -> Someone:
    await acme.register("inbox:sales", "inbox:management")
    return await acme.add()


@pytest.fixture
async def luke(acme: Organisation, jane: Someone) -> Someone:
    """Standard, and trusted with permissions: SMS Use without Management."""
    luke = await acme.add()
    await acme.granted(luke, ("use", {"section": "core.permissions"}), ("use", {}), ("deny", MANAGEMENT))
    return luke


async def test_a_target_has_one_grant(acme: Organisation, jane: Someone) -> None:
    first = (await acme.grant(jane, "read", **SALES)).json
    second = (await acme.grant(jane, "use", **SALES)).json
    assert first["grant"]["id"] == second["grant"]["id"]
    listed = (await grants_of(acme, jane)).json
    assert listed == {"grants": [second["grant"]], "revision": second["revision"], "gone": []}


async def test_every_change_raises_the_revision_once_and_is_told_once(acme: Organisation, jane: Someone) -> None:
    start = await acme.revision()
    before = len(acme.authz.heard.of(acme.org))
    answers = [await acme.grant(jane, level, **SALES) for level in ("read", "read", "use", "use", "deny")]
    assert [answer.json["revision"] - start for answer in answers] == [1, 1, 2, 2, 3]
    removed = await remove(acme, jane, answers[-1].json["grant"]["id"])
    assert removed.json == {"revision": start + 4}
    told = (await acme.authz.told(acme.org, before + 4))[before:]
    assert [(event.previous - start, event.revision - start, event.people) for event in told] == [
        (n, n + 1, [jane.id]) for n in range(4)
    ]


async def test_parallel_changes_have_revisions_one_after_the_other(acme: Organisation, jane: Someone) -> None:
    start = await acme.revision()
    before = len(acme.authz.heard.of(acme.org))
    features = [{"feature": feature} for feature in ("sms.read", "sms.send", "sms.delete")]
    targets: list[dict[str, Any]] = [{}, SALES, MANAGEMENT, *features]
    answers = await asyncio.gather(*(acme.grant(jane, level, **t) for t in targets for level in ("read", "use")))
    revisions = sorted(answer.json["revision"] for answer in answers)
    assert revisions == list(range(start + 1, start + 13))
    told = (await acme.authz.told(acme.org, before + 12))[before:]
    assert [event.revision for event in told] == revisions
    assert [event.previous + 1 for event in told] == revisions


async def test_one_set_has_one_way_to_be_written(acme: Organisation, jane: Someone) -> None:
    await acme.register("number:office-a", section="telephony.numbers")
    wide = (await acme.grant(jane, "use", "telephony", item="number:office-a")).json["grant"]
    narrow = (await acme.grant(jane, "read", "telephony.numbers", item="number:office-a")).json["grant"]
    assert wide["id"] == narrow["id"]
    assert wide["target"] == {"section": "telephony.numbers", "item": "number:office-a"}


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"section": "smoke"}, "unknown_section"),
        ({"section": "sms", "feature": "sms.shred"}, "unknown_feature"),
        ({"section": "sms", "feature": "call.route"}, "target_empty"),
        ({"section": "sms", "item": "number:office-a"}, "target_empty"),
        ({"section": "sms", "item": "crate:sales"}, "unknown_item_type"),
        ({"section": "sms", "item": "sales"}, "unknown_item_type"),
        ({"section": "sms", "item": "inbox:unheard-of"}, "unknown_item"),
        ({"section": "sms", "item": "inbox:"}, "unknown_item"),
        ({"section": "sms", "item": "inbox:\u0000"}, "invalid"),
        ({"section": "SMS"}, "invalid"),
        ({"product": "smoke"}, "unknown_product"),
        ({"product": "sms", "section": "contacts"}, "target_empty"),
        ({"section": "sms", "tenant": "acme"}, "unknown_tenant"),
        ({"section": "sms", "contract": "7"}, "unknown_contract"),
        ({"section": "sms", "nonsense": "7"}, "invalid"),
    ],
)
async def test_a_target_has_to_be_there(acme: Organisation, target: dict[str, str], code: str) -> None:
    jane = await acme.add()
    path, body = f"/v1/staff/{jane.id}/grants", {"target": target, "level": "use"}
    answer = await acme.authz.ask("PUT", path, token=acme.ray.token, json=body)
    assert answer.problem == (422, code)
    assert answer.json["detail"]
    assert (await grants_of(acme, jane)).json["grants"] == []


async def test_the_channels_are_items_in_every_organisation(acme: Organisation) -> None:
    jane = await acme.add()
    assert (await acme.grant(jane, "use", "channels", item="channel:whatsapp")).status == 200
    assert await acme.found(jane, "channel.operate", "channel") == ["channel:whatsapp"]


async def test_a_wrong_body_is_refused(acme: Organisation, jane: Someone) -> None:
    path = f"/v1/staff/{jane.id}/grants"
    for body in ({"level": "use"}, {"target": {"section": "sms"}, "level": "all"}, {"target": 1, "level": "use"}, {}):
        answer = await acme.authz.ask("PUT", path, token=acme.ray.token, json=body)
        assert answer.problem == (422, "invalid")
    answer = await acme.authz.ask("PUT", path, token=acme.authz.product, json={})
    assert answer.problem == (403, "wrong_caller")
    assert (await acme.authz.ask("PUT", path, json={})).problem == (401, "token_missing")
    assert (await acme.authz.ask("PUT", "/v1/staff/jane/grants", token=acme.ray.token, json={})).status == 404


# --- who may --------------------------------------------------------------------------------------------------


async def test_who_may_not_change_permissions_changes_none(acme: Organisation, jane: Someone) -> None:
    laya = await acme.add(default="full")
    await acme.granted(laya, ("read", {"section": "core.permissions"}))
    granted = (await acme.grant(jane, "read")).json["grant"]
    assert (await acme.grant(jane, "use", by=laya)).problem == (403, "not_permitted")
    assert (await remove(acme, jane, granted["id"], by=laya)).problem == (403, "not_permitted")
    assert (await grants_of(acme, jane, by=laya)).status == 200, "to view them is another matter"
    assert (await grants_of(acme, laya, by=jane)).problem == (403, "not_permitted")
    assert (await grants_of(acme, jane, by=jane)).json["grants"] == [granted]


async def test_an_administrator_hands_out_anything(acme: Organisation, jane: Someone) -> None:
    laya = await acme.add("administrator")
    assert (await acme.grant(jane, "full", "core.permissions", by=laya)).status == 200


async def test_nobody_hands_out_more_than_they_have(acme: Organisation, jane: Someone, luke: Someone) -> None:
    assert (await acme.grant(jane, "use", by=luke, **SALES)).status == 200
    target: dict[str, Any]
    for level, target in (
        ("full", SALES),
        ("read", MANAGEMENT),
        ("use", {}),
        ("read", {"section": "contacts"}),
        ("full", {"section": "core.permissions"}),
    ):
        refused = await acme.grant(jane, level, by=luke, **target)
        assert refused.problem == (403, "more_than_own"), target
    assert refused.json["target"] == {"section": "core.permissions"}
    assert (await acme.grant(jane, "deny", by=luke)).status == 200, "Deny is nothing, and anybody has it to give"
    assert (await acme.grant(jane, "use", "core.permissions", by=luke)).status == 200


async def test_what_the_giver_lost_they_do_not_give_any_more(acme: Organisation, jane: Someone, luke: Someone) -> None:
    assert (await acme.grant(luke, "read", **SALES)).status == 200
    assert (await acme.grant(jane, "use", by=luke, **SALES)).problem == (403, "more_than_own")
    await acme.granted(luke, ("deny", {"section": "core.permissions"}))
    assert (await acme.grant(jane, "deny", by=luke)).problem == (403, "not_permitted")
    await luke.becomes(StaffSuspended, status=StaffStatus.SUSPENDED)
    assert (await acme.grant(jane, "deny", by=luke)).problem == (403, "not_permitted")


async def test_a_giver_who_is_losing_it_gives_before_or_not_at_all(
    acme: Organisation, jane: Someone, luke: Someone, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    giving = asyncio.create_task(acme.grant(jane, "use", by=luke, **SALES))
    await gate.reached.wait()
    taking = asyncio.create_task(acme.grant(luke, "deny", "core.permissions"))
    await until_held_up(owner, unless=taking.done)
    gate.go.set()
    given, taken = await giving, await taking
    assert (given.status, taken.status) == (200, 200)
    assert given.json["revision"] < taken.json["revision"]


async def test_taking_a_restriction_away_is_giving(acme: Organisation, jane: Someone, luke: Someone) -> None:
    deny_management = (await acme.grant(jane, "deny", **MANAGEMENT)).json["grant"]["id"]
    deny_sales = (await acme.grant(jane, "deny", **SALES)).json["grant"]["id"]
    no_sending = (await acme.grant(jane, "deny", feature="sms.send")).json["grant"]["id"]
    await acme.granted(jane, ("use", {}))
    assert (await remove(acme, jane, deny_management, by=luke)).problem == (403, "more_than_own")
    await acme.granted(luke, ("deny", {"feature": "sms.send"}))
    assert (await remove(acme, jane, no_sending, by=luke)).problem == (403, "more_than_own"), "not his any more"
    await acme.granted(luke, ("use", {"feature": "sms.send"}), ("read", SALES))
    assert (await remove(acme, jane, deny_sales, by=luke)).problem == (403, "more_than_own"), "Jane would have Use"
    await acme.granted(luke, ("use", SALES))
    assert (await remove(acme, jane, deny_sales, by=luke)).status == 200
    assert (await remove(acme, jane, no_sending, by=luke)).status == 200, "Management is denied to Jane anyway"
    assert (await remove(acme, jane, deny_management)).status == 200


async def test_nor_what_a_restriction_kept_back_on_items_of_their_own(acme: Organisation, jane: Someone) -> None:
    """`sms.send` denied as a feature holds back Full on one inbox; without it that inbox could send."""
    han = await acme.add()
    await acme.granted(han, ("use", {"section": "core.permissions"}), ("read", {}))
    await acme.granted(jane, ("full", SALES))
    no_sending = (await acme.grant(jane, "deny", feature="sms.send")).json["grant"]["id"]
    assert (await remove(acme, jane, no_sending, by=han)).problem == (403, "more_than_own")


async def test_nor_is_it_given_through_somebody_not_active_yet(acme: Organisation, luke: Someone) -> None:
    han = await acme.add(status="invited", default="full")
    deny = (await acme.grant(han, "deny", **MANAGEMENT)).json["grant"]["id"]
    assert (await remove(acme, han, deny, by=luke)).problem == (403, "more_than_own")


async def test_nobody_changes_their_own(acme: Organisation, luke: Someone) -> None:
    assert (await acme.grant(luke, "deny", by=luke)).problem == (403, "own_permissions")
    assert (await remove(acme, luke, NOBODY, by=luke)).problem == (403, "own_permissions")
    assert (await acme.grant(acme.ray, "use", by=acme.ray)).problem == (403, "own_permissions")


async def test_owner_and_administrators_have_all_and_can_not_be_restricted(acme: Organisation) -> None:
    laya = await acme.add("administrator")
    refused = await acme.grant(laya, "deny")
    assert (refused.problem, "An administrator" in refused.json["detail"]) == ((409, "has_all"), True)
    assert (await acme.grant(acme.ray, "deny", by=laya)).problem == (409, "has_all")
