"""Changing a password, and what an organisation may demand of one."""

from __future__ import annotations

import asyncio

import pyotp
import pytest
from argon2 import extract_parameters

from services.identity.password.passwords import Passwords
from staffgate.contracts import identity as contract
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import PASSWORD, Acme, Answer, Running, SignedIn, log_in, run_as_owner, sign_in
from tests.service.identity.post import (
    activation_link,
    answered,
    notices,
    own_reset_link,
    set_policy,
)

NEW = PASSWORD + " and one more"
OTHER = "nine barrels under a green roof"
THIRD = "who painted all these trams yellow"


async def change(identity: Running, token: str, current: str = PASSWORD, password: str = NEW) -> Answer:
    return await identity.post("/v1/me/password", {"current": current, "password": password}, token=token)


async def finish(identity: Running, token: str, password: str = NEW) -> Answer:
    return await identity.post("/v1/password-resets/finish", {"token": token, "password": password})


async def can_log_in(identity: Running, login: str, password: str) -> bool:
    return (await identity.post("/v1/login", {"login": login, "password": password})).status == 200


async def log_in_with(identity: Running, login: str, password: str) -> Answer:
    """By e-mail."""
    started = await identity.post("/v1/login", {"login": login, "password": password})
    assert started.status == 200, started.text
    ask, before = (
        {"transaction": started.json["transaction"], "factor": "email"},
        len(identity.heard.of(contract.CodeIssued)),
    )
    assert (await identity.post("/v1/login/codes", ask)).status == 202
    await identity.told(contract.CodeIssued, before + 1)
    return await identity.post("/v1/login/finish", ask | {"code": identity.heard.code()})


async def acts_about(jane: SignedIn, identity: Running) -> list[str]:
    rows = await run_as_owner(identity, "SELECT event FROM audit WHERE target = $1 ORDER BY number", str(jane.staff))
    return [row["event"] for row in rows]


# --- changing it ----------------------------------------------------------------------------------------------


@pytest.mark.checklist("B09")
async def test_changing_it_takes_the_present_one(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    wrong = await change(identity, jane.token, current="not the password")
    assert (wrong.status, wrong.json["type"]) == (422, "urn:staffgate:problem:password_wrong")
    assert await can_log_in(identity, jane.login, PASSWORD)
    assert (await change(identity, jane.token)).status == 200
    assert [await can_log_in(identity, jane.login, word) for word in (PASSWORD, NEW)] == [False, True]
    assert {"authn_password_change_fail", "authn_password_change"} <= {*await acts_about(jane, identity)}


@pytest.mark.checklist("B09")
async def test_the_present_one_is_guessed_five_times_an_hour_even_in_parallel(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    answers = await asyncio.gather(*(change(identity, jane.token, current=f"guess {n}") for n in range(20)))
    assert sorted(answer.status for answer in answers) == [422] * 5 + [429] * 15
    assert (await change(identity, jane.token)).status == 429, "nor is it tried with the right one"
    identity.clock.advance(hours=1, seconds=1)
    again = (await log_in(identity, jane.login)).json["access_token"]
    assert (await change(identity, again)).status == 200


@pytest.mark.checklist("B09")
async def test_a_right_one_counts_for_nothing_however_often_the_new_one_is_refused(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    for _ in range(7):
        assert (await change(identity, jane.token, password="password1")).json["type"].endswith("password_too_weak")
    assert (await change(identity, jane.token)).status == 200


@pytest.mark.checklist("B10")
async def test_changing_it_ends_every_other_session_and_tells_the_person(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    other = (await log_in(identity, jane.login)).json
    begun = await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})
    changed = await change(identity, jane.token)
    tokens = changed.json
    assert (await identity.ask("GET", "/v1/me", token=tokens["access_token"])).status == 200, "this one goes on"
    for token in (jane.token, other["access_token"]):
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    for token, status in ((jane.refresh, 400), (other["refresh_token"], 400), (tokens["refresh_token"], 200)):
        grant = {"grant_type": "refresh_token", "refresh_token": token}
        assert (await identity.ask("POST", "/oauth/token", data=grant)).status == status
    ask = {"transaction": begun.json["transaction"], "factor": "email"}
    assert (await identity.post("/v1/login/codes", ask)).status == 401, "nor does what was begun with the old one"
    await answered(identity)
    assert [notice.to for notice in notices(identity, NoticeKind.PASSWORD_CHANGED)] == ["Jane@acme.example"]
    told = [event for event in identity.heard.of(contract.SessionsEnded) if event.staff == jane.staff]
    assert len({session for event in told for session in event.sessions}) == 2


async def test_the_session_that_goes_on_is_no_fresher_than_it_was(acme: Acme) -> None:
    """A password is no factor that was shown anew: a stolen token and a guessed password do not make a step-up."""
    identity, jane = acme.identity, await sign_in(acme)
    identity.clock.advance(seconds=200)
    tokens = (await change(identity, jane.token)).json
    identity.clock.advance(seconds=150)
    grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    token = (await identity.ask("POST", "/oauth/token", data=grant)).json["access_token"]
    stale = await identity.ask("PUT", "/v1/me/email", json={"email": "jane@elsewhere.example"}, token=token)
    assert (stale.status, stale.json["type"]) == (401, "urn:staffgate:problem:step_up_needed")


async def test_the_present_one_is_no_new_one(acme: Acme) -> None:
    jane = await sign_in(acme)
    same = await change(acme.identity, jane.token, password=PASSWORD)
    assert (same.status, same.json["type"]) == (422, "urn:staffgate:problem:password_unchanged")


@pytest.mark.checklist("B10")
async def test_changing_it_kills_the_reset_link_that_is_on_its_way(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    link = await own_reset_link(identity, jane.login)
    assert (await change(identity, jane.token)).status == 200
    assert (await finish(identity, link, OTHER)).status == 422


async def test_of_two_changes_at_once_one_counts(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    answers = await asyncio.gather(*(change(identity, jane.token, password=word) for word in (OTHER, THIRD)))
    assert sorted(answer.status for answer in answers)[0] == 200
    assert sorted(answer.status for answer in answers)[1] in (401, 409, 422)
    assert [await can_log_in(identity, jane.login, word) for word in (OTHER, THIRD)].count(True) == 1


# --- what a password has to be --------------------------------------------------------------------------------


@pytest.mark.checklist("B01")
async def test_an_organisation_may_ask_for_longer_ones_and_fifteen_are_needed_without_a_second_factor(
    acme: Acme,
) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    short, middle = "Vx7#q!mZ", "Vx7#q!mZ2w"
    for policy, password, minimum in (
        ({}, short[:7], 8),
        ({"password": {"minimum": 12}}, middle, 12),
        ({"standard": {"required": False, "allowed": ["totp", "email"]}}, middle, 15),
        ({"standard": {"required": False}, "password": {"minimum": 20}}, "Vx7#q!mZ2wLp0&kT", 20),
    ):
        await set_policy(identity, acme.org, **policy)
        refused = await change(identity, jane.token, password=password)
        assert (refused.status, refused.json["type"].rpartition(":")[2]) == (422, "password_too_short"), policy
        assert f"at least {minimum} characters" in refused.json["detail"]
    await set_policy(identity, acme.org)
    assert (await change(identity, jane.token, password=middle)).status == 200


@pytest.mark.checklist("B01", "B02")
async def test_256_characters_of_any_kind_are_taken_and_all_of_them_count(acme: Acme) -> None:
    identity, staff = acme.identity, await acme.add()
    long = ("  Ωμέγα 🜁 seven miles \u00a0 of copper & wire; " * 10)[:255]
    token = await activation_link(acme, staff)
    assert len(long + "!!") == 257
    too_long = await identity.post("/v1/activations", {"token": token, "password": long + "!!"})
    assert (too_long.status, too_long.json["type"]) == (422, "urn:staffgate:problem:invalid")
    login = (await identity.post("/v1/activations", {"token": token, "password": long + " "})).json["login"]
    for wrong in (long, long + "!", (long + " ").strip(), long + "  "):
        assert not await can_log_in(identity, login, wrong)
    assert await can_log_in(identity, login, long + " ")


@pytest.mark.checklist("B03")
@pytest.mark.parametrize(
    ("password", "code", "said"),
    [
        ("password1", "password_too_weak", "easy to guess"),
        ("Jane seven miles of wire", "password_too_obvious", "'Jane'"),
        ("acme seven miles of wire", "password_too_obvious", "'ACME'"),
        ("seven STAFFGATE miles of wire", "password_too_obvious", "'staffgate'"),
        ("short", "password_too_short", "at least 8"),
    ],
)
async def test_a_bad_one_is_refused_with_the_reason_wherever_one_is_set(
    acme: Acme, password: str, code: str, said: str
) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    new = await acme.add("Jane2", name="Jane")
    activation, reset = await activation_link(acme, new), await own_reset_link(identity, jane.login)
    answers = [
        await identity.post("/v1/activations", {"token": activation, "password": password}),
        await finish(identity, reset, password),
        await change(identity, jane.token, password=password),
    ]
    assert {(answer.status, answer.json["type"].rpartition(":")[2]) for answer in answers} == {(422, code)}
    assert all(said in answer.json["detail"] for answer in answers)
    assert (await finish(identity, reset)).status == 200, "and the link is still good"


@pytest.mark.checklist("B04")
async def test_logging_in_makes_the_stored_password_as_strong_as_todays(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(staff := await acme.add())
    old = await Passwords().hash(PASSWORD)  # other parameters than the service under test has
    await run_as_owner(identity, "UPDATE staff SET password_hash = $2 WHERE id = $1", staff, old)
    assert not await can_log_in(identity, login, "not the password")
    stored = "SELECT password_hash, password_changed_at FROM staff WHERE id = $1"
    assert (await run_as_owner(identity, stored, staff))[0]["password_hash"] == old
    assert await can_log_in(identity, login, PASSWORD)
    row = (await run_as_owner(identity, stored, staff))[0]
    assert extract_parameters(row["password_hash"]).memory_cost == 64
    assert await can_log_in(identity, login, PASSWORD)


@pytest.mark.checklist("B08")
async def test_the_last_passwords_can_not_be_used_again_where_the_organisation_says_so(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await set_policy(identity, acme.org, password={"history": 3})
    token, current = jane.token, PASSWORD
    for word in (NEW, OTHER):
        token, current = (await change(identity, token, current, word)).json["access_token"], word
        identity.clock.advance(seconds=1)
    for used in (PASSWORD, NEW):
        refused = await change(identity, token, current, used)
        assert (refused.status, refused.json["type"]) == (422, "urn:staffgate:problem:password_used_before")
        assert "last 3" in refused.json["detail"]
    link = await own_reset_link(identity, jane.login)
    for used in (PASSWORD, NEW, OTHER):
        assert (await finish(identity, link, used)).json["type"].endswith("password_used_before"), "the present one too"
    token = (await change(identity, token, current, THIRD)).json["access_token"]
    identity.clock.advance(seconds=1)
    assert (await change(identity, token, THIRD, PASSWORD)).status == 200, "the fourth last is forgotten"
    kept = await run_as_owner(identity, "SELECT count(*) FROM former_password WHERE staff = $1", jane.staff)
    assert kept[0][0] == 2


@pytest.mark.checklist("B08")
async def test_without_that_rule_no_former_password_is_kept(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    token = (await change(identity, jane.token)).json["access_token"]
    assert (await change(identity, token, NEW, PASSWORD)).status == 200
    assert (await run_as_owner(identity, "SELECT 1 FROM former_password WHERE staff = $1", jane.staff)) == []


# --- expiry ---------------------------------------------------------------------------------------------------


@pytest.mark.checklist("B07")
async def test_passwords_do_not_expire_unless_the_organisation_wants_it(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    identity.clock.advance(days=3650)
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    assert (started.status, started.json["password_expired"]) == (200, False)


@pytest.mark.checklist("B07")
async def test_an_expired_one_leads_to_a_session_in_which_it_can_only_be_changed(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    await set_policy(identity, acme.org, password={"expires_days": 30})
    assert not (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["password_expired"]
    identity.clock.advance(days=30)
    assert (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["password_expired"]
    token = (await log_in_with(identity, login, PASSWORD)).json["access_token"]
    assert (await identity.ask("GET", "/v1/me", token=token)).status == 403
    same = await change(identity, token, password=PASSWORD)
    assert (same.status, same.json["type"]) == (422, "urn:staffgate:problem:password_unchanged")
    changed = await change(identity, token)
    assert changed.status == 200, changed.text
    assert (await identity.ask("GET", "/v1/me", token=changed.json["access_token"])).status == 200
    assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    assert not (await identity.post("/v1/login", {"login": login, "password": NEW})).json["password_expired"]


@pytest.mark.checklist("B07")
async def test_enrolling_a_factor_is_no_way_round_an_expired_password(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    await set_policy(identity, acme.org, password={"expires_days": 30})
    identity.clock.advance(days=30)
    token = (await log_in_with(identity, login, PASSWORD)).json["access_token"]
    enrolment = await identity.post("/v1/me/factors/totp", token=token)
    if enrolment.status == 201:
        code = pyotp.TOTP(enrolment.json["secret"]).at(identity.clock.now())
        confirmed = await identity.post("/v1/me/factors/totp/confirm", {"code": code}, token=token)
        token = confirmed.json["access_token"]
    assert (await identity.ask("GET", "/v1/me", token=token)).status == 403
    token = (await change(identity, token)).json["access_token"]
    assert (await identity.ask("GET", "/v1/me", token=token)).status == 200


async def test_whoever_has_to_enrol_a_factor_does_that_before_changing_a_password(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add("Laya", type="administrator"))
    token = (await log_in(identity, login)).json["access_token"]
    refused = await change(identity, token)
    assert (refused.status, refused.json["type"]) == (403, "urn:staffgate:problem:wrong_caller")
    await set_policy(identity, acme.org, password={"expires_days": 30})
    identity.clock.advance(days=30)
    token = (await log_in_with(identity, login, PASSWORD)).json["access_token"]
    token = (await change(identity, token)).json["access_token"]
    assert (await identity.ask("GET", "/v1/me", token=token)).status == 403, "the factor is still to be enrolled"
