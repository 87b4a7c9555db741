"""Conformance with OpenID AuthZEN Authorization API 1.0: a test for every MUST that a decision point can break, named
after it. What is left to others is not here: the PEP's own duties, and TLS, which ends in front of the service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from services.authz.app import Settings
from shared.settings import BadSettings, load
from tests.conftest import FrozenClock
from tests.service.authz.conftest import NOBODY, Answer, Authz, Organisation, Someone, registered, surroundings

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SUBJECTS, RESOURCES, ACTIONS = "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"
SEARCHES = (SUBJECTS, RESOURCES, ACTIONS)
ALL = (EVALUATION, EVALUATIONS, *SEARCHES)
METADATA = "/.well-known/authzen-configuration"
JSON = {"Content-Type": "application/json"}

every_endpoint = pytest.mark.parametrize("path", ALL)
every_search = pytest.mark.parametrize("path", SEARCHES)


@pytest_asyncio.fixture(scope="module")
async def authz(database: Urls) -> AsyncIterator[Authz]:
    """One for all: nothing here changes anything."""
    async with surroundings(database, FrozenClock()) as authz:
        authz.first = await authz.replica()
        yield authz


@pytest_asyncio.fixture(scope="module")
async def acme(authz: Authz) -> Organisation:
    return await registered(authz)


@pytest_asyncio.fixture(scope="module")
async def jane(acme: Organisation) -> Someone:
    """SMS Read, Sales Use, Management Deny."""
    await acme.register("inbox:sales", "inbox:management", "inbox:support")
    jane = await acme.add()
    await acme.granted(jane, ("read", {}), ("use", {"item": "inbox:sales"}), ("deny", {"item": "inbox:management"}))
    return jane


def sound(jane: Someone, path: str) -> dict[str, Any]:
    """A request to which the endpoint answers with something."""
    subject: dict[str, Any] = {"type": "staff", "id": str(jane.id)}
    action: dict[str, Any] = {"name": "sms.read"}
    resource: dict[str, Any] = {"type": "inbox", "id": "sales"}
    context: dict[str, Any] = {"organisation": str(jane.org)}
    bodies: dict[str, dict[str, Any]] = {
        EVALUATION: {"subject": subject, "action": action, "resource": resource, "context": context},
        EVALUATIONS: {
            "subject": subject,
            "action": action,
            "context": context,
            "evaluations": [{"resource": resource}],
        },
        SUBJECTS: {"subject": {"type": "staff"}, "action": action, "resource": resource, "context": context},
        RESOURCES: {"subject": subject, "action": action, "resource": {"type": "inbox"}, "context": context},
        ACTIONS: {"subject": subject, "resource": resource, "context": context},
    }
    return bodies[path]


async def ask(jane: Someone, path: str, body: Any = None, **options: Any) -> Answer:
    if "data" not in options:
        options["json"] = sound(jane, path) if body is None else body
    answer: Answer = await jane.authz.ask("POST", path, token=jane.authz.product, **options)
    return answer


async def evaluations(jane: Someone, *items: Any, **rest: Any) -> list[dict[str, Any]]:
    body = {"subject": {"type": "staff", "id": str(jane.id)}, "action": {"name": "sms.read"}, "evaluations": items}
    answer = await ask(jane, EVALUATIONS, body | rest)
    assert answer.status == 200, answer.text
    assert list(answer.json) == ["evaluations"]
    found: list[dict[str, Any]] = answer.json["evaluations"]
    return found


def on(inbox: str, **more: Any) -> dict[str, Any]:
    return {"resource": {"type": "inbox", "id": inbox}, **more}


ALLOW, DENY = {"decision": True}, {"decision": False}


# --- 4, 5: version and information model ----------------------------------------------------------------------


@every_endpoint
async def test_an_endpoint_names_the_version(jane: Someone, path: str) -> None:
    """4: endpoints SHOULD include `v1`."""
    shown = (await jane.authz.ask("GET", METADATA)).json
    assert f"https://authz.test{path}" in shown.values()
    assert "/v1/" in path


async def test_a_decision_has_a_boolean_and_no_context_unless_one_was_asked_for(jane: Someone) -> None:
    """5.5: `decision` is REQUIRED and a boolean; `context` is OPTIONAL and an object."""
    assert (await ask(jane, EVALUATION)).json == {"decision": True}
    body = sound(jane, EVALUATION)
    body["resource"]["id"] = "management"
    assert (await ask(jane, EVALUATION, body)).json == {"decision": False}
    body["context"]["explain"] = True
    explained = (await ask(jane, EVALUATION, body)).json
    assert (explained["decision"], explained["context"]["reason"]) == (False, "grant")


async def test_properties_are_optional_objects(jane: Someone) -> None:
    """5.1 to 5.3: a property can have any value, nested ones and null included."""
    body = sound(jane, EVALUATION)
    for key in ("subject", "action", "resource"):
        body[key]["properties"] = {"a": [None, {"b": [1.5, True, "c"]}], "none": None}
        assert (await ask(jane, EVALUATION, body)).json == ALLOW
        body[key]["properties"] = "text"
        assert (await ask(jane, EVALUATION, body)).problem == (400, "invalid")
        del body[key]["properties"]


async def test_the_context_is_the_callers_own(jane: Someone) -> None:
    """5.4: any attributes of the environment."""
    body = sound(jane, EVALUATION)
    body["context"] |= {"time": "1985-10-26T01:22-07:00", "deep": {"a": [1]}}
    assert (await ask(jane, EVALUATION, body)).json == ALLOW


# --- 6: evaluation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["subject", "action", "resource", "subject.type", "subject.id", "action.name"])
async def test_an_evaluation_has_subject_action_and_resource(jane: Someone, missing: str) -> None:
    """6.1, 5.1 to 5.3: all three, with their keys, are REQUIRED."""
    body = sound(jane, EVALUATION)
    outer, _, inner = missing.partition(".")
    if inner:
        del body[outer][inner]
    else:
        del body[outer]
    answer = await ask(jane, EVALUATION, body)
    assert answer.problem == (400, "invalid")
    assert (inner or outer) in answer.json["detail"]


async def test_who_is_not_known_is_denied(jane: Someone) -> None:
    """6.2: a request that could be evaluated has a decision, and never an error."""
    for subject in ({"type": "staff", "id": str(NOBODY)}, {"type": "user", "id": "alice@example.com"}):
        assert (await ask(jane, EVALUATION, sound(jane, EVALUATION) | {"subject": subject})).json == DENY
    resource = {"type": "document", "id": "123"}
    assert (await ask(jane, EVALUATION, sound(jane, EVALUATION) | {"resource": resource})).json == DENY


# --- 7: evaluations -------------------------------------------------------------------------------------------


async def test_decisions_come_in_the_order_of_the_questions(jane: Someone) -> None:
    """7.2: one for each, the same order, equal questions included."""
    names = ["sales", "management", "support", "management", "sales", "sales"]
    found = await evaluations(jane, *[on(name) for name in names])
    assert found == [DENY if name == "management" else ALLOW for name in names]


@pytest.mark.parametrize("given", [{}, {"evaluations": []}])
async def test_without_evaluations_it_is_a_single_evaluation(jane: Someone, given: dict[str, Any]) -> None:
    """7.1: an absent or empty array behaves as the Access Evaluation API."""
    assert (await ask(jane, EVALUATIONS, sound(jane, EVALUATION) | given)).json == {"decision": True}
    incomplete = sound(jane, EVALUATION) | given
    del incomplete["resource"]
    assert (await ask(jane, EVALUATIONS, incomplete)).problem == (400, "invalid")
    explained = sound(jane, EVALUATION) | given | {"context": {"explain": True}}
    assert (await ask(jane, EVALUATIONS, explained)).json["context"]["reason"] == "grant"


async def test_a_key_of_an_evaluation_replaces_the_default_whole(jane: Someone) -> None:
    """7.1.1: it overrides the corresponding top-level default; nothing of that one is mixed in."""
    other = {"action": {"name": "sms.send"}}
    assert await evaluations(jane, on("sales"), on("support"), on("sales", **other), on("support", **other)) == [
        ALLOW, ALLOW, ALLOW, DENY,
    ]  # fmt: skip
    # The channel of the default must not cling to an item's own resource, nor `explain` to its own context.
    default = {"type": "inbox", "id": "sales", "properties": {"contract": "no-such-contract"}}
    found = await evaluations(
        jane, {}, on("sales"), on("sales", context={}), resource=default, context={"explain": True}
    )
    assert [one["decision"] for one in found] == [False, True, True]
    assert ["context" in one for one in found] == [True, True, False]


@pytest.mark.parametrize("key", ["subject", "action", "resource"])
async def test_what_an_evaluation_leaves_out_has_to_be_at_the_top(jane: Someone, key: str) -> None:
    """7.1.1: any key omitted from an evaluation object MUST be provided as a top-level key."""
    body = sound(jane, EVALUATION)
    item = {key: body.pop(key)}
    answer = await ask(jane, EVALUATIONS, body | {"evaluations": [item, {}, item]})
    first, second, third = answer.json["evaluations"]
    assert (answer.status, first, third) == (200, ALLOW, ALLOW)
    assert (second["decision"], second["context"]["error"]["status"]) == (False, 400)
    assert key in second["context"]["error"]["message"]


@pytest.mark.parametrize(
    ("semantic", "names", "decided"),
    [
        (None, ["sales", "management", "support"], [ALLOW, DENY, ALLOW]),
        ("execute_all", ["sales", "management", "support"], [ALLOW, DENY, ALLOW]),
        ("deny_on_first_deny", ["sales", "management", "support"], [ALLOW, DENY]),
        ("deny_on_first_deny", ["sales", "support"], [ALLOW, ALLOW]),
        ("permit_on_first_permit", ["management", "sales", "support"], [DENY, ALLOW]),
        ("permit_on_first_permit", ["management", "management"], [DENY, DENY]),
    ],
)
async def test_the_semantic_decides_where_it_stops(
    jane: Someone, semantic: str | None, names: list[str], decided: list[Any]
) -> None:
    """7.1.2.1: three semantics, execute_all by default; a short circuit ends with the evaluation that decided."""
    options = {"options": {"evaluations_semantic": semantic, "another_option": 1}} if semantic else {}
    assert await evaluations(jane, *[on(name) for name in names], **options) == decided


async def test_a_failure_counts_as_a_denial(jane: Someone) -> None:
    """7.1.2.1: "any denial (error, or decision: false)" ends deny_on_first_deny; it never permits."""
    failing = {"resource": {"type": "inbox"}}
    options = {"evaluations_semantic": "deny_on_first_deny"}
    found = await evaluations(jane, on("sales"), failing, on("sales"), options=options)
    assert [one["decision"] for one in found] == [True, False]
    options = {"evaluations_semantic": "permit_on_first_permit"}
    found = await evaluations(jane, failing, on("sales"), on("sales"), options=options)
    assert [one["decision"] for one in found] == [False, True]


@pytest.mark.parametrize("semantic", ["", "execute-all", "EXECUTE_ALL", None, 1, ["execute_all"]])
async def test_an_unknown_semantic_is_refused(jane: Someone, semantic: Any) -> None:
    """7.1.2.1: exactly one of the following values."""
    body = sound(jane, EVALUATIONS) | {"options": {"evaluations_semantic": semantic}}
    assert (await ask(jane, EVALUATIONS, body)).problem == (400, "invalid")


@pytest.mark.parametrize(
    "bad",
    [5, None, "sales", [], {"resource": None}, {"resource": {"type": "inbox"}}, on("sales", subject=7),
     on("sales", context={"explain": "yes"}), on("sales", context={"min_revision": -1})],
)  # fmt: skip
async def test_a_bad_evaluation_is_denied_and_the_others_are_answered(jane: Someone, bad: Any) -> None:
    """7.2.1: errors of individual evaluations are in the payload; decisions default to closed."""
    first, failed, third = await evaluations(jane, on("sales"), bad, on("management"))
    assert (first, third) == (ALLOW, DENY)
    assert failed["decision"] is False
    assert failed["context"]["error"]["status"] == 400
    assert failed["context"]["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [{"evaluations": {}}, {"evaluations": None}, {"evaluations": "all"}, {"subject": 5}, {"action": "sms.read"},
     {"context": []}, {"options": None}, {"options": []}],
)  # fmt: skip
async def test_what_is_wrong_with_the_payload_is_refused_as_a_whole(jane: Someone, change: dict[str, Any]) -> None:
    """7.2.1: 4XX indicates an error that pertains to the entire payload."""
    assert (await ask(jane, EVALUATIONS, sound(jane, EVALUATIONS) | change)).problem == (400, "invalid")


async def test_a_thousand_evaluations_are_answered_and_one_more_is_refused(jane: Someone) -> None:
    """11.7: the PDP SHOULD apply protections against memory consumption."""
    found = await evaluations(jane, *[on("sales"), on("management")] * 500)
    assert found == [ALLOW, DENY] * 500
    answer = await ask(jane, EVALUATIONS, sound(jane, EVALUATIONS) | {"evaluations": [on("sales")] * 1001})
    assert answer.problem == (400, "too_many")


# --- 8: searches ----------------------------------------------------------------------------------------------


@every_search
async def test_whatever_is_found_is_decided_true(jane: Someone, acme: Organisation, path: str) -> None:
    """8.1: any result, when used in an Access Evaluation, SHOULD result in true; and what is not found does not."""
    body = sound(jane, path)
    results = (await ask(jane, path)).json["results"]
    assert results
    catalogue = ("sms.read", "sms.send", "sms.delete", "contacts.edit", "call.route")
    candidates: list[dict[str, Any]] = {
        SUBJECTS: [{"subject": {"type": "staff", "id": str(who)}} for who in (jane.id, acme.ray.id, NOBODY)],
        RESOURCES: [{"resource": {"type": "inbox", "id": name}} for name in ("sales", "management", "support")],
        ACTIONS: [{"action": {"name": name}} for name in catalogue],
    }[path]
    entity = {SUBJECTS: "subject", RESOURCES: "resource", ACTIONS: "action"}[path]
    key = "name" if path == ACTIONS else "id"
    found = {one[key] for one in results}
    for candidate in candidates:
        decided = await ask(jane, EVALUATION, body | candidate)
        assert decided.json["decision"] is (candidate[entity][key] in found), candidate


@every_search
async def test_an_incomplete_response_has_a_page_with_a_token(jane: Someone, path: str) -> None:
    """8.2, 8.2.2: it MUST include `page` with a non-empty `next_token`."""
    answer = await ask(jane, path, sound(jane, path) | {"page": {"limit": 1}})
    assert len(answer.json["results"]) == 1
    assert answer.json["page"]["next_token"]
    assert answer.json["page"]["count"] == 1
    assert next(iter(answer.json)) == "page"  # 8.3: RECOMMENDED to be the first


@every_search
async def test_the_last_page_has_an_empty_token(jane: Someone, path: str) -> None:
    """8.2.2: if there are no more results, its value MUST be an empty string. All pages together are the whole."""
    whole = (await ask(jane, path)).json
    assert "page" not in whole
    body, found, pages = sound(jane, path), [], 0
    page: dict[str, Any] = {"limit": 1}
    while True:
        answer = (await ask(jane, path, body | {"page": page})).json
        found += answer["results"]
        pages += 1
        assert len(answer["results"]) <= 1
        if not answer["page"]["next_token"]:
            break
        page = {"limit": 1, "token": answer["page"]["next_token"]}
    assert found == whole["results"]
    assert pages == len(found) >= 2


@every_search
async def test_a_token_is_enough_to_go_on(jane: Someone, path: str) -> None:
    """8.2.3: the second request of the example has the token and no limit; the first one's still counts."""
    body = sound(jane, path)
    first = (await ask(jane, path, body | {"page": {"limit": 1}})).json
    second = (await ask(jane, path, body | {"page": {"token": first["page"]["next_token"]}})).json
    assert len(second["results"]) == 1
    assert second["results"] != first["results"]


@every_search
async def test_nothing_else_may_change_between_pages(jane: Someone, path: str) -> None:
    """8.2: everything MUST be identical to the preceding request; PDPs SHOULD return an error."""
    body = sound(jane, path)
    token = (await ask(jane, path, body | {"page": {"limit": 1}})).json["page"]["next_token"]
    changes: list[dict[str, Any]] = [{"page": {"token": token, "limit": 2}}]
    changes += [{"page": {"token": token, "limit": 1, "properties": {"sort": "id"}}}]
    changes += [{key: {**value, "properties": {"a": 1}}} for key, value in body.items() if key != "context"]
    changes += [{"context": {**body["context"], "explain": True}}]
    for change in changes:
        answer = await ask(jane, path, body | {"page": {"token": token, "limit": 1}} | change)
        assert answer.problem == (400, "page_changed"), change
    assert (await ask(jane, path, body | {"page": {"token": token, "limit": 1}})).status == 200


@every_search
async def test_a_token_that_was_not_given_out_is_refused(jane: Someone, path: str) -> None:
    """8.2: tokens are opaque values from a previous response; what was tampered with is none."""
    body = sound(jane, path)
    token = (await ask(jane, path, body | {"page": {"limit": 1}})).json["page"]["next_token"]
    wrong = ["x", "====", "é", token[:-1], token + "A", token + "=", token[:4] + "!" + token[4:], token[::-1]]
    wrong += [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(0, len(token), 7)]
    for one in wrong:
        answer = await ask(jane, path, body | {"page": {"token": one}})
        assert answer.problem == (400, "unknown_page_token"), one
    other = RESOURCES if path != RESOURCES else SUBJECTS
    assert (await ask(jane, other, sound(jane, other) | {"page": {"token": token}})).problem == (400, "page_changed")


@every_search
async def test_a_limit_is_a_non_negative_integer(jane: Someone, path: str) -> None:
    """8.2.1: and the maximum number of results; none is a number, too."""
    body = sound(jane, path)
    for limit in (-1, 1.5, "1", True, None, 10**40):
        assert (await ask(jane, path, body | {"page": {"limit": limit}})).problem == (400, "invalid"), limit
    pages: list[Any] = ["x", [], None, {"token": 5}, {"properties": 5}]
    for page in pages:
        assert (await ask(jane, path, body | {"page": page})).problem == (400, "invalid"), page
    none = (await ask(jane, path, body | {"page": {"limit": 0}})).json
    assert (none["results"], bool(none["page"]["next_token"])) == ([], True)
    whole = (await ask(jane, path)).json["results"]
    many = (await ask(jane, path, body | {"page": {"limit": 10**9}})).json
    assert (many["results"], many["page"]["next_token"]) == (whole, "")


@every_search
async def test_results_are_entities_of_the_kind_that_was_searched_for(jane: Someone, path: str) -> None:
    """8.3: results MUST contain only entities of the type being searched for."""
    results = (await ask(jane, path)).json["results"]
    if path == ACTIONS:
        assert all(list(one) == ["name"] for one in results)
    else:
        assert {one["type"] for one in results} == {"staff" if path == SUBJECTS else "inbox"}
        assert all(isinstance(one["id"], str) for one in results)


@every_search
async def test_unknown_entities_are_found_by_nobody_and_no_error(jane: Someone, path: str) -> None:
    """8.3: `results` is REQUIRED, an array of zero or more entities."""
    unknown: list[dict[str, Any]] = [{"resource": {"type": "document", "id": "1"}}]
    unknown += [{"subject": {"type": "user", "id": "alice@example.com"}}]
    unknown += [{"action": {"name": "can_read"}}] if path != ACTIONS else []
    unknown += [{"subject": {"type": "staff", "id": str(NOBODY)}}] if path != SUBJECTS else []
    unknown += [{"context": {"organisation": str(NOBODY)}}] if path == SUBJECTS else []
    for one in unknown:
        answer = await ask(jane, path, sound(jane, path) | one)
        assert (answer.status, answer.json) == (200, {"results": []}), one


@pytest.mark.parametrize(("path", "entity"), [(SUBJECTS, "subject"), (RESOURCES, "resource")])
async def test_the_id_of_what_is_searched_for_is_ignored(jane: Someone, path: str, entity: str) -> None:
    """8.4, 8.5: it MUST contain a `type`; the `id`, if present, MUST be ignored."""
    whole = (await ask(jane, path)).json
    for id in ("management", str(NOBODY), "", 7, None):
        body = sound(jane, path)
        body[entity]["id"] = id
        assert (await ask(jane, path, body)).json == whole
    body = sound(jane, path)
    del body[entity]["type"]
    assert (await ask(jane, path, body)).problem == (400, "invalid")


async def test_an_action_search_has_no_action(jane: Someone) -> None:
    """8.6: the `action` key is omitted; what is not known is ignored (10.1.1)."""
    whole = (await ask(jane, ACTIONS)).json
    assert {"name": "sms.send"} in whole["results"]
    assert {"name": "sms.delete"} not in whole["results"]
    assert (await ask(jane, ACTIONS, sound(jane, ACTIONS) | {"action": 5})).json == whole


@pytest.mark.parametrize(
    ("path", "missing"),
    [(SUBJECTS, "subject"), (SUBJECTS, "action"), (SUBJECTS, "resource"), (RESOURCES, "subject"),
     (RESOURCES, "action"), (RESOURCES, "resource"), (ACTIONS, "subject"), (ACTIONS, "resource")],
)  # fmt: skip
async def test_a_search_has_what_is_required(jane: Someone, path: str, missing: str) -> None:
    """8.4.1, 8.5.1, 8.6.1."""
    body = sound(jane, path)
    del body[missing]
    answer = await ask(jane, path, body)
    assert answer.problem == (400, "invalid")
    assert missing in answer.json["detail"]


# --- 9: metadata ----------------------------------------------------------------------------------------------


async def test_the_metadata_is_at_the_well_known_place(authz: Authz) -> None:
    """9.2, 9.2.2: a JSON object, with 200 and application/json; every parameter that has a value and no other."""
    shown = await authz.ask("GET", METADATA)
    assert (shown.status, shown.headers["Content-Type"]) == (200, "application/json")
    assert shown.json == {
        "policy_decision_point": "https://authz.test",
        "access_evaluation_endpoint": f"https://authz.test{EVALUATION}",
        "access_evaluations_endpoint": f"https://authz.test{EVALUATIONS}",
        "search_subject_endpoint": f"https://authz.test{SUBJECTS}",
        "search_resource_endpoint": f"https://authz.test{RESOURCES}",
        "search_action_endpoint": f"https://authz.test{ACTIONS}",
    }


async def test_the_metadata_never_believes_the_host_header(authz: Authz) -> None:
    """9.2.3: `policy_decision_point` MUST be identical to the identifier: against mix-up attacks."""
    shown = await authz.ask("GET", METADATA, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "evil" not in shown.text


@pytest.mark.parametrize(
    "url", ["https://pdp.example/authz", "https://pdp.example?a=1", "https://pdp.example/#a", "pdp.example", "ftp://a"]
)
def test_the_identifier_has_neither_query_nor_fragment(url: str) -> None:
    """9.1.1, 9.2: nor a path, for the well-known document would then be at another one."""
    known = {"database_url": "x", "migration_url": "x", "http_port": "1", "identity_url": "x", "client_secret": "x"}
    environ = {f"AUTHZ_{name.upper()}": value for name, value in (known | {"public_url": url}).items()}
    with pytest.raises(BadSettings, match="AUTHZ_PUBLIC_URL is wrong"):
        load(Settings, "authz", environ)


async def test_the_metadata_is_asked_for_with_get(authz: Authz) -> None:
    """9.2.1: it MUST be queried using GET."""
    assert (await authz.ask("POST", METADATA, json={})).problem == (405, "method_not_allowed")


@every_endpoint
async def test_what_the_metadata_names_is_there(jane: Someone, path: str) -> None:
    """10.1: the request URL MUST be the value of the endpoint parameter."""
    urls = (await jane.authz.ask("GET", METADATA)).json.values()
    assert (await ask(jane, next(url for url in urls if url.endswith(path)).removeprefix("https://authz.test"))).status


# --- 10: HTTPS and JSON ---------------------------------------------------------------------------------------


@every_endpoint
async def test_requests_are_post(jane: Someone, path: str) -> None:
    """10.1: all API requests are made via POST."""
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await jane.authz.ask(method, path, token=jane.authz.product, json=sound(jane, path))
        assert answer.problem == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


@every_endpoint
async def test_requests_are_application_json(jane: Someone, path: str) -> None:
    """10.1: requests MUST include a Content-Type of application/json."""
    content = json.dumps(sound(jane, path)).encode()
    for wrong in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        answer = await ask(jane, path, data=content, headers={"Content-Type": wrong})
        assert answer.problem == (400, "wrong_content_type"), wrong
    right = {"Content-Type": "application/json; charset=utf-8"}
    assert (await ask(jane, path, data=content, headers=right)).status == 200


@every_endpoint
async def test_the_body_is_a_json_object(jane: Someone, path: str) -> None:
    """10.1, 10.1.1: the top-level element MUST be a JSON object."""
    for content in (b"", b" ", b"{", b"nonsense", b"\xff", b'{"subject":{"type":"\\ud800"}}', b"NaN"):
        assert (await ask(jane, path, data=content, headers=JSON)).problem == (400, "malformed_json"), content
    for value in ([], [sound(jane, path)], "text", 7, True):
        assert (await ask(jane, path, value)).problem == (400, "invalid")
    assert (await ask(jane, path, data=b"null", headers=JSON)).problem == (400, "invalid")


@every_endpoint
async def test_success_is_200_and_a_json_object(jane: Someone, path: str) -> None:
    """10.1, 10.1.1: 200 with application/json; the top-level element of responses MUST be a JSON object."""
    answer = await ask(jane, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert isinstance(answer.json, dict)


@every_endpoint
async def test_a_missing_required_attribute_is_a_bad_request(jane: Someone, path: str) -> None:
    """10.1.1: the server MUST return a "Bad Request" error."""
    answer = await ask(jane, path, {})
    assert answer.problem == (400, "invalid")
    assert answer.json["detail"]


@every_endpoint
async def test_a_wrong_type_is_a_bad_request(jane: Someone, path: str) -> None:
    """10.1.1: data types map to those of JSON."""
    for key in sound(jane, path).keys() - {"evaluations"}:
        others: list[Any] = [5, "text", [], None, True]
        for other in others:
            assert (await ask(jane, path, sound(jane, path) | {key: other})).problem == (400, "invalid"), (key, other)


@every_endpoint
async def test_unknown_fields_are_ignored(jane: Someone, path: str) -> None:
    """10.1.1: receivers MUST ignore unknown fields."""
    expected = (await ask(jane, path)).json
    body = sound(jane, path) | {"nonsense": 1, "page": {"nonsense": 2}}
    for key in ("subject", "action", "resource"):
        if key in body:
            body[key]["nonsense"] = {"a": 1}
    if "evaluations" in body:
        body["evaluations"][0]["nonsense"] = 1
        body["options"] = {"nonsense": 1}
    answer = await ask(jane, path, body)
    assert answer.status == 200
    assert {name: value for name, value in answer.json.items() if name != "page"} == expected


@every_endpoint
async def test_the_order_of_members_does_not_matter(jane: Someone, path: str) -> None:
    """10.1.1: implementations MUST NOT assume a particular ordering of members."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(inner) for name, inner in reversed(value.items())}
        return value

    body = sound(jane, path)
    assert (await ask(jane, path, turned(body))).json == (await ask(jane, path, body)).json
    if path in SEARCHES:
        token = (await ask(jane, path, body | {"page": {"limit": 1}})).json["page"]["next_token"]
        assert (await ask(jane, path, turned(body | {"page": {"limit": 1, "token": token}}))).status == 200


@every_endpoint
async def test_a_refusal_has_a_message(jane: Someone, path: str) -> None:
    """10.1.2: 400, 401 and 403 come with an error message string."""
    bad = await ask(jane, path, {})
    nobody = await jane.authz.ask("POST", path, json=sound(jane, path))
    others = sound(jane, path)
    if path != SUBJECTS:
        others["subject"]["id"] = str(NOBODY)
    refused = await jane.authz.ask("POST", path, token=jane.token, json=others)
    if path == EVALUATIONS:
        [one] = refused.json["evaluations"]
        assert (refused.status, one["context"]["error"]["status"]) == (200, 403)
        refused = await jane.authz.ask("POST", path, token=jane.token, json=others | {"evaluations": []} | on("sales"))
    assert [answer.status for answer in (bad, nobody, refused)] == [400, 401, 403]
    assert all(len(answer.json["detail"]) > 10 for answer in (bad, nobody, refused))


@every_endpoint
async def test_the_request_id_comes_back_as_it_was(jane: Someone, path: str) -> None:
    """10.1.3: the PDP MUST include the same identifier in the response; it is an arbitrary string."""
    for id in ("bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "x" * 4000, "a b;c=\"d\" 'é'", "0"):
        for body in (sound(jane, path), {}):
            answer = await ask(jane, path, body, headers={"X-Request-ID": id})
            assert answer.headers["X-Request-ID"] == id
    assert (await ask(jane, path)).headers["X-Request-ID"]


# --- 11: security ---------------------------------------------------------------------------------------------


@every_endpoint
async def test_who_does_not_authenticate_is_told_how(jane: Someone, path: str) -> None:
    """11.3: MUST respond with 401, and SHOULD include WWW-Authenticate."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
        answer = await jane.authz.ask("POST", path, json=sound(jane, path), headers=dict(headers))
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_what_a_caller_says_of_the_subject_is_not_believed(jane: Someone) -> None:
    """11.4 says to trust the PEP; what a person has is ours to know all the same."""
    body = sound(jane, EVALUATION)
    body["action"]["name"] = "sms.delete"
    body["subject"]["properties"] = {"type": "owner", "roles": ["administrator"], "team": "x", "level": "full"}
    assert (await ask(jane, EVALUATION, body)).json == DENY


@every_endpoint
async def test_nesting_is_bounded(jane: Someone, path: str) -> None:
    """11.7: nested JSON attacks. Whatever the depth, never a fault of ours."""
    entity = "resource" if path != EVALUATIONS else "subject"
    # Somewhere below a thousand what could be read can't be worked on any more: each step to there is tried.
    for depth in (100, *range(900, 1000), 5000, 100_000):
        deep = "[" * depth + "]" * depth
        body = sound(jane, path)
        body[entity]["properties"] = {"deep": "DEEP"}
        if path == EVALUATIONS:
            body["evaluations"][0]["context"] = {"deep": "DEEP"}
        if path in SEARCHES:
            body["page"] = {"limit": 1}
        content = json.dumps(body).replace('"DEEP"', deep).encode()
        status = (await ask(jane, path, data=content, headers=JSON)).status
        assert status in ((200,) if depth == 100 else (400,) if depth >= 1000 else (200, 400)), depth


@every_endpoint
async def test_the_payload_is_bounded(jane: Someone, path: str) -> None:
    """11.7: request payload size."""
    assert (await ask(jane, path, data=b" " * (1 << 21), headers=JSON)).problem == (413, "too_large")


@every_endpoint
async def test_numbers_beyond_double_precision_are_no_fault(jane: Someone, path: str) -> None:
    """11.5: I-JSON SHOULD; what can't be read is refused."""
    for number, accepted in (("1e300", True), (str(10**40), True), ("1e999", False), ("9" * 5000, False)):
        body = sound(jane, path) | ({"page": {"limit": 1}} if path in SEARCHES else {})
        body["context"]["number"] = "NUMBER"
        content = json.dumps(body).replace('"NUMBER"', number).encode()
        assert (await ask(jane, path, data=content, headers=JSON)).status == (200 if accepted else 400), number
