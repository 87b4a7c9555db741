"""Codes by e-mail and SMS: each for one thing, for five minutes, for five tries; and never strong."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.identity.factor import codes, totp
from staffgate.contracts import identity as contract
from staffgate.contracts.identity import FactorKind, FactorRule, SecurityPolicy
from tests.service.identity.conftest import Acme, Answer, Running, confirm_mobile, run_as_owner
from tests.service.identity.possessions import begun, finished, list_factors, member, problem, sent, with_app
from tests.service.identity.post import code_to
from tests.service.identity.states import set_policy
from tests.service.identity.test_bad_input import claims_of


async def enter(identity: Running, transaction: str, code: str, factor: str = "email") -> Answer:
    body = {"transaction": transaction, "factor": factor, "code": code}
    return await identity.post("/v1/login/finish", body)


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


@pytest.mark.checklist("C01")
async def test_a_code_is_random_long_enough_and_kept_as_a_keyed_digest(
    acme: Acme, capfd: pytest.CaptureFixture[str]
) -> None:
    identity, jane = acme.identity, await member(acme, mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    sent_codes = {}
    for factor in ("email", "sms"):
        sent_codes[factor] = await sent(identity, (await begun(identity, jane.login))["transaction"], factor)
    assert (len(sent_codes["email"]), len(sent_codes["sms"])) == (8, 6)
    rows = await run_as_owner(identity, "SELECT code::text AS row, digest FROM code WHERE staff = $1", jane.staff)
    assert {len(row["digest"]) for row in rows} == {32}
    kept, logged = " ".join(row["row"] for row in rows), "".join(capfd.readouterr())
    for code in sent_codes.values():
        assert code not in kept
        assert code not in logged
        assert code.encode() not in b"".join(identity.heard.bodies)


@pytest.mark.checklist("C02")
async def test_a_code_is_good_for_five_minutes_and_once(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    one = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, one)
    identity.clock.advance(minutes=5, seconds=-1)
    answers = await asyncio.gather(*(enter(identity, one, code) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 4
    assert (await enter(identity, one, code)).status == 401, "it was used"
    other = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, other)
    identity.clock.advance(minutes=5, seconds=1)
    assert (await enter(identity, other, code)).status == 401, "it has expired, and the login has not"
    identity.clock.advance(minutes=-1)
    assert (await enter(identity, other, code)).status == 200


@pytest.mark.checklist("C03")
async def test_of_a_hundred_guesses_at_once_five_are_looked_at(acme: Acme) -> None:
    """The right one is among them twenty times over, and gets in only if it is among the five."""
    identity, jane = acme.identity, await member(acme)
    transaction = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, transaction)
    await asyncio.gather(*(enter(identity, transaction, another(code)) for _ in range(100)))
    counted = await run_as_owner(identity, "SELECT max(attempts) FROM login WHERE staff = $1", jane.staff)
    failed = await run_as_owner(
        identity, "SELECT count(*) FROM audit WHERE target = $1 AND event = 'authn_factor_fail'", str(jane.staff)
    )
    assert (counted[0][0], failed[0][0]) == (5, 5), "judged, and written down, five times"
    assert (await enter(identity, transaction, code)).status == 401


@pytest.mark.checklist("C04")
async def test_new_codes_and_new_logins_give_no_new_tries(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    for _ in range(2):
        transaction = (await begun(identity, jane.login))["transaction"]
        code = await sent(identity, transaction)
        for _ in range(5):
            assert (await enter(identity, transaction, another(code))).status == 401
    transaction = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, transaction)
    assert (await enter(identity, transaction, code)).status == 401, "ten an hour, over all"
    identity.clock.advance(hours=1, seconds=1)
    transaction = (await begun(identity, jane.login))["transaction"]
    assert (await enter(identity, transaction, await sent(identity, transaction))).status == 200


@pytest.mark.checklist("C04")
async def test_after_a_hundred_failures_in_a_row_only_another_way_back_is_left(acme: Acme) -> None:
    """However slowly they came; a code that is right is refused too, until somebody resets the factors."""
    identity, jane = acme.identity, await with_app(acme)
    login = (await begun(identity, jane.login))["transaction"]
    await enter(identity, login, "000000", "totp")
    await run_as_owner(
        identity, "UPDATE login SET attempts = 100 WHERE staff = $1 AND tried_at IS NOT NULL AND finished_at IS NULL",
        jane.staff,
    )  # fmt: skip
    identity.clock.advance(hours=30)
    assert (await finished(identity, jane.login, "totp", jane.shown())).status == 401
    transaction = (await begun(identity, jane.login))["transaction"]
    assert (await enter(identity, transaction, await sent(identity, transaction))).status == 401, "by e-mail neither"
    assert jane.codes is not None
    assert (await finished(identity, jane.login, "recovery", jane.codes[0])).status == 200, "this is no guess"
    assert (await finished(identity, jane.login, "totp", jane.later())).status == 200, "and the count begins anew"


@pytest.mark.checklist("C05")
async def test_a_code_is_for_one_login_of_one_person_for_one_purpose(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await member(acme), await member(acme, "Luke")
    mine = (await begun(identity, jane.login))["transaction"]
    again = (await begun(identity, jane.login))["transaction"]
    theirs = (await begun(identity, luke.login))["transaction"]
    stepping = (await identity.post("/v1/me/step-up", token=jane.token)).json["transaction"]
    code = await sent(identity, mine)
    for other in (again, theirs, stepping):
        assert (await enter(identity, other, code)).status == 401
    body = {"transaction": stepping, "factor": "email", "code": code}
    assert (await identity.post("/v1/me/step-up/finish", body, token=jane.token)).status == 422
    other_way = await sent(identity, stepping)
    assert (await enter(identity, mine, other_way)).status == 401
    body = {"transaction": mine, "factor": "email", "code": code}
    assert (await identity.post("/v1/me/step-up/finish", body, token=jane.token)).status == 422, "a login is no step-up"
    assert (await enter(identity, stepping, other_way)).status == 401, "nor a step-up a login"
    assert (await enter(identity, mine, code)).status == 200, "and it is good where it belongs"


@pytest.mark.checklist("C06")
async def test_sending_again_kills_the_older_code_and_is_limited(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    identity.clock.advance(minutes=11)
    started = (await begun(identity, jane.login))["transaction"]
    older = []
    for _ in range(5):
        older.append(await sent(identity, started))
        hasty = await identity.post("/v1/login/codes", {"transaction": started, "factor": "email"})
        assert (problem(hasty), hasty.headers["Retry-After"]) == ((429, "code_just_sent"), "30")
        identity.clock.advance(seconds=31)
    sixth = await identity.post("/v1/login/codes", {"transaction": started, "factor": "email"})
    assert problem(sixth) == (429, "too_many_codes")
    anew = (await begun(identity, jane.login))["transaction"]
    sixth = await identity.post("/v1/login/codes", {"transaction": anew, "factor": "email"})
    assert problem(sixth) == (429, "too_many_codes"), "five in ten minutes go to a person, over all logins"
    assert (await enter(identity, started, older[-2])).status == 401
    assert (await enter(identity, started, older[-1])).status == 200


@pytest.mark.checklist("C07")
async def test_every_code_that_is_not_good_is_answered_alike(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    used = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, used)
    assert (await enter(identity, used, code)).status == 200
    expired = (await begun(identity, jane.login))["transaction"]
    old = await sent(identity, expired)
    identity.clock.advance(minutes=5, seconds=1)
    fresh = (await begun(identity, jane.login))["transaction"]
    right = await sent(identity, fresh)
    answers = [
        await enter(identity, used, code),
        await enter(identity, expired, old),
        await enter(identity, fresh, another(right)),
        await enter(identity, fresh, right, "sms"),
        await enter(identity, (await begun(identity, jane.login))["transaction"], right),
        await enter(identity, fresh[:-3] + "xyz", right),
        await enter(identity, "nothing", right),
    ]
    assert {(answer.status, answer.text) for answer in answers} == {(401, answers[0].text)}


@pytest.mark.checklist("C07")
def test_digests_are_compared_in_constant_time() -> None:
    """Nothing else would find out how much of a digest was right; a plain comparison is not to be seen from outside."""
    assert "compare_digest" in codes.Codes.check.__code__.co_names
    assert "compare_digest" in totp._matching_step.__code__.co_names + sum(
        (one.co_names for one in totp._matching_step.__code__.co_consts if hasattr(one, "co_names")), ()
    )


@pytest.mark.checklist("C08")
async def test_a_code_goes_to_a_confirmed_number_only_and_counts_as_weaker(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme, mobile="+61491570006")
    started = await begun(identity, jane.login)
    assert [one["kind"] for one in started["factors"]] == ["email"]
    refused = await identity.post("/v1/login/codes", {"transaction": started["transaction"], "factor": "sms"})
    assert problem(refused) == (422, "factor_not_available")
    await confirm_mobile(identity, jane.staff)
    offered = (await begun(identity, jane.login))["factors"]
    assert [(one["kind"], one["strength"]) for one in offered] == [("sms", "weaker"), ("email", "weaker")]
    shown = {one["kind"]: one["strength"] for one in (await list_factors(jane))["factors"]}
    assert shown == {"sms": "weaker", "email": "weaker"}
    by_admin = (await identity.ask("GET", f"/v1/staff/{jane.staff}/factors", token=acme.ray)).json
    assert {one["kind"]: one["strength"] for one in by_admin["factors"]} == shown


@pytest.mark.checklist("C08")
async def test_what_was_proved_stands_in_the_token_and_email_is_never_aal2(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme, mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    seen = {}
    for factor in ("email", "sms"):
        transaction = (await begun(identity, jane.login))["transaction"]
        answer = await enter(identity, transaction, await sent(identity, transaction, factor), factor)
        seen[factor] = claims_of(answer.json["access_token"])
    seen["totp"] = claims_of((await finished(identity, jane.login, "totp", jane.later())).json["access_token"])
    assert {kind: (claims["amr"], claims["acr"]) for kind, claims in seen.items()} == {
        "email": (["pwd", "email"], "aal1+"),
        "sms": (["pwd", "sms"], "aal2"),
        "totp": (["pwd", "otp"], "aal2"),
    }


@pytest.mark.checklist("C08", "C09")
async def test_without_the_app_beside_them_no_weak_factor_is_allowed(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=[FactorKind.PASSKEY, FactorKind.EMAIL])))
    started = await begun(identity, jane.login)
    assert started["enrol"] is True, "e-mail leads to enrolling, and to nothing else"


@pytest.mark.checklist("C09")
async def test_an_organisation_forbids_weak_factors_and_administrators_have_none(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme, mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    strong = [FactorKind.PASSKEY, FactorKind.TOTP, FactorKind.RECOVERY]
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=[*strong, FactorKind.EMAIL])))
    assert [one["kind"] for one in (await begun(identity, jane.login))["factors"]] == ["email"], "no SMS"
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=strong)))
    started = await begun(identity, jane.login)
    assert (started["enrol"], [one["kind"] for one in started["factors"]]) == (True, ["email"])
    transaction = started["transaction"]
    token = (await enter(identity, transaction, await sent(identity, transaction))).json["access_token"]
    assert claims_of(token)["acr"] == "enrol"
    await set_policy(acme, SecurityPolicy())
    laya = await with_app(acme, "Laya", type="administrator")
    started = await begun(identity, laya.login)
    assert [one["kind"] for one in started["factors"]] == ["totp", "recovery"], "by default"
    refused = await identity.post("/v1/login/codes", {"transaction": started["transaction"], "factor": "email"})
    assert problem(refused) == (422, "factor_not_available")


@pytest.mark.checklist("C10")
async def test_the_message_says_what_the_code_is_for_and_until_when(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    stepping = (await identity.post("/v1/me/step-up", token=jane.token)).json["transaction"]
    for transaction, purpose in (((await begun(identity, jane.login))["transaction"], "login"), (stepping, "step_up")):
        await sent(identity, transaction)
        event, message = identity.heard.of(contract.CodeIssued)[-1], code_to(identity)
        assert (message.organisation, message.purpose) == ("ACME Crates", purpose)
        assert event.expires_at == identity.clock.now() + timedelta(minutes=5)
