"""The organisation's security settings: who may set them, what they may be, and that nobody locks himself out unknowingly."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from services.identity.organisation.security import changes, deviations
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, log_in, register, run_as_owner, sign_in
from tests.service.identity.states import ELSEWHERE, coming_from, set_policy

PATH = "/v1/organisation/security"


async def show(acme: Acme) -> Answer:
    return await acme.identity.ask("GET", PATH, token=acme.ray)


async def save(acme: Acme, body: dict[str, Any], token: str = "", **headers: str) -> Answer:
    """What is not in the body is the platform's."""
    body = msgspec.to_builtins(contract.SecurityPolicy()) | body
    return await acme.identity.ask("PUT", PATH, json=body, token=token or acme.ray, headers=headers)


async def test_the_settings_are_the_platforms_until_they_are_set(acme: Acme) -> None:
    shown = (await show(acme)).json
    assert shown["administrators"] == {"required": True, "allowed": ["passkey", "totp", "recovery"]}
    assert shown["standard"]["allowed"] == ["passkey", "totp", "recovery", "sms", "email"]
    assert shown["password"] == {"minimum": 8, "history": 0, "expires_days": None}
    assert shown["lock"] == {"after": None, "minutes": 30}
    assert (shown["session"], shown["networks"]) == ({"idle_minutes": 60, "absolute_hours": 24}, [])


async def test_what_is_set_is_shown_and_held_to(acme: Acme) -> None:
    rule = {"required": True, "allowed": ["totp"]}
    body = {"standard": rule, "lock": {"after": 5}, "session": {"idle_minutes": 15, "absolute_hours": 8}}
    saved = await save(acme, body)
    assert saved.status == 200, saved.text
    assert saved.json == (await show(acme)).json
    assert (saved.json["standard"], saved.json["lock"]) == (rule, {"after": 5, "minutes": 30})
    login = await acme.activate(await acme.add())
    begun = await acme.identity.post("/v1/login", {"login": login, "password": "seven miles of copper wire"})
    assert begun.json["enrol"] is True, "e-mail is no second factor any more, and only leads to enrolling one"


@pytest.mark.checklist("E06", "G14")
async def test_setting_takes_an_administrator_who_showed_a_factor_a_moment_ago(acme: Acme) -> None:
    laya, luke = await sign_in(acme, "Laya", type="administrator"), await sign_in(acme, "Luke")
    acme.identity.authz.permit(luke.staff, "core.organisation.edit", "core.organisation.view", "core.staff.edit")
    for refused in (await acme.identity.ask("GET", PATH, token=luke.token), await save(acme, {}, luke.token)):
        assert refused.status == 403
    assert (await save(acme, {"lock": {"after": 5}}, laya.token)).status == 200
    acme.identity.clock.advance(seconds=290)
    assert (await acme.identity.ask("GET", "/v1/me", token=laya.token)).status == 200
    acme.identity.clock.advance(seconds=15)
    refresh = {"grant_type": "refresh_token", "refresh_token": laya.refresh}
    stale = (await acme.identity.ask("POST", "/oauth/token", data=refresh)).json["access_token"]
    refused = await save(acme, {"lock": {"after": 6}}, stale)
    assert (refused.status, refused.json["type"]) == (401, "urn:staffgate:problem:step_up_needed")
    assert (await acme.identity.ask("GET", PATH, token=stale)).json["lock"]["after"] == 5


async def test_of_two_who_read_the_same_settings_one_saves(acme: Acme) -> None:
    etag = (await show(acme)).headers["ETag"]
    answers = await asyncio.gather(
        *(save(acme, {"lock": {"after": after}}, **{"If-Match": etag}) for after in (5, 6, 7, 8))
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    new = next(answer for answer in answers if answer.status == 200).headers["ETag"]
    assert new != etag
    assert (await show(acme)).headers["ETag"] == new
    assert (await save(acme, {}, **{"If-Match": etag})).status == 412
    assert (await save(acme, {}, **{"If-Match": new})).status == 200
    assert (await save(acme, {"lock": {"after": 9}}, **{"If-Match": "*"})).status == 200


async def test_what_has_changed_is_in_the_audit_log(acme: Acme) -> None:
    await save(acme, {"lock": {"after": 5}, "networks": ["127.0.0.0/8"]})
    await save(acme, {"lock": {"after": 5}, "networks": ["127.0.0.0/8"]})
    await save(acme, {"lock": {"after": 5}, "networks": ["127.0.0.0/8", "192.0.2.1"]})
    rows = await run_as_owner(
        acme.identity, "SELECT body FROM audit WHERE org = $1 AND event = 'org_security_changed' ORDER BY number",
        acme.org,
    )  # fmt: skip
    entries = [json.loads(row["body"]) for row in rows]
    assert [one["detail"]["changed"] for one in entries] == [
        ["lock.after: none -> 5", "networks: none -> 127.0.0.0/8"],
        ["networks: 127.0.0.0/8 -> 127.0.0.0/8, 192.0.2.1/32"],
    ]
    assert {one["actor"] for one in entries} == {str(acme.owner_id)}


@pytest.mark.checklist("C08", "C09")
@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"administrators": {"required": False, "allowed": ["totp"]}}, "$.administrators.required"),
        ({"administrators": {"allowed": ["passkey"]}}, "$.administrators.allowed"),
        ({"standard": {"allowed": ["email", "sms"]}}, "$.standard.allowed"),
        ({"standard": {"allowed": []}}, "$.standard.allowed"),
        ({"standard": {"allowed": ["pigeon"]}}, "$.standard.allowed[0]"),
        ({"networks": ["127.0.0.0/8", "192.0.2.0/33"]}, "$.networks[1]"),
        ({"networks": ["127.0.0.1", "office", "10.0.0.0/8"]}, "$.networks[1]"),
        ({"networks": ["fe80::1%eth0"]}, "$.networks[0]"),
        ({"networks": [""]}, "$.networks[0]"),
        ({"networks": ["127.0.0.1"] * 201}, "$.networks"),
        ({"lock": {"after": 2}}, "$.lock.after"),
        ({"session": {"idle_minutes": 61}}, "$.session.idle_minutes"),
        ({"session": {"absolute_hours": 25}}, "$.session.absolute_hours"),
        ({"password": {"minimum": 7}}, "$.password.minimum"),
        ({"password": {"history": 25}}, "$.password.history"),
        ({"password": {"expires_days": 29}}, "$.password.expires_days"),
        ({"deviations": []}, "$"),
    ],
)
async def test_what_is_outside_the_platforms_bounds_is_refused_by_name(acme: Acme, body: Any, at: str) -> None:
    before = (await show(acme)).text
    refused = await save(acme, body | {"confirm_lockout": True})
    assert (refused.status, refused.json["at"]) == (422, at)
    assert (await show(acme)).text == before


async def test_nothing_is_loosened_by_being_left_out(acme: Acme) -> None:
    whole = msgspec.to_builtins(contract.SecurityPolicy())
    for name in whole:
        body = {key: value for key, value in whole.items() if key != name}
        refused = await acme.identity.ask("PUT", PATH, json=body, token=acme.ray)
        assert (refused.status, name in refused.json["detail"]) == (422, True)


async def test_networks_are_kept_in_one_form_each_once(acme: Acme) -> None:
    wanted = ["127.0.0.1/8", " 127.0.0.0/8 ", "::ffff:192.0.2.9", "192.0.2.9/32", "2001:DB8::/32"]
    saved = await save(acme, {"networks": wanted})
    assert saved.json["networks"] == ["127.0.0.0/8", "192.0.2.9/32", "2001:db8::/32"]


@pytest.mark.checklist("E06")
async def test_nobody_locks_himself_out_without_saying_so(acme: Acme) -> None:
    refused = await save(acme, {"networks": [ELSEWHERE]})
    assert (refused.status, refused.json["type"]) == (409, "urn:staffgate:problem:would_lock_out")
    assert refused.json["address"] == "127.0.0.1"
    assert "127.0.0.1" in refused.json["detail"]
    assert (await show(acme)).json["networks"] == []
    assert (await save(acme, {"networks": [ELSEWHERE, "127.0.0.1"]})).status == 200
    assert (await save(acme, {"networks": [ELSEWHERE], "confirm_lockout": True})).status == 200
    assert (await show(acme)).status == 200, "the owner, with the app, can still undo it"
    assert (await save(acme, {"networks": []})).status == 200


@pytest.mark.checklist("E04", "E06")
async def test_saving_ends_the_sessions_that_are_outside_then(acme: Acme) -> None:
    identity = acme.identity
    inside, login = await sign_in(acme), await acme.activate(await acme.add("Luke"))
    async with coming_from(identity, "127.0.0.9") as elsewhere:
        outside = (await log_in(elsewhere, login)).json["access_token"]
    ended = len(identity.heard.of(contract.SessionsEnded))
    assert (await save(acme, {"networks": ["127.0.0.1"]})).status == 200
    told = (await identity.told(contract.SessionsEnded, ended + 1))[ended:]
    assert len(told) == 1, "by event, so that every service knows"
    assert (await identity.ask("GET", "/v1/me", token=outside)).status == 401
    assert (await identity.ask("GET", "/v1/me", token=inside.token)).status == 200
    assert (await save(acme, {"networks": []})).status == 200
    assert (await identity.ask("GET", "/v1/me", token=outside)).status == 401, "what ended stays ended"


@pytest.mark.checklist("B07", "C08")
async def test_what_departs_from_a_standard_is_said(acme: Acme) -> None:
    assert [one.partition(":")[0] for one in (await show(acme)).json["deviations"]] == ["standard.allowed"] * 2
    strong = {"allowed": ["passkey", "totp", "recovery"]}
    assert (await save(acme, {"standard": strong})).json["deviations"] == []
    body = {"standard": strong | {"required": False}, "password": {"expires_days": 90}}
    said = (await save(acme, body)).json["deviations"]
    assert [one.partition(":")[0] for one in said] == ["password.expires_days", "standard.required"]
    assert "SP 800-63B-4" in said[0]
    assert [*deviations(contract.SecurityPolicy(password=contract.PasswordRule(history=5)))] != []


def test_every_change_is_named() -> None:
    new = contract.SecurityPolicy(
        standard=contract.FactorRule(required=False, allowed=[contract.FactorKind.TOTP]),
        lock=contract.LockRule(minutes=None),
    )
    assert [*changes(contract.SecurityPolicy(), new)] == [
        "standard.required: true -> false",
        "standard.allowed: passkey, totp, recovery, sms, email -> totp",
        "lock.minutes: 30 -> none",
    ]
    assert [*changes(new, new)] == []


@pytest.mark.checklist("E04", "H01")
async def test_the_settings_of_one_organisation_are_nobody_elses(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    await set_policy(other, contract.SecurityPolicy(networks=[ELSEWHERE], lock=contract.LockRule(after=3)))
    assert (await show(acme)).json["networks"] == []
    assert (await save(acme, {"lock": {"after": 7}})).status == 200
    rows = await run_as_owner(acme.identity, "SELECT security FROM organisation WHERE org = $1", other.org)
    assert json.loads(rows[0]["security"])["lock"]["after"] == 3
