"""The permission model's examples and the story's steps 6 and 7, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.authz.conftest import NOBODY, Answer, Organisation, Someone, registered

SALES: dict[str, Any] = {"item": "inbox:sales"}
MANAGEMENT: dict[str, Any] = {"item": "inbox:management"}


@pytest.fixture
async def jane(acme: Organisation) -> Someone:
    """The story's Jane: SMS Read, Sales Use, Management Deny."""
    await acme.register("inbox:sales", "inbox:management", "inbox:support")
    jane = await acme.add()
    await acme.granted(jane, ("read", {}), ("use", SALES), ("deny", MANAGEMENT))
    return jane


def why(answer: Answer) -> tuple[bool, str, dict[str, str]]:
    return answer.json["decision"], answer.json["context"]["reason"], answer.json["context"]["target"]


async def test_examples_1_to_3_the_narrower_grant_decides(acme: Organisation, jane: Someone) -> None:
    on_item = {"section": "sms", "item": "inbox:sales"}
    assert why(await acme.explained(jane, "sms.send", "inbox:sales")) == (True, "grant", on_item)
    on_item = {"section": "sms", "item": "inbox:management"}
    management = await acme.explained(jane, "sms.read", "inbox:management")
    assert why(management) == (False, "grant", on_item)
    assert management.json["context"]["visible"] is False
    assert why(await acme.explained(jane, "sms.read", "inbox:support")) == (True, "grant", {"section": "sms"})


async def test_examples_4_and_5_feature_and_item_both_have_to_allow(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    luke = await acme.add(default="full")
    await acme.granted(luke, ("deny", {"feature": "sms.send"}), ("full", SALES))
    assert not await acme.may(luke, "sms.send", "inbox:sales")
    await acme.granted(luke, ("use", {"feature": "sms.send", "item": "inbox:sales"}))
    assert await acme.may(luke, "sms.send", "inbox:sales")
    assert not await acme.may(luke, "sms.send", "inbox:support")


async def test_an_explanation_names_the_rule_and_the_revision(acme: Organisation) -> None:
    await acme.register("inbox:sales")
    jane = await acme.add()
    changed = (await acme.grant(jane, "use", **SALES)).json
    context = (await acme.explained(jane, "sms.send", "inbox:sales")).json["context"]
    assert (context["rule"], context["revision"]) == (changed["grant"]["id"], changed["revision"])
    assert (await acme.explained(jane, "sms.send", "inbox:sales", explain=False)).json == {"decision": True}


async def test_step_6_the_product_lists_what_jane_sees(acme: Organisation, jane: Someone) -> None:
    assert await acme.found(jane, "sms.read") == ["inbox:sales", "inbox:support"]
    assert await acme.found(jane, "sms.send") == ["inbox:sales"]
    assert await acme.found(acme.ray, "sms.delete") == ["inbox:management", "inbox:sales", "inbox:support"]
    assert await acme.found(jane, "sms.read", "no-such-type") == []
    assert await acme.found(jane, "no.such.action") == []
    assert await acme.found(NOBODY, "sms.read") == []


async def test_step_7_raising_and_lowering_a_level_shows_in_the_next_answer(acme: Organisation, jane: Someone) -> None:
    for level, allowed in (("use", True), ("deny", False), ("read", True), ("deny", False)):
        assert (await acme.grant(jane, level, **MANAGEMENT)).status == 200
        assert await acme.may(jane, "sms.read", "inbox:management") is allowed
        assert ("inbox:management" in await acme.found(jane, "sms.read")) is allowed


async def test_removing_a_grant_lets_the_rest_decide(acme: Organisation, jane: Someone) -> None:
    grants = (await acme.authz.ask("GET", f"/v1/staff/{jane.id}/grants", token=acme.ray.token)).json["grants"]
    deny = next(grant for grant in grants if grant["level"] == "deny")
    path = f"/v1/staff/{jane.id}/grants/{deny['id']}"
    removed = await acme.authz.ask("DELETE", path, token=acme.ray.token)
    assert removed.status == 200
    assert await acme.may(jane, "sms.read", "inbox:management", min_revision=removed.json["revision"])
    assert (await acme.authz.ask("DELETE", path, token=acme.ray.token)).problem == (404, "not_found")


async def test_what_is_not_known_is_denied_and_never_a_fault(acme: Organisation, jane: Someone) -> None:
    async def reason(subject: Any, action: str, resource: dict[str, str]) -> str:
        body = {
            "subject": subject,
            "action": {"name": action},
            "resource": resource,
            "context": {"explain": True, "ip": "192.0.2.1"},
        }
        answer = await acme.authz.ask("POST", "/access/v1/evaluation", token=acme.authz.product, json=body)
        assert (answer.status, answer.json["decision"], answer.json["context"]["visible"]) == (200, False, False)
        return str(answer.json["context"]["reason"])

    me, sales = {"type": "staff", "id": str(jane.id)}, {"type": "inbox", "id": "sales"}
    for stranger in (str(NOBODY), "jane", "", "a\x00b", "9" * 5000):
        assert await reason(me | {"id": stranger}, "sms.read", sales) == "unknown_subject"
    assert await reason({"type": "robot", "id": str(jane.id)}, "sms.read", sales) == "unknown_subject"
    assert await reason(me, "sms.shred", sales) == "unknown_action"
    assert await reason(me, "sms.read", {"type": "crate", "id": "sales"}) == "unknown_resource"
    assert await reason(me, "sms.read", {"type": "number", "id": "office-a"}) == "unknown_resource"
    assert await reason(me, "sms.view", {"type": "section", "id": "smoke-signals"}) == "unknown_section"


def body(subject: Someone, /, **changes: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "staff", "id": str(subject.id)},
        "action": {"name": "sms.read"},
        "resource": {"type": "inbox", "id": "sales"},
    } | changes


async def test_people_ask_about_themselves_only(acme: Organisation, jane: Someone) -> None:
    for path in ("/access/v1/evaluation", "/access/v1/search/resource"):
        own = await acme.authz.ask("POST", path, token=jane.token, json=body(jane))
        assert own.status == 200
        for subject in (acme.ray.id, NOBODY, "jane"):
            asked = body(jane, subject={"type": "staff", "id": str(subject)})
            assert (await acme.authz.ask("POST", path, token=jane.token, json=asked)).problem == (403, "others")
        assert (await acme.authz.ask("POST", path, json=body(jane))).problem == (401, "token_missing")
        forged = jane.token[:-6] + "AAAAAA"
        assert (await acme.authz.ask("POST", path, token=forged, json=body(jane))).problem == (401, "token_refused")


@pytest.mark.parametrize("path", ["/access/v1/evaluation", "/access/v1/search/resource"])
async def test_a_bad_question_is_refused_with_its_reason(acme: Organisation, jane: Someone, path: str) -> None:
    async def status(**options: Any) -> tuple[int, str]:
        answer: Answer = await acme.authz.ask("POST", path, token=acme.authz.product, **options)
        assert answer.json["detail"]
        return answer.problem

    json_type = {"Content-Type": "application/json"}
    for content in (b"", b"{", b'{"subject":', b"\xff\xfe", b'{"a":' * 100_000, b'{"subject":{"type":"\\ud800"}}'):
        assert await status(data=content, headers=json_type) == (400, "malformed_json")
    assert await status(data=b"{}", headers={"Content-Type": "text/plain"}) == (400, "wrong_content_type")
    changes: dict[str, Any]
    for changes in (
        {"subject": None},
        {"subject": {"type": "staff"}},
        {"subject": {"type": "staff", "id": 5}},
        {"action": "sms.read"},
        {"resource": []},
        {"context": "now"},
        {"context": {"min_revision": "9"}},
        {"context": {"min_revision": -1}},
        {"context": {"min_revision": 1e300}},
        {"context": {"explain": "yes"}},
    ):
        assert await status(json=body(jane, **changes)) == (400, "invalid"), changes
    assert await status(data=b"x" * (1 << 21), headers=json_type) == (413, "too_large")


async def test_a_person_sees_their_own_permissions_as_a_tree(acme: Organisation, jane: Someone) -> None:
    own = (await acme.authz.ask("GET", "/v1/me/permissions", token=jane.token)).json
    sms = next(section for section in own["sections"] if section["section"] == "sms")
    assert (sms["level"], sms["actions"], sms["reason"], sms["target"]) == (
        "read",
        ["view"],
        "grant",
        {"section": "sms"},
    )
    assert own["revision"] == await acme.revision()
    core = next(section for section in own["sections"] if section["section"] == "core")
    assert (core["level"], core["reason"]) == ("deny", "default")
    assert {"core.staff", "core.permissions"} < {section["section"] for section in core["sections"]}


async def test_nothing_crosses_from_one_organisation_to_another(acme: Organisation, jane: Someone) -> None:
    other = await registered(acme.authz, "Other Crates")
    await other.register("inbox:treasure", "inbox:sales")
    han = await other.add(default="full")
    assert await acme.found(acme.ray, "sms.read") == ["inbox:management", "inbox:sales", "inbox:support"]
    assert await other.found(han, "sms.read") == ["inbox:sales", "inbox:treasure"]
    assert not await acme.may(jane, "sms.send", "inbox:treasure")
    for method, path, options in (
        ("GET", "/v1/staff/{}/grants", {}),
        ("PUT", "/v1/staff/{}/grants", {"json": {"target": {"section": "sms"}, "level": "deny"}}),
        ("DELETE", "/v1/staff/{}/grants/" + str(NOBODY), {}),
    ):
        foreign = await acme.authz.ask(method, path.format(jane.id), token=other.ray.token, **options)
        missing = await acme.authz.ask(method, path.format(NOBODY), token=other.ray.token, **options)
        same = foreign.text.replace(str(jane.id), "") == missing.text.replace(str(NOBODY), "", 1)
        assert (foreign.problem, same) == ((404, "not_found"), True), foreign.text
