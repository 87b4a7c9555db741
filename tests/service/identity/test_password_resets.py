"""A forgotten password: a link is asked for, or sent by somebody who administers the person, and sets a new one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.identity.api import api
from shared.http.openapi import document
from staffgate.contracts import identity as contract
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import PASSWORD, Acme, log_in, run_as_owner, sign_in
from tests.service.identity.post import (
    activation_link,
    answered,
    ask_for_reset,
    next_link,
    notices,
    reset_link,
)
from tests.service.identity.test_passwords import NEW, acts_about, can_log_in, finish


@pytest.mark.checklist("A05", "B10")
async def test_a_forgotten_password_is_set_anew_by_link(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    before = len(identity.heard.of(contract.LinkIssued))
    assert (await ask_for_reset(identity, jane.login.lower())).status == 202
    done = await finish(identity, await next_link(identity, before))
    assert (done.status, done.json["login"]) == (200, jane.login)
    assert [await can_log_in(identity, jane.login, word) for word in (PASSWORD, NEW)] == [False, True]
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    grant = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400
    await answered(identity)
    assert [notice.to for notice in notices(identity, NoticeKind.PASSWORD_CHANGED)] == ["Jane@acme.example"]
    assert {"authn_password_reset_asked", "authn_password_set"} <= {*await acts_about(jane, identity)}


@pytest.mark.checklist("B10")
async def test_a_reset_link_lets_in_whoever_was_locked_or_held_up(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    for n in range(12):
        await identity.post("/v1/login", {"login": jane.login, "password": f"guess {n}"})
    locked = "UPDATE staff SET locked_at = $2, locked_until = NULL WHERE id = $1"
    await run_as_owner(identity, locked, jane.staff, identity.clock.now())
    assert not await can_log_in(identity, jane.login, PASSWORD)
    done = await finish(identity, await reset_link(acme, jane.staff))
    assert (done.status, len(done.json["device"]) > 60) == (200, True)
    assert await can_log_in(identity, jane.login, NEW)
    assert "authn_login_unlock" in await acts_about(jane, identity)


@pytest.mark.checklist("A05")
async def test_who_asks_is_told_the_same_whoever_there_is(acme: Acme) -> None:
    """And it is written down and nothing else: no answer can tell by its time what there is to be found out later."""
    identity = acme.identity
    login = await acme.activate(await acme.add())
    answers = [
        await ask_for_reset(identity, asked)
        for asked in (login, f"{acme.number}\\Nobody", "NoSuchPlace\\Jane", "Jane", "", "a\\b\\c", "\0\\\0", "x" * 256)
    ]
    assert {(answer.status, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1
    await answered(identity)


@pytest.mark.checklist("A05", "A10")
async def test_no_link_goes_to_whoever_can_not_get_in(acme: Acme) -> None:
    identity = acme.identity
    logins = {}
    for name, statement in {
        "Luke": "UPDATE staff SET status = 'suspended' WHERE id = $1",
        "Han": "UPDATE staff SET status = 'deleted' WHERE id = $1",
        "Chewie": "UPDATE staff SET portal = false WHERE id = $1",
    }.items():
        logins[name] = await acme.activate(staff := await acme.add(name))
        await run_as_owner(identity, statement, staff)
    await acme.add("Laya")
    logins["Laya"] = f"{acme.number}\\Laya"
    before = len(identity.heard.of(contract.LinkIssued))
    for login in logins.values():
        assert (await ask_for_reset(identity, login)).status == 202
    await answered(identity)
    assert len(identity.heard.of(contract.LinkIssued)) == before


@pytest.mark.checklist("A05", "F03")
async def test_a_lost_activation_link_can_be_asked_for_again(acme: Acme) -> None:
    identity, staff = acme.identity, await acme.add()
    await activation_link(acme, staff)
    before = len(identity.heard.of(contract.LinkIssued))
    assert (await ask_for_reset(identity, f"{acme.number}\\Jane")).status == 202
    token = await next_link(identity, before)
    assert identity.heard.of(contract.LinkIssued)[-1].purpose == "activate"
    assert (await identity.post("/v1/activations", {"token": token, "password": PASSWORD})).status == 200


@pytest.mark.checklist("A05")
async def test_a_network_that_asks_too_often_is_answered_the_same_and_nothing_comes_of_it(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(await acme.add())
    answers = [await ask_for_reset(identity, "NoSuchPlace\\Jane") for _ in range(60)]
    before = len(identity.heard.of(contract.LinkIssued))
    answers.append(await ask_for_reset(identity, login))
    await answered(identity)
    assert {(answer.status, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert len(identity.heard.of(contract.LinkIssued)) == before
    identity.clock.advance(hours=1, seconds=1)
    await ask_for_reset(identity, login)
    assert await next_link(identity, before)


@pytest.mark.checklist("A05")
async def test_what_was_typed_is_kept_only_until_it_was_looked_at(acme: Acme) -> None:
    identity = acme.identity
    await ask_for_reset(identity, f"{acme.number}\\Nobody in particular")
    await answered(identity)
    rows = await run_as_owner(identity, "SELECT r::text FROM reset_request r")
    assert rows
    assert not any("particular" in row[0] for row in rows)
    assert await run_as_owner(identity, "SELECT 1 FROM reset_request WHERE ip <> '' OR agent <> ''") == []


@pytest.mark.checklist("B09")
async def test_nobody_but_the_person_ever_sees_or_sets_a_password(acme: Acme) -> None:
    """In the whole description there is no answer with a password, and a request with one needs its owner's link, login
    or session."""
    described = document("identity", "0", api.operations)
    taking, answering = set(), set()
    for path, methods in described["paths"].items():
        for operation in methods.values():
            taking |= {path} if "password" in _names(operation.get("requestBody"), described) else set()
            answering |= {path} if "password" in _names(operation["responses"], described) else set()
    assert answering <= {"/v1/organisation/security"}, "the rules for passwords, and none of them"
    assert taking - {"/v1/organisation/security"} == {
        "/activate", "/set-password", "/v1/activations", "/v1/login", "/v1/me/password", "/v1/password-resets/finish",
    }  # fmt: skip
    assert not [path for path in taking if path.startswith("/v1/staff")]
    refused = await acme.identity.ask("PATCH", f"/v1/staff/{acme.owner_id}", json={"password": NEW}, token=acme.ray)
    assert refused.status in (405, 422)


def _names(part: Any, described: dict[str, Any]) -> set[str]:
    """Every name of a member, through all references."""
    text, seen = json.dumps(part), set[str]()
    names: set[str] = set()
    waiting = [text]
    while waiting:
        schema = json.loads(waiting.pop())
        for name, value in _members(schema):
            names.add(name)
            if name == "$ref" and value not in seen:
                seen.add(value)
                waiting.append(json.dumps(described["components"]["schemas"][value.rpartition("/")[2]]))
    return names


def _members(part: Any) -> list[tuple[str, Any]]:
    if isinstance(part, dict):
        return [*part.items(), *(found for value in part.values() for found in _members(value))]
    return [found for one in part for found in _members(one)] if isinstance(part, list) else []


@pytest.mark.checklist("G03", "B09")
async def test_whoever_an_administrator_sends_a_password_link_is_out_at_once(acme: Acme) -> None:
    """Somebody else may be signed in as them: that is what such links are sent for."""
    identity, luke = acme.identity, await acme.add("Luke")
    tokens = (await log_in(identity, await acme.activate(luke))).json
    assert (await identity.post(f"/v1/staff/{luke}/password-link", token=acme.ray)).status == 202
    assert (await identity.ask("GET", "/v1/me", token=tokens["access_token"])).status == 401
    grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400
